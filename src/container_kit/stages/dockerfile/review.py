"""The stages that review an existing Dockerfile and apply chosen patches to it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import (
    Dockerfile,
    DockerfileProblem,
    DockerfileReview,
    Patch,
    PatchChoice,
    Reason,
)
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract import Preview, Stage, StageContext
from container_kit.stages.dockerfile import hadolint, place
from container_kit.stages.dockerfile.checks import Reviewed, check
from container_kit.stages.dockerfile.ignore import read_patterns
from container_kit.stages.dockerfile.instructions import UNPARSABLE, read_stages
from container_kit.stages.dockerfile.tree import SourceTree
from container_kit.stages.dockerfile.write import undo
from container_kit.stages.fault import FaultCode
from container_kit.stages.workspace import FAULTS as PATH_FAULTS

NONE_THERE = FaultCode(
    "dockerfile.none_to_review",
    means="There is no Dockerfile, or it cannot be read as text.",
    hint="Have a Dockerfile written first, or name the module whose Dockerfile is meant.",
)
CHANGED = FaultCode(
    "dockerfile.changed",
    means="The Dockerfile is no longer the text that was reviewed.",
    hint="Review {path} again and choose from the new patches.",
)
PATCH_UNKNOWN = FaultCode(
    "dockerfile.patch_unknown",
    means="The review has no patch by that id.",
    hint="Choose from these: {ids}.",
)
PATCHES_OVERLAP = FaultCode(
    "dockerfile.patches_overlap",
    means="Two of the chosen patches change the same lines.",
    hint="Apply {first} alone, review again, then apply what is left.",
)


class ReviewDockerfile(Stage[DockerfileReview]):
    """Look for what is wrong with an existing Dockerfile."""

    read_only: ClassVar[bool] = True
    timeout: ClassVar[float | None] = 60
    faults: ClassVar[tuple[FaultCode, ...]] = (*PATH_FAULTS, NONE_THERE, UNPARSABLE)

    async def execute(self, ctx: StageContext, source: Source, analysis: Analysis) -> DockerfileReview:
        """Review the module's Dockerfile, else the outermost one of the tree.

        Raises:
            StageFailure: One of `faults`.
        """
        tree = SourceTree(ctx.workspace.directory(source.path))
        path, text, found = await anyio.to_thread.run_sync(_look, tree, source, analysis)
        linted, version = await hadolint.lint(text)
        return DockerfileReview(path=path, checksum=_checksum(text), problems=(*found, *linted), hadolint=version)


class ApplyPatches(Stage[Dockerfile]):
    """Apply chosen patches of a review to the Dockerfile; the text before is kept beside it."""

    faults: ClassVar[tuple[FaultCode, ...]] = (
        *PATH_FAULTS,
        *place.FAULTS,
        NONE_THERE,
        UNPARSABLE,
        CHANGED,
        PATCH_UNKNOWN,
        PATCHES_OVERLAP,
    )

    async def validate(
        self, ctx: StageContext, source: Source, review: DockerfileReview, choice: PatchChoice | None = None
    ) -> None:
        """Check that the text is the reviewed one and that the patches fit together."""
        await anyio.to_thread.run_sync(_patched, ctx.workspace.directory(source.path), review, choice, ctx.run_id)

    async def execute(
        self, ctx: StageContext, source: Source, review: DockerfileReview, choice: PatchChoice | None = None
    ) -> Dockerfile:
        """Write the patched Dockerfile.

        Raises:
            StageFailure: One of `faults`; the file is then as it was.
        """
        root = ctx.workspace.directory(source.path)
        made = await anyio.to_thread.run_sync(_patched, root, review, choice, ctx.run_id)
        with anyio.CancelScope(shield=True):
            written = await anyio.to_thread.run_sync(_write, root, made, ctx.run_id)
        return written  # noqa: RET504 - a cancel scope may swallow, so the type checker wants it here

    async def rollback(self, ctx: StageContext, made: Dockerfile) -> None:
        """Put the text back that was there before, unless somebody edited the file since."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(undo, ctx.workspace, made)

    async def preview(
        self, ctx: StageContext, source: Source, review: DockerfileReview, choice: PatchChoice | None = None
    ) -> Preview[Dockerfile]:
        """Foretell the patched text."""
        root = ctx.workspace.directory(source.path)
        made = await anyio.to_thread.run_sync(_patched, root, review, choice, ctx.run_id)
        return Preview((f"change {made.path} in {len(made.reasons)} places",), made)


def _look(tree: SourceTree, source: Source, analysis: Analysis) -> tuple[str, str, tuple[DockerfileProblem, ...]]:
    own = "Dockerfile" if source.module == "." else f"{source.module}/Dockerfile"
    path = own if tree.exists(own) else analysis.dockerfile
    text = tree.text(path) if path else None
    if path is None or text is None:
        raise NONE_THERE(f"there is no Dockerfile to review in {source.path}")
    stages = read_stages(text)
    if not stages:
        raise UNPARSABLE(f"{path} has no FROM", reason="there is no FROM")
    ignored = tuple(read_patterns(tree.text(".dockerignore") or ""))
    module = analysis.module(source.module)
    return path, text, check(Reviewed(tuple(text.splitlines()), tuple(stages), module, tree, ignored))


def _patched(root: Path, review: DockerfileReview, choice: PatchChoice | None, run_id: str) -> Dockerfile:
    text = SourceTree(root).text(review.path)
    if text is None:
        raise NONE_THERE(f"{review.path} is not there")
    kept = SourceTree(root).text(f"{review.path}.{run_id}.orig")
    if _checksum(text) != review.checksum:
        if kept is None or _checksum(kept) != review.checksum:
            raise CHANGED(f"{review.path} was changed since it was reviewed", path=review.path)
        text = kept  # this run was repeated after a crash: what it wrote is made again
    offered = {problem.id: problem.patch for problem in review.problems if problem.patch}
    ids = (choice.ids if choice else ()) or tuple(offered)
    unknown = [name for name in ids if name not in offered]
    if unknown:
        raise PATCH_UNKNOWN(f"there is no patch {unknown[0]!r}", ids=", ".join(offered) or "none")
    content = _apply(text, {name: offered[name] for name in ids})
    read_stages(content)
    reasons = tuple(
        Reason(choice=problem.message, because=problem.because, places=(f"{review.path}:{problem.line}",))
        for problem in review.problems
        if problem.id in ids
    )
    return Dockerfile(path=review.path, content=content, written=False, reasons=reasons)


def _apply(text: str, patches: dict[str, Patch]) -> str:
    """Apply patches from the last line to the first, so that line numbers stay true."""
    lines = text.splitlines()
    upper = len(lines) + 1
    for name, patch in sorted(patches.items(), key=lambda item: (item[1].first_line, item[1].last_line), reverse=True):
        if patch.last_line >= upper:
            raise PATCHES_OVERLAP(f"{name} and another patch change line {upper}", first=name)
        upper = patch.first_line
        lines[patch.first_line - 1 : patch.last_line] = patch.replacement.splitlines()
    return "\n".join(lines) + "\n"


def _write(root: Path, made: Dockerfile, run_id: str) -> Dockerfile:
    kept = place.place(root / made.path, made.content, run_id=run_id, overwrite=True)
    replaced = kept.relative_to(root).as_posix() if kept else None
    return made.model_copy(update={"written": True, "root": str(root), "replaced": replaced})


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
