"""The stage that applies chosen patches of a review."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.dockerfile import (
    Dockerfile,
    DockerfileProblem,
    DockerfileReview,
    Patch,
    PatchSelection,
    Reason,
)
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.dockerfile import files
from container_kit.stages.dockerfile.review import checksum
from container_kit.stages.dockerfile.write import put, undo
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree, TextFile
from container_kit.stages.formats.dockerfile import DOCKERFILE_NOT_FOUND, DOCKERFILE_SYNTAX, parse_dockerfile

CHANGED = FaultCode(
    "dockerfile.changed",
    means="The Dockerfile changed since its review.",
    hint="Review {path} again and choose from the new patches.",
)
PATCH_UNKNOWN = FaultCode(
    "dockerfile.patch_unknown",
    means="The review has no patch with that id.",
    hint="Choose from these: {ids}.",
)
PATCHES_OVERLAP = FaultCode(
    "dockerfile.patches_overlap",
    means="Two of the chosen patches change the same lines.",
    hint="Apply only {first}, review again, then apply the other patches.",
)


class ApplyPatches(Stage[Dockerfile]):
    """Apply chosen patches of a review to the Dockerfile. The previous text is kept in a file next to it."""

    faults: ClassVar[tuple[FaultCode, ...]] = (
        *PATH_FAULTS,
        *files.FAULTS,
        DOCKERFILE_NOT_FOUND,
        DOCKERFILE_SYNTAX,
        CHANGED,
        PATCH_UNKNOWN,
        PATCHES_OVERLAP,
    )

    async def validate(
        self, ctx: StageContext, source: Source, review: DockerfileReview, choice: PatchSelection | None = None
    ) -> None:
        """Check that the Dockerfile is the reviewed one and that the patches do not overlap."""
        await anyio.to_thread.run_sync(_patched, ctx.workspace.directory(source.path), review, choice, ctx.run_id)

    async def execute(
        self, ctx: StageContext, source: Source, review: DockerfileReview, choice: PatchSelection | None = None
    ) -> Dockerfile:
        """Write the patched Dockerfile.

        Raises:
            StageFailure: One of `faults`; the file is then unchanged.
        """
        root = ctx.workspace.directory(source.path)
        patched = await anyio.to_thread.run_sync(_patched, root, review, choice, ctx.run_id)
        with anyio.CancelScope(shield=True):
            written = await anyio.to_thread.run_sync(put, root, patched, ctx.run_id, True)
        return written  # noqa: RET504 - a cancel scope may swallow, so the type checker wants it here

    async def rollback(self, ctx: StageContext, patched: Dockerfile) -> None:
        """Restore the previous text, unless the file was edited since."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(undo, ctx.workspace, patched)

    async def preview(
        self, ctx: StageContext, source: Source, review: DockerfileReview, choice: PatchSelection | None = None
    ) -> Preview[Dockerfile]:
        """Return the patched text without writing it."""
        root = ctx.workspace.directory(source.path)
        patched = await anyio.to_thread.run_sync(_patched, root, review, choice, ctx.run_id)
        return Preview((f"change {patched.path} in {len(patched.reasons)} places",), patched)


def _patched(root: Path, review: DockerfileReview, choice: PatchSelection | None, run_id: str) -> Dockerfile:
    choice = choice or PatchSelection()
    original = _reviewed_text(ContextTree(root), review, choice, run_id)
    chosen = _chosen(review, choice)
    content = _apply(
        original.text,
        [(problem.id, problem.patch) for problem in chosen if problem.patch and problem.patch.file is None],
    )
    parse_dockerfile(content, review.path).check()
    ignore = next((problem.patch.replacement for problem in chosen if problem.patch and problem.patch.file), None)
    reasons = tuple(
        Reason(decision=problem.message, rationale=problem.rationale, locations=(f"{review.path}:{problem.line}",))
        for problem in chosen
    )
    return Dockerfile(
        path=review.path,
        content=original.again(content),
        ignore=None if ignore is None else f"{ignore}\n",
        ignore_path=f"{review.path.rpartition('/')[0]}/.dockerignore".lstrip("/"),
        written=False,
        reasons=reasons,
    )


def _reviewed_text(tree: ContextTree, review: DockerfileReview, choice: PatchSelection, run_id: str) -> TextFile:
    original = tree.original(review.path)
    if original is None:
        raise DOCKERFILE_NOT_FOUND(f"{review.path} does not exist, or is not text")
    if checksum(original.text) != review.checksum:
        kept = tree.original(f"{review.path}.{run_id}.orig")
        if kept is None or checksum(kept.text) != review.checksum:
            raise CHANGED(f"{review.path} changed since its review", path=review.path)
        original = kept  # a run repeated after a crash: start again from its original
    if choice.checksum not in {None, review.checksum}:
        raise CHANGED(f"{review.path} is not the text that the patches were chosen from", path=review.path)
    return original


def _chosen(review: DockerfileReview, choice: PatchSelection) -> list[DockerfileProblem]:
    offered = {problem.id: problem for problem in review.problems if problem.patch}
    unknown = [name for name in choice.ids if name not in offered]
    if unknown:
        raise PATCH_UNKNOWN(f"there is no patch {unknown[0]!r}", ids=", ".join(offered) or "none")
    if choice.ids:
        return [offered[name] for name in dict.fromkeys(choice.ids)]
    fitting: list[DockerfileProblem] = []
    for problem in offered.values():
        if not any(_overlap(problem.patch, other.patch) for other in fitting):
            fitting.append(problem)
    return fitting


def _overlap(patch: Patch | None, other: Patch | None) -> bool:
    """Return whether two patches change the same lines. Lines inserted before a changed line do not count."""
    if patch is None or other is None or patch.file != other.file:
        return False
    return patch.first_line <= other.last_line and other.first_line <= patch.last_line


def _apply(text: str, patches: list[tuple[str, Patch]]) -> str:
    """Apply patches from the last line to the first, so that line numbers stay valid."""
    lines = text.split("\n")
    upper = len(lines) + 1
    for name, patch in sorted(patches, key=lambda item: (item[1].first_line, item[1].last_line), reverse=True):
        if patch.last_line >= upper:
            raise PATCHES_OVERLAP(f"{name} and another patch change line {upper}", first=name)
        upper = patch.first_line
        lines[patch.first_line - 1 : patch.last_line] = patch.replacement.split("\n") if patch.replacement else []
    return "\n".join(lines)
