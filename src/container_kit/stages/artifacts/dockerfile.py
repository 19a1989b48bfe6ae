"""A Dockerfile with its ignore file."""

from container_kit.stages.artifacts.base import Artifact


class Reason(Artifact):
    """Why one choice in a generated Dockerfile was made."""

    choice: str
    because: str
    places: tuple[str, ...] = ()


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
