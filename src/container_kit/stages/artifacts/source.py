"""The source tree a run starts from."""

from container_kit.stages.contract.artifact import Artifact


class Source(Artifact):
    """A folder that holds what is to be containerized."""

    path: str
    """As the caller gave it; a stage resolves it with `ctx.workspace.directory(source.path)`."""
    module: str = "."
    """The deployable module to build and deploy, as a path relative to `path`; `.` is the root."""
