"""The stage that writes manifests into the source tree: plain files, a kustomize base, or a Helm chart."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from container_kit.stages.artifacts.kubernetes import ManifestFiles, ManifestLayout, Manifests
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.contract.workspace import Workspace, below
from container_kit.stages.deploy.kubernetes.manifests.layouts import render_layout
from container_kit.stages.formats import files

NOT_WRITABLE = FaultCode(
    "kubernetes.files_not_written",
    means="The manifests could not be written.",
    hint="Make {folder} a folder without symbolic links that the server's user can write to; a file that is replaced "
    "must be a text file.",
)
_LARGEST = 2 * 2**20
"""Bytes of a file that may be replaced, because undoing needs its content."""


@dataclass(frozen=True, slots=True)
class RenderedManifests:
    """Rendered manifests and their folder."""

    root: Path
    """The resolved root of the source tree."""
    folder: str
    """Relative to the root, without symbolic links."""
    files: ManifestFiles

    def path(self, name: str) -> str:
        """Return the path of a file, relative to the root."""
        return f"{self.folder}/{name}"


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
        root = ctx.workspace.directory(source.path)
        folder = below(root, layout.folder).relative_to(root).as_posix()
        return RenderedManifests(root, folder, render_layout(manifests, layout.layout))

    async def execute(self, ctx: StageContext, rendered: RenderedManifests) -> ManifestFiles:
        """Write the files; existing files of the same names are replaced and recorded.

        Raises:
            StageFailure: `kubernetes.files_not_written`.
        """
        folder = rendered.root / rendered.folder
        done = rendered.files.model_copy(
            update={"root": str(rendered.root), "folder": str(folder), "replaced": {}},
        )
        try:
            with anyio.CancelScope(shield=True):
                before = await anyio.to_thread.run_sync(_existing, rendered)
                if replaced := [name for name in before if before[name] is not None]:
                    ctx.progress(f"replacing {', '.join(replaced)} in {rendered.folder}")
                for name, content in done.files.items():
                    await anyio.to_thread.run_sync(_write, rendered, name, content)
                    done.replaced[name] = before[name]
        except OSError as error:
            await self.rollback(ctx, done)
            evidence = [Evidence(kind="file", text=error.strerror or "not text", where=str(error.filename or folder))]
            raise NOT_WRITABLE(f"{folder} cannot be written to", evidence=evidence, folder=folder) from error
        return done

    async def rollback(self, ctx: StageContext, made: ManifestFiles) -> None:
        """Restore the replaced files, and remove the new ones. A file that was edited since is kept.

        Raises:
            StageFailure: `kubernetes.files_not_written`.
        """
        try:
            await anyio.to_thread.run_sync(_undo, ctx.workspace, made)
        except OSError as error:
            raise NOT_WRITABLE(f"{made.folder} cannot be restored: {error.strerror}", folder=made.folder) from error

    async def preview(self, ctx: StageContext, rendered: RenderedManifests) -> Preview[ManifestFiles]:
        """List the files."""
        lines = [f"{_verb(rendered, name)} {rendered.root / rendered.path(name)}" for name in rendered.files.files]
        return Preview(tuple(lines), rendered.files)


def _verb(rendered: RenderedManifests, name: str) -> str:
    with suppress(OSError):
        return "replace" if files.exists_inside(str(rendered.root), rendered.path(name)) else "write"
    return "write"


def _existing(rendered: RenderedManifests) -> dict[str, str | None]:
    """Return the content of each file that would be replaced; None for a new file."""
    return {name: _content(rendered.root, rendered.path(name)) for name in rendered.files.files}


def _content(root: Path, path: str) -> str | None:
    if not files.exists_inside(str(root), path):
        return None
    if files.is_link(str(root), path):
        raise files.LinkError(path)
    content = files.read_inside(str(root), path, _LARGEST)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise OSError(errno.EINVAL, "not a text file", path) from error


def _write(rendered: RenderedManifests, name: str, content: str) -> None:
    files.write_inside(str(rendered.root), rendered.path(name), content.encode())


def _undo(workspace: Workspace, made: ManifestFiles) -> None:
    if not Path(made.root).is_dir():  # a removed tree has nothing to undo
        return
    root = workspace.directory(made.root)
    folder = Path(made.folder).relative_to(made.root).as_posix()
    for name, before in made.replaced.items():
        _restore(root, f"{folder}/{name}", made.files[name], before)


def _restore(root: Path, path: str, written: str, before: str | None) -> None:
    if _content(root, path) != written:
        return
    if before is not None:
        files.write_inside(str(root), path, before.encode())
        return
    files.remove_inside(str(root), path)
    files.remove_empty_folders_inside(str(root), path.rpartition("/")[0])
