"""Examining the machine: what is there, what is missing and how to get it."""

from typing import Literal

from container_kit.stages.contract.artifact import Artifact


class DoctorOptions(Artifact):
    """What else to examine besides the machine."""

    home: str | None = None
    """The folder for state (CONTAINER_KIT_HOME); None leaves it out."""


class HostCheck(Artifact):
    """One thing that was looked at."""

    name: str
    """For example `docker engine`, `base image python:3.11-slim`, `trivy`."""
    outcome: Literal["ok", "missing", "problem"]
    """`missing`: not there, but to be had; `problem`: there, but it will not work."""
    detail: str = ""
    """What was found, in one line."""
    get: str = ""
    """How to get it or to repair it; empty where it is ok."""
    needed: bool = False
    """True where nothing can be built or deployed without it."""


class Examination(Artifact):
    """All that was looked at."""

    checks: tuple[HostCheck, ...]

    @property
    def ready(self) -> bool:
        """Whether everything that is needed is there and works."""
        return all(check.outcome == "ok" for check in self.checks if check.needed)
