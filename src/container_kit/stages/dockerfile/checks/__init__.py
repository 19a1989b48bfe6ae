"""Own checks of a Dockerfile: against the analysis and the tree, which a linter does not know. One file a subject."""

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
    """Run every check; the result is in the order of lines, and each problem has an id of its own."""
    found = sorted((problem for look in _CHECKS for problem in look(file)), key=lambda p: (p.line, p.rule))
    seen: dict[str, int] = {}
    told = []
    for problem in found:
        seen[problem.id] = number = seen.get(problem.id, 0) + 1
        told.append(problem if number == 1 else problem.model_copy(update={"id": f"{problem.id}.{number}"}))
    return tuple(told)
