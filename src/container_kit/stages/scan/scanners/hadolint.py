"""hadolint: lints a Dockerfile, with the project's own configuration where there is one."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from container_kit.stages.artifacts.scan import ScanFinding, ScannerRun, Severity
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, unavailable
from container_kit.stages.scan.scanners.program import Finished, ProgramError, run

_NAME = "hadolint"
_CANNOT_PARSE = "DL1000"
_WITHIN = 30.0
# A lint is never as grave as a vulnerability of the same word: with it alone nothing is broken into.
_SEVERITIES: dict[str, Severity] = {"error": "medium", "warning": "low", "info": "low", "style": "low"}
_GET_IT = "hadolint is not installed (https://github.com/hadolint/hadolint)"


class _Lint(BaseModel):
    code: str
    line: int
    level: str
    message: str


_LINTS = TypeAdapter(list[_Lint])


async def lint(settings: ScannerSettings, content: str, name: str, folder: Path) -> ScannerResult:
    """Lint the text of a Dockerfile.

    Args:
        settings: Where hadolint is.
        content: The Dockerfile.
        name: Its path relative to the source's root, for `where`.
        folder: The source's root, where a `.hadolint.yaml` may be.
    """
    program = settings.program(_NAME)
    if program is None:
        return unavailable(_NAME, _GET_IT, scope="dockerfile")
    try:
        version = _version(await run([program, "--version"], within=_WITHIN, cwd=folder))
        argv = [program, "--format", "json", "--no-color", "--no-fail", "-"]
        answer = await run(argv, within=_WITHIN, cwd=folder, stdin=content.encode())
        return _result(answer, version, name)
    except ProgramError as trouble:
        return unavailable(_NAME, str(trouble), scope="dockerfile")


def _version(answer: Finished) -> str | None:
    words = answer.out.decode(errors="replace").split()
    return words[-1] if words else None


def _result(answer: Finished, version: str | None, name: str) -> ScannerResult:
    try:
        lints = _LINTS.validate_json(answer.out)
    except ValidationError:
        reason = f"hadolint gave no readable answer: {answer.complaint}"
        return unavailable(_NAME, reason, version, scope="dockerfile")
    # hadolint knows less of the syntax than the builder does, so a Dockerfile that it cannot parse proves nothing.
    for problem in lints:
        if problem.code == _CANNOT_PARSE:
            reason = f"hadolint cannot parse {name}:{problem.line}: {problem.message.splitlines()[0]}"
            return unavailable(_NAME, reason, version, scope="dockerfile")
    run_ = ScannerRun(scanner=_NAME, version=version, outcome="clean", scope="dockerfile")
    return completed(run_, tuple(_finding(problem, name) for problem in lints), unseen=None, stale=False)


def _finding(problem: _Lint, name: str) -> ScanFinding:
    where = f"{name}:{problem.line}"
    return ScanFinding(
        id=problem.code,
        kind="dockerfile",
        severity=_SEVERITIES.get(problem.level, "unknown"),
        title=problem.message,
        where=where,
        change=f"{where}: {problem.message}",
        found_by=(_NAME,),
    )
