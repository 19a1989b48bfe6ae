"""Functions that a worker process runs in tests."""

from __future__ import annotations

from container_kit.stages.contract.isolation import LIMIT_EXCEEDED


def never_return(_: int) -> None:
    """Hold the interpreter's lock for ever."""
    while True:
        pass


def fail(_: int) -> None:
    """Fail as a stage does."""
    raise LIMIT_EXCEEDED("as a stage")
