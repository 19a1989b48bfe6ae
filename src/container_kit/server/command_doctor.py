"""`container-kit doctor`: what this machine has, what it lacks and how to get it."""

from __future__ import annotations


def doctor(*, as_json: bool) -> int:
    """Examine the machine and print what was found."""
    raise NotImplementedError(as_json)
