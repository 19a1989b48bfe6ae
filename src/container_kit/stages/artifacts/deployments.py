"""Management of deployments: list, logs, rollback and removal."""

from typing import Literal

from pydantic import Field

from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.artifact import Artifact


class ApplicationRef(Artifact):
    """One application."""

    name: str
    """The name used when deploying."""

    def run_subject(self) -> dict[str, str]:
        """Return the application."""
        return {"application": self.name}


class ApplicationQuery(Artifact):
    """A filter over applications."""

    name: str | None = None
    """The name of one application; None means all."""


class Version(Artifact):
    """A version of an application on a target."""

    version: str
    """The version's name on its target, as rollback takes it."""
    image: str
    image_id: str = ""
    state: Literal["serving", "starting", "kept", "stopped"]
    """`kept` versions can be rolled back to; `stopped` is the current version if it does not run."""
    created: str
    """ISO 8601, in UTC."""
    run: str | None = None
    """The run that deployed it."""


class Application(Artifact):
    """An application on a target."""

    name: str
    target: str
    url: str | None = None
    forward_command: str | None = None
    """The command that makes the URL work on this machine if the engine runs on another one."""
    state: Literal["serving", "stopped", "absent"]
    """`absent` if only earlier versions are kept."""
    versions: tuple[Version, ...]
    """The serving version first, then the newest first."""


class Applications(Artifact):
    """The applications on a target."""

    target: str
    applications: tuple[Application, ...]


class LogQuery(Artifact):
    """The part of a log to return."""

    version: str | None = None
    """A version's name. Defaults to the serving version."""
    lines: int = Field(default=100, ge=1, le=2000)
    """The number of lines, counted from the end."""


class ApplicationLog(Artifact):
    """The last lines of an application's stdout and stderr."""

    name: str
    version: str
    lines: tuple[str, ...]


class VersionSelector(Artifact):
    """The version to roll back to."""

    version: str | None = None
    """A version's name, image or image id. Defaults to the previous version."""


class RollbackResult(Artifact):
    """The earlier version that serves again after a rollback."""

    name: str
    on: Target
    version: str
    image: str
    url: str | None = None
    forward_command: str | None = None
    """The command that makes the URL work on this machine if the engine runs on another one."""
    replaced: str | None = None
    """The version that served before the rollback; it is kept."""


class ControlOptions(Artifact):
    """The change of an application's state."""

    action: Literal["stop", "start", "restart"]


class ControlResult(Artifact):
    """The state of an application after it was stopped, started or restarted."""

    name: str
    on: Target
    action: Literal["stop", "start", "restart"]
    state: Literal["serving", "stopped"]
    was: Literal["serving", "stopped"]
    """The state before."""
    url: str | None = None


class CommandOptions(Artifact):
    """A one-off command in an application's container."""

    command: tuple[str, ...] = Field(min_length=1, max_length=100)
    """The program and its arguments."""
    seconds: float = Field(default=60.0, gt=0, le=600)
    """The time limit; the command is then killed."""


class CommandResult(Artifact):
    """The result of a command."""

    name: str
    version: str
    command: tuple[str, ...]
    exit_code: int
    lines: tuple[str, ...] = ()
    """The last lines of stdout and stderr, with secrets redacted."""


class RemovalOptions(Artifact):
    """Options of a removal."""

    volumes: bool = False
    """Also remove the volumes. The stored data is lost."""


class RemovalResult(Artifact):
    """The result of a removal."""

    name: str
    target: str
    removed: tuple[str, ...]
    """Each as `kind NAME`; empty if nothing existed."""
    kept: tuple[str, ...] = ()
    """Objects that were kept on purpose."""
