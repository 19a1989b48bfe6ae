"""The checks that compare a Dockerfile with the analysis and the source tree, which a linter does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from container_kit.stages.artifacts.dockerfile import DockerfileProblem
from container_kit.stages.dockerfile.checks import copying, images, installing, running, secrets
from container_kit.stages.dockerfile.checks.reviewed import ReviewContext

__all__ = ["ReviewContext", "check"]

_CHECKS: tuple[Callable[[ReviewContext], Iterator[DockerfileProblem]], ...] = (
    *images.CHECKS,
    *secrets.CHECKS,
    *copying.CHECKS,
    *installing.CHECKS,
    *running.CHECKS,
)


def check(file: ReviewContext) -> tuple[DockerfileProblem, ...]:
    """Run every check, and return the problems in the order of lines, each with a unique id."""
    problems = sorted((problem for run in _CHECKS for problem in run(file)), key=lambda p: (p.line, p.rule))
    counts: dict[str, int] = {}
    unique = []
    for problem in problems:
        counts[problem.id] = number = counts.get(problem.id, 0) + 1
        unique.append(problem if number == 1 else problem.model_copy(update={"id": f"{problem.id}.{number}"}))
    return tuple(unique)
