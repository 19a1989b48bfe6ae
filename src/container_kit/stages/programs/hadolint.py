"""The adapter to hadolint, the linter of Dockerfiles. The project's `.hadolint.yaml` counts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from container_kit.stages.programs.run import ProgramError, ProgramResult, run

NAME = "hadolint"
_CANNOT_PARSE = "DL1000"
_TIMEOUT = 30.0
INSTALL = "hadolint is not installed (https://github.com/hadolint/hadolint)"


class LintProblem(BaseModel):
    """One problem that hadolint reports."""

    code: str
    """The rule, for example `DL3008`."""
    line: int
    level: str
    """`error`, `warning`, `info` or `style`."""
    message: str


_PROBLEMS = TypeAdapter(list[LintProblem])


@dataclass(frozen=True, slots=True)
class LintResult:
    """The result of a lint. With a reason in `unavailable`, nothing is known about the Dockerfile."""

    version: str | None = None
    problems: tuple[LintProblem, ...] = ()
    unavailable: str = ""


async def lint(content: str, folder: Path, name: str = "Dockerfile", program: str | None = None) -> LintResult:
    """Lint the text of a Dockerfile.

    Args:
        content: The text.
        folder: The root of the source tree, with the `.hadolint.yaml`.
        name: The path of the Dockerfile, for messages.
        program: The path of hadolint; None searches PATH.
    """
    program = program or shutil.which(NAME)
    if program is None:
        return LintResult(unavailable=INSTALL)
    try:
        version = _version(await run([program, "--version"], timeout=_TIMEOUT, cwd=folder))
        argv = [program, "--format", "json", "--no-color", "--no-fail", "-"]
        result = await run(argv, timeout=_TIMEOUT, cwd=folder, stdin=content.encode())
    except ProgramError as error:
        return LintResult(unavailable=str(error))
    return _parse(result, version, name)


def _version(result: ProgramResult) -> str | None:
    words = result.out.decode(errors="replace").split()
    return words[-1] if words else None


def _parse(result: ProgramResult, version: str | None, name: str) -> LintResult:
    try:
        problems = _PROBLEMS.validate_json(result.out)
    except ValidationError:
        return LintResult(version, unavailable=f"the output of hadolint is not valid: {result.last_error}")
    # hadolint supports less syntax than the builder, so a Dockerfile that it cannot parse may be valid.
    for problem in problems:
        if problem.code == _CANNOT_PARSE:
            reason = f"hadolint cannot parse {name}:{problem.line}: {problem.message.splitlines()[0]}"
            return LintResult(version, unavailable=reason)
    return LintResult(version, tuple(problems))
