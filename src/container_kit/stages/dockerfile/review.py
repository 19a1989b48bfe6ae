"""The stage that reviews an existing Dockerfile."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

import anyio.to_thread

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import DockerfileProblem, DockerfileReview
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.dockerfile.checks import ReviewContext, check
from container_kit.stages.dockerfile.generate.dockerignore import read_patterns
from container_kit.stages.dockerfile.generate.render import is_own
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.dockerfile_stages import UNPARSABLE, BuildStage, read_stages
from container_kit.stages.programs import hadolint
from container_kit.stages.programs.hadolint import LintProblem

NONE_THERE = FaultCode(
    "dockerfile.none_to_review",
    means="There is no Dockerfile, or it cannot be read as text.",
    hint="Have a Dockerfile written first, or name the module whose Dockerfile is meant.",
)

_SAME = {"DL3025": "shell-form", "DL3002": "root-user", "DL3006": "unpinned-base", "DL3007": "unpinned-base",
    "DL3020": "add-for-copy", "DL3064": "secret"}  # fmt: skip
"""Rules of hadolint that say the same as an own check of that line, which knows more."""
_ONCE = {"DL3009": "apt-lists", "DL3057": "no-health-check"}
"""The same, whatever the line."""


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
        root = ctx.workspace.directory(source.path)
        path, text, found = await anyio.to_thread.run_sync(_look, root, source, analysis)
        result = await hadolint.lint(text, root, path)
        linted = tuple(map(_problem, result.problems))
        told = {(problem.rule, problem.line) for problem in found} | {(problem.rule, None) for problem in found}
        new = [one for one in linted if told.isdisjoint({(_SAME.get(one.rule), one.line), (_ONCE.get(one.rule), None)})]
        problems = tuple(sorted((*found, *new), key=lambda problem: problem.line))
        return DockerfileReview(
            path=path,
            checksum=checksum(text),
            problems=problems,
            hadolint=None if result.unavailable else result.version or "unknown",
        )


def _problem(problem: LintProblem) -> DockerfileProblem:
    return DockerfileProblem(
        id=f"{problem.code}:{problem.line}",
        rule=problem.code,
        line=problem.line,
        severity="error" if problem.level == "error" else "warning" if problem.level == "warning" else "info",
        message=problem.message,
        rationale="a rule of hadolint",
    )


def _look(root: Path, source: Source, analysis: Analysis) -> tuple[str, str, tuple[DockerfileProblem, ...]]:
    tree = ContextTree(root)
    own = "Dockerfile" if source.module == "." else f"{source.module}/Dockerfile"
    path = own if tree.exists(own) else analysis.dockerfile
    original = tree.original(path) if path else None
    if path is None or original is None:
        write = NextAction(why="Writes one that fits the repository.", tool=ToolName.WRITE_DOCKERFILE)
        what = f"{path} is too large or not text" if path else f"there is no Dockerfile to review in {source.path}"
        raise NONE_THERE(what, next_actions=[] if path else [write])
    stages = read_stages(original.text)
    if not stages:
        raise UNPARSABLE(f"{path} has no FROM", reason="there is no FROM")
    return path, original.text, check(_reviewed(tree, path, original.text, stages, source, analysis))


def _reviewed(
    tree: ContextTree, path: str, text: str, stages: list[BuildStage], source: Source, analysis: Analysis
) -> ReviewContext:
    context = _context(tree, path, text, stages)
    inside = ContextTree(tree.root / context) if context else tree
    name = path.rpartition("/")[2]
    ignore = next((t for n in (f"{name}.dockerignore", ".dockerignore") if (t := inside.text(n)) is not None), None)
    module = analysis.module(context or source.module) if context else analysis.module(source.module)
    prefix = f"{context}/" if context else ""
    manifests = tuple(m.removeprefix(prefix) for m in (module.manifests if module else ()) if m.startswith(prefix))
    return ReviewContext(
        lines=tuple(text.split("\n")),
        stages=tuple(stages),
        module=module,
        tree=inside,
        manifests=tuple(one for one in manifests if inside.exists(one)),
        ignored=None if ignore is None else tuple(read_patterns(ignore)),
    )


def _context(tree: ContextTree, path: str, text: str, stages: list[BuildStage]) -> str:
    """The folder that it is built in: its own, unless more of what it copies lies below the root."""
    folder = path.rpartition("/")[0]
    if not folder or is_own(text):
        return ""
    sources = [
        word.strip("/")
        for stage in stages
        for copy in stage.of("COPY", "ADD")
        if not any(flag.startswith("--from") for flag in copy.flags)
        for word in copy.value[:-1]
    ]
    beside = sum(tree.exists(f"{folder}/{word}") for word in sources)
    above = sum(tree.exists(word) for word in sources)
    return folder if beside >= above else ""


def checksum(text: str) -> str:
    """By which a reviewed text is known."""
    return hashlib.sha256(text.encode()).hexdigest()
