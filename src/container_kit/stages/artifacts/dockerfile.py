"""A Dockerfile with its ignore file."""

from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact


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
    """The content of `.dockerignore` at the context's root; None where it was left as it was."""
    ignore_path: str = ".dockerignore"
    written: bool = True
    """False for a proposal that was not put in place."""
    port: int | None = None
    """The port of EXPOSE, CMD and HEALTHCHECK."""
    reasons: tuple[Reason, ...] = ()
    root: str = ""
    """The resolved folder that it was written into; empty for a proposal."""
    replaced: str | None = None
    """Where the file that was there before is kept, relative to the source's root."""


class Patch(Artifact):
    """Lines to put in place of others."""

    first_line: int = Field(ge=1)
    last_line: int
    """One less than `first_line` where nothing is replaced and the lines are put before it."""
    replacement: str
    """The new lines, without the last line's end; empty takes lines away."""
    file: str | None = None
    """Another file than the Dockerfile, which is not there yet: `.dockerignore`."""


class DockerfileProblem(Artifact):
    """One thing that is wrong with a Dockerfile, or could be better."""

    id: str
    """`RULE:LINE`, by which its patch is chosen."""
    rule: str
    """`wrong-port`, `root-user`, … for own checks; hadolint's code, for example `DL3008`."""
    line: int
    severity: Literal["error", "warning", "info"]
    message: str
    because: str = ""
    """Why it matters, or the evidence for it."""
    patch: Patch | None = None


class DockerfileReview(Artifact):
    """What was found in an existing Dockerfile."""

    path: str
    """Relative to the source's root."""
    checksum: str
    """SHA-256 of the reviewed text; patches fit that text only."""
    problems: tuple[DockerfileProblem, ...] = ()
    hadolint: str | None = None
    """The version that looked too; None where hadolint is not installed or could not read the file."""


class PatchSelection(Artifact):
    """Which patches of a review to apply."""

    ids: tuple[str, ...] = ()
    """Problems' ids; none applies every patch that does not change the lines of an earlier one."""
    checksum: str | None = None
    """The checksum of the review that they were chosen from; a Dockerfile that was edited since is then refused."""
