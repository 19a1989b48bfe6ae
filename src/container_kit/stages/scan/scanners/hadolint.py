"""hadolint as a scanner: its problems as findings."""

from __future__ import annotations

from pathlib import Path

from container_kit.stages.artifacts.scan import ScanFinding, ScannerRun, Severity
from container_kit.stages.programs import hadolint
from container_kit.stages.programs.hadolint import NAME, LintProblem
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, unavailable

# A lint problem is not exploitable, so it is less severe than a vulnerability of the same level.
_SEVERITIES: dict[str, Severity] = {"error": "medium", "warning": "low", "info": "low", "style": "low"}


async def lint(settings: ScannerSettings, content: str, name: str, folder: Path) -> ScannerResult:
    """Lint the text of a Dockerfile.

    Args:
        settings: The search path of hadolint.
        content: The text.
        name: The path of the Dockerfile relative to the source root.
        folder: The source root.
    """
    program = settings.program(NAME)
    if program is None:
        return unavailable(NAME, hadolint.INSTALL, scope="dockerfile")
    result = await hadolint.lint(content, folder, name, program)
    if result.unavailable:
        return unavailable(NAME, result.unavailable, result.version, scope="dockerfile")
    run = ScannerRun(scanner=NAME, version=result.version, outcome="clean", scope="dockerfile")
    findings = tuple(_finding(problem, name) for problem in result.problems)
    return completed(run, findings, unseen=None, stale=False)


def _finding(problem: LintProblem, name: str) -> ScanFinding:
    where = f"{name}:{problem.line}"
    return ScanFinding(
        id=problem.code,
        kind="dockerfile",
        severity=_SEVERITIES.get(problem.level, "unknown"),
        title=problem.message,
        where=where,
        change=f"{where}: {problem.message}",
        found_by=(NAME,),
    )
