"""The source tree that a run starts from."""

from container_kit.stages.contract.artifact import Artifact


class Source(Artifact):
    """A folder with an application to containerize."""

    path: str
    """As the caller gave it. A stage resolves it with `ctx.workspace.directory(source.path)`."""
    module: str = "."
    """The deployable module to build and deploy, as a path relative to `path`; `.` is the root."""

    def run_subject(self) -> dict[str, str]:
        """Return the folder, and the module unless it is the root."""
        return {"source": self.path} | ({"module": self.module} if self.module != "." else {})
