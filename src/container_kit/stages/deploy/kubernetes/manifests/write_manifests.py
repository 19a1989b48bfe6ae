"""Writing manifests into the source tree: plain files, a kustomize base, or a Helm chart."""

from __future__ import annotations

from pathlib import Path

import anyio

from container_kit.stages.artifacts.kubernetes import ManifestFiles, ManifestLayout, Manifests
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.contract.workspace import below
from container_kit.stages.deploy.kubernetes.manifests.layouts import lay_out

NOT_WRITABLE = FaultCode(
    "kubernetes.files_not_written",
    means="The manifests could not be written.",
    hint="Make {folder} a folder that the server's user may write to.",
)


class WriteManifests(Stage[ManifestFiles]):
    """Write the manifests as files."""

    faults = (NOT_WRITABLE, *PATH_FAULTS)

    async def execute(
        self, ctx: StageContext, manifests: Manifests, source: Source, layout: ManifestLayout
    ) -> ManifestFiles:
        """Write; files that are there under these names are replaced, and kept for going back.

        Raises:
            StageFailure: `kubernetes.files_not_written`, or a fault of the path.
        """
        folder = _folder(ctx, source, layout)
        made = lay_out(manifests, layout.layout)
        done = made.model_copy(update={"folder": str(folder), "replaced": {}})
        try:
            with anyio.CancelScope(shield=True):
                for name, content in made.files.items():
                    done.replaced[name] = await anyio.to_thread.run_sync(_write, folder / name, content)
        except OSError as error:
            await self.rollback(ctx, done)
            evidence = [Evidence(kind="file", text=str(error), where=str(folder))]
            raise NOT_WRITABLE(f"{folder} cannot be written to", evidence=evidence, folder=folder) from error
        return done

    async def rollback(self, ctx: StageContext, made: ManifestFiles) -> None:
        """Put back what was there."""
        for name, content in made.replaced.items():
            await anyio.to_thread.run_sync(_restore, Path(made.folder) / name, content)

    async def preview(
        self, ctx: StageContext, manifests: Manifests, source: Source, layout: ManifestLayout
    ) -> Preview[ManifestFiles]:
        """The files."""
        folder = _folder(ctx, source, layout)
        made = lay_out(manifests, layout.layout)
        return Preview(tuple(f"write {folder / name}" for name in made.files), made)


def _folder(ctx: StageContext, source: Source, layout: ManifestLayout) -> Path:
    return below(ctx.workspace.directory(source.path), layout.folder)


def _write(path: Path, content: str) -> str | None:
    """Write one file at once; gives what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text() if path.is_file() else None
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(content)
    beside.replace(path)
    return before


def _restore(path: Path, content: str | None) -> None:
    if content is not None:
        path.write_text(content)
    else:
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            if folder.name and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
