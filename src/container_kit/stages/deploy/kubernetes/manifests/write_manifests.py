"""The stage that writes manifests into the source tree: plain files, a kustomize base, or a Helm chart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio

from container_kit.stages.artifacts.kubernetes import ManifestFiles, ManifestLayout, Manifests
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.contract.workspace import below
from container_kit.stages.deploy.kubernetes.manifests.layouts import render_layout

NOT_WRITABLE = FaultCode(
    "kubernetes.files_not_written",
    means="The manifests could not be written.",
    hint="Give the server's user write access to {folder}.",
)


@dataclass(frozen=True, slots=True)
class RenderedManifests:
    """Rendered manifests and their folder."""

    folder: Path
    files: ManifestFiles


class WriteManifests(Stage[ManifestFiles]):
    """Write the manifests as files."""

    faults = (NOT_WRITABLE, *PATH_FAULTS)

    async def resolve(
        self, ctx: StageContext, manifests: Manifests, source: Source, layout: ManifestLayout
    ) -> RenderedManifests:
        """Render the files.

        Raises:
            StageFailure: A fault of the path.
        """
        folder = below(ctx.workspace.directory(source.path), layout.folder)
        return RenderedManifests(folder, render_layout(manifests, layout.layout))

    async def execute(self, ctx: StageContext, rendered: RenderedManifests) -> ManifestFiles:
        """Write the files; existing files of the same names are replaced and recorded.

        Raises:
            StageFailure: `kubernetes.files_not_written`.
        """
        folder = rendered.folder
        done = rendered.files.model_copy(update={"folder": str(folder), "replaced": {}})
        try:
            with anyio.CancelScope(shield=True):
                for name, content in done.files.items():
                    done.replaced[name] = await anyio.to_thread.run_sync(_write, folder / name, content)
        except OSError as error:
            await self.rollback(ctx, done)
            evidence = [Evidence(kind="file", text=str(error), where=str(folder))]
            raise NOT_WRITABLE(f"{folder} cannot be written to", evidence=evidence, folder=folder) from error
        return done

    async def rollback(self, ctx: StageContext, made: ManifestFiles) -> None:
        """Restore the replaced files, and remove the new ones."""
        for name, content in made.replaced.items():
            await anyio.to_thread.run_sync(_restore, Path(made.folder) / name, content)

    async def preview(self, ctx: StageContext, rendered: RenderedManifests) -> Preview[ManifestFiles]:
        """List the files."""
        lines = tuple(f"write {rendered.folder / name}" for name in rendered.files.files)
        return Preview(lines, rendered.files)


def _write(path: Path, content: str) -> str | None:
    """Write a file atomically, and return its previous content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)
    return before


def _restore(path: Path, content: str | None) -> None:
    if content is not None:
        path.write_text(content, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            if folder.name and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
