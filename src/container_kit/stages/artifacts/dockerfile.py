"""A Dockerfile with its ignore file, and its review."""

from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact


class Reason(Artifact):
    """The rationale of one decision in a generated Dockerfile."""

    decision: str
    rationale: str
    locations: tuple[str, ...] = ()


class DockerfileOptions(Artifact):
    """Options of a generated Dockerfile. Defaults come from the analysis."""

    start_command: str | None = None
    """The command that starts the application, as typed in the module's folder."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The TCP port that the application listens on."""
    base_images: dict[str, str] = Field(default_factory=dict)
    """Default base images mapped to replacements, for example from a mirror."""
    write: bool = True
    """Write the files; false returns a proposal and leaves the source tree unchanged."""
    overwrite: bool = False
    """Replace a Dockerfile that a person wrote or edited. The old file is kept next to the new one."""


class Dockerfile(Artifact):
    """A Dockerfile in the source tree."""

    path: str = "Dockerfile"
    """Relative to the source root."""
    content: str
    ignore: str | None = None
    """The content of `.dockerignore` at the root of the context; None if the file was not changed."""
    ignore_path: str = ".dockerignore"
    written: bool = True
    """False for a proposal."""
    port: int | None = None
    """The port of EXPOSE, CMD and HEALTHCHECK."""
    reasons: tuple[Reason, ...] = ()
    root: str = ""
    """The resolved folder that contains it; empty for a proposal."""
    replaced: str | None = None
    """The path of the kept copy of the previous file, relative to the source root."""


class Patch(Artifact):
    """A replacement of lines."""

    first_line: int = Field(ge=1)
    last_line: int
    """Inclusive. `first_line - 1` inserts the lines before `first_line`."""
    replacement: str
    """The new lines without the final newline; empty deletes the lines."""
    file: str | None = None
    """A new file to create instead of changing the Dockerfile: `.dockerignore`."""


class DockerfileProblem(Artifact):
    """One problem or possible improvement in a Dockerfile."""

    id: str
    """`RULE:LINE`; selects the problem's patch."""
    rule: str
    """The check, such as `wrong-port` or `root-user`, or a hadolint code such as `DL3008`."""
    line: int
    severity: Literal["error", "warning", "info"]
    message: str
    rationale: str = ""
    """The reason why it matters, or its evidence."""
    patch: Patch | None = None


class DockerfileReview(Artifact):
    """The result of reviewing an existing Dockerfile."""

    path: str
    """Relative to the source root."""
    checksum: str
    """SHA-256 of the reviewed text. Patches apply only to that text."""
    problems: tuple[DockerfileProblem, ...] = ()
    hadolint: str | None = None
    """The hadolint version; None if hadolint is not installed or could not parse the file."""


class PatchSelection(Artifact):
    """The patches of a review to apply."""

    ids: tuple[str, ...] = ()
    """Problem ids. An empty selection applies every patch that does not overlap an earlier one."""
    checksum: str | None = None
    """The checksum of the review. A Dockerfile that changed since is rejected."""
