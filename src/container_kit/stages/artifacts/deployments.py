"""Looking after what was deployed: listing it, reading its log, going back, removing it."""

from typing import Literal

from pydantic import Field

from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.artifact import Artifact


class ApplicationRef(Artifact):
    """The application that is meant."""

    name: str
    """As it was deployed by."""


class ApplicationQuery(Artifact):
    """The applications that are meant."""

    name: str | None = None
    """One of them; by default all."""


class Version(Artifact):
    """A version of an application that is there."""

    version: str
    """What it is called on its target; it can be gone back to by this name."""
    image: str
    image_id: str = ""
    state: Literal["serving", "starting", "kept", "stopped"]
    """`kept` ones can be gone back to; `stopped` is the one that should serve and does not run."""
    created: str
    """As ISO 8601, in UTC."""
    run: str | None = None
    """The run that deployed it."""


class Application(Artifact):
    """An application on a target."""

    name: str
    target: str
    url: str | None = None
    state: Literal["serving", "stopped", "absent"]
    """`absent` where only earlier versions are kept."""
    versions: tuple[Version, ...]
    """The one that serves first, then the newest first."""


class Applications(Artifact):
    """What is deployed on a target."""

    target: str
    applications: tuple[Application, ...]


class LogQuery(Artifact):
    """The part of a log that is meant."""

    version: str | None = None
    """A version's name; by default the one that serves."""
    lines: int = Field(default=100, ge=1, le=2000)
    """How many of the last lines."""


class ApplicationLog(Artifact):
    """The end of what an application printed, on both streams."""

    name: str
    version: str
    lines: tuple[str, ...]


class VersionSelector(Artifact):
    """The version to go back to."""

    version: str | None = None
    """A version's name, its image or its image's id; by default the one before."""


class RollbackResult(Artifact):
    """An earlier version that serves again."""

    name: str
    on: Target
    version: str
    image: str
    url: str | None = None
    replaced: str | None = None
    """The version that served before, kept in its turn."""


class RemovalOptions(Artifact):
    """What is removed with an application."""

    volumes: bool = False
    """Its volumes too: what it has stored is lost."""


class RemovalResult(Artifact):
    """What was removed."""

    name: str
    target: str
    removed: tuple[str, ...]
    """Each as `kind NAME`; empty where nothing was there."""
    kept: tuple[str, ...] = ()
    """What was left on purpose."""
