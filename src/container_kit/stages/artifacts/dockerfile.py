"""A Dockerfile with its ignore file."""

from pydantic import Field

from container_kit.stages.artifacts.base import Artifact


class Reason(Artifact):
    """Why one choice in a generated Dockerfile was made."""

    choice: str
    because: str
    places: tuple[str, ...] = ()


class DockerfileOptions(Artifact):
    """What a caller decides about a generated Dockerfile; what is left out comes from the analysis."""

    start_command: str | None = None
    """The command that starts the application, as one would type it in the module's folder."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The TCP port that the application listens on."""
    base_images: dict[str, str] = Field(default_factory=dict)
    """From a usual base image to the one to use in its place, for example to a mirror's."""
    write: bool = True
    """False makes a proposal and leaves the source tree as it is."""
    overwrite: bool = False
    """Replace a Dockerfile that somebody wrote or edited; it is kept beside the new one."""


class Dockerfile(Artifact):
    """A Dockerfile in the source tree."""

    path: str = "Dockerfile"
    """Relative to the source's root."""
    content: str
    ignore: str | None = None
    """The content of `.dockerignore` beside the context's root; None where it was left as it was."""
    written: bool = True
    """False for a proposal that was not put in place."""
    port: int | None = None
    """The port of EXPOSE, CMD and HEALTHCHECK."""
    reasons: tuple[Reason, ...] = ()
    root: str = ""
    """The resolved folder that it was written into; empty for a proposal."""
    replaced: str | None = None
    """Where the file that was there before is kept, relative to the source's root."""
