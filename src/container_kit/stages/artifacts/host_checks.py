"""Checks of the host: installed prerequisites, and how to install missing ones."""

from typing import Literal

from container_kit.stages.contract.artifact import Artifact


class DoctorOptions(Artifact):
    """Options of the host checks."""

    home: str | None = None
    """The state folder (CONTAINER_KIT_HOME) to check; None skips it."""


class HostCheck(Artifact):
    """The result of one host check."""

    name: str
    """For example `docker engine`, `base image python:3.11-slim`, `trivy`."""
    outcome: Literal["ok", "missing", "problem"]
    """`missing`: not installed, but available; `problem`: installed, but not working."""
    detail: str = ""
    """The observation, in one line."""
    get: str = ""
    """How to install or fix it; empty if the outcome is `ok`."""
    needed: bool = False
    """Whether builds and deployments require it."""


class HostReport(Artifact):
    """The results of all host checks."""

    checks: tuple[HostCheck, ...]

    @property
    def ready(self) -> bool:
        """Whether everything required is available and works."""
        return all(check.outcome == "ok" for check in self.checks if check.needed)
