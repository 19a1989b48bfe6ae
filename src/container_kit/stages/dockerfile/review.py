"""The stage that reviews an existing Dockerfile."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import DockerfileProblem, DockerfileReview
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.isolation import LIMIT_EXCEEDED, run_isolated
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.dockerfile.checks import ReviewContext, check
from container_kit.stages.dockerfile.generate.render import is_own
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.dockerfile import (
    DOCKERFILE_NOT_FOUND,
    DOCKERFILE_SYNTAX,
    DOCKERFILE_UNREADABLE,
    ParsedDockerfile,
    parse_dockerfile,
)
from container_kit.stages.formats.dockerignore import IGNORE_INVALID, ignore_file_names, parse_ignore_file
from container_kit.stages.programs import hadolint
from container_kit.stages.programs.hadolint import LintProblem

_SAME = {"DL3025": "shell-form", "DL3002": "root-user", "DL3006": "unpinned-base", "DL3007": "unpinned-base",
    "DL3020": "add-for-copy", "DL3064": "secret"}  # fmt: skip
"""The rules of hadolint that a check here covers on the same line with more context."""
_ONCE = {"DL3009": "apt-lists", "DL3057": "no-health-check"}
"""The same, on any line."""


class ReviewDockerfile(Stage[DockerfileReview]):
    """Find the problems of an existing Dockerfile."""

    read_only: ClassVar[bool] = True
    timeout: ClassVar[float | None] = 60
    faults: ClassVar[tuple[FaultCode, ...]] = (
        IGNORE_INVALID,
        LIMIT_EXCEEDED,
        *PATH_FAULTS,
        DOCKERFILE_NOT_FOUND,
        DOCKERFILE_UNREADABLE,
        DOCKERFILE_SYNTAX,
    )

    async def execute(self, ctx: StageContext, source: Source, analysis: Analysis) -> DockerfileReview:
        """Review the module's Dockerfile, else the outermost one of the tree.

        Raises:
            StageFailure: One of `faults`.
        """
        root = ctx.workspace.directory(source.path)
        path, text, problems = await run_isolated(_check, root, source, analysis)
        result = await hadolint.lint(text, root, path)
        linted = _without_covered(map(_problem, result.problems), problems)
        return DockerfileReview(
            path=path,
            checksum=checksum(text),
            problems=tuple(sorted((*problems, *linted), key=lambda problem: problem.line)),
            hadolint=None if result.unavailable else result.version or "unknown",
        )


def _without_covered(
    linted: Iterable[DockerfileProblem], problems: Sequence[DockerfileProblem]
) -> Iterator[DockerfileProblem]:
    """Yield the problems of hadolint that the checks here do not report."""
    covered = {(problem.rule, problem.line) for problem in problems} | {(problem.rule, None) for problem in problems}
    for problem in linted:
        if covered.isdisjoint({(_SAME.get(problem.rule), problem.line), (_ONCE.get(problem.rule), None)}):
            yield problem


def _problem(problem: LintProblem) -> DockerfileProblem:
    return DockerfileProblem(
        id=f"{problem.code}:{problem.line}",
        rule=problem.code,
        line=problem.line,
        severity="error" if problem.level == "error" else "warning" if problem.level == "warning" else "info",
        message=problem.message,
        rationale="a rule of hadolint",
    )


def _check(root: Path, source: Source, analysis: Analysis) -> tuple[str, str, tuple[DockerfileProblem, ...]]:
    tree = ContextTree(root)
    own = "Dockerfile" if source.module == "." else f"{source.module}/Dockerfile"
    path = own if tree.exists(own) else analysis.dockerfile
    if path is None or not tree.exists(path):
        write = NextAction(why="Generate a Dockerfile that fits the repository.", tool=ToolName.WRITE_DOCKERFILE)
        raise DOCKERFILE_NOT_FOUND(f"there is no Dockerfile in {source.path}", next_actions=[write])
    original = tree.original(path)
    if original is None:
        raise DOCKERFILE_UNREADABLE(f"{path} is too large, or not UTF-8 text", path=path)
    dockerfile = parse_dockerfile(original.text, path)
    dockerfile.check()
    return path, original.text, check(_review_context(tree, dockerfile, original.text, source, analysis))


def _review_context(
    tree: ContextTree, dockerfile: ParsedDockerfile, text: str, source: Source, analysis: Analysis
) -> ReviewContext:
    context = "" if is_own(text) else _build_context(tree, dockerfile)
    inside = ContextTree(tree.root / context) if context else tree
    name = dockerfile.path.rpartition("/")[2]
    found = ((file, inside.text(file)) for file in ignore_file_names(name))
    ignored = next((parse_ignore_file(content, file) for file, content in found if content is not None), None)
    module = analysis.module(context or source.module)
    prefix = f"{context}/" if context else ""
    manifests = (m.removeprefix(prefix) for m in (module.manifests if module else ()) if m.startswith(prefix))
    return ReviewContext(
        dockerfile=dockerfile,
        module=module,
        tree=inside,
        manifests=tuple(manifest for manifest in manifests if inside.exists(manifest)),
        ignored=ignored,
    )


def _build_context(tree: ContextTree, dockerfile: ParsedDockerfile) -> str:
    """Return the Dockerfile's folder, or the root if more of the copied paths exist below the root."""
    folder = dockerfile.path.rpartition("/")[0]
    if not folder:
        return ""
    sources = [
        path.strip("/")
        for stage in dockerfile.stages
        for copy in stage.of("COPY", "ADD")
        for path in copy.context_sources
    ]
    in_folder = sum(tree.exists(f"{folder}/{path}") for path in sources)
    in_root = sum(tree.exists(path) for path in sources)
    return folder if in_folder >= in_root else ""


def checksum(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
