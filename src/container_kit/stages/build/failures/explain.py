"""Explanation of a failed build: from the builder's log to a fault."""

from __future__ import annotations

from container_kit.stages.build.buildkit.progress import BuildLog, BuildStep
from container_kit.stages.build.buildx import BUILDX_UNSUPPORTED
from container_kit.stages.build.failures import (
    base,
    codes,
    copying,
    ecosystems,
    javascript,
    network,
    packages,
    process,
    python,
)
from container_kit.stages.build.failures.pattern import Failure, FailurePattern, edit_and_retry
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.docker.engine import ENGINE_DISK_FULL
from container_kit.stages.formats.dockerfile import BuildStage, Instruction, ParsedDockerfile

STEP_FAILED = FaultCode(
    "build.step_failed",
    means="A RUN instruction exited with a code other than 0, for a reason without a separate code.",
    hint="Read the end of the log in the evidence, and correct {where}.",
)
BUILD_FAILED = FaultCode(
    "build.failed",
    means="The build failed for a reason without a separate code.",
    hint="Read the builder's message in the evidence, and correct {where}.",
)

_OUTPUT_PATTERNS: tuple[FailurePattern, ...] = (
    *network.PATTERNS,
    javascript.DEVELOPMENT_DEPENDENCY,
    *python.EARLY,
    *packages.PATTERNS,
    *javascript.PATTERNS,
    *python.PATTERNS,
    *ecosystems.PATTERNS,
    *network.GENERAL,
    *process.PATTERNS,
    *javascript.LATE,
    *python.LATE,
    *process.LATE,
)

FAULTS: tuple[FaultCode, ...] = (
    STEP_FAILED,
    BUILD_FAILED,
    *base.FAULTS,
    *copying.FAULTS,
    *codes.CODES,
    *(pattern.code for pattern in _OUTPUT_PATTERNS if pattern.code not in codes.CODES),
)

_EXIT_CODE = re.compile(r"(?:exit code|returned a non-zero code|exit status):? (\d+)")
_NUMBERED = ("RUN", "COPY", "ADD", "WORKDIR")
_PULLED = re.compile(r"/v2/(?:library/)?([^\s\"]+?)/(?:manifests|blobs)/")
_UNSUPPORTED = re.compile(r"is not supported for the \S+ driver|failed to find driver|no builder \S+ found")
_POSITION = re.compile(r"\[(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<of>\d+)\] ")


def explain(log: BuildLog, inputs: Inputs) -> StageFailure:
    """Create the fault of a build that ended with an error."""
    step = log.failed or _last_step(log)
    error = log.error or (step.error if step else "") or "the builder gave no reason"
    exit_code = _EXIT_CODE.search(error)
    instruction = _find_instruction(step, inputs.parsed) if step is not None else None
    failure = Failure(
        error=error,
        output="\n".join(step.tail) if step is not None else "",
        inputs=inputs,
        instruction=instruction or _quoted_line(error, inputs.parsed),
        exit_code=int(exit_code[1]) if exit_code else None,
        shown=(step.instruction or "") if step is not None else "",
    )
    return _explain_builder(failure) if failure.exit_code is None else _explain_command(failure)


def _explain_command(failure: Failure) -> StageFailure:
    """Explain a command of the build that failed."""
    for pattern in _OUTPUT_PATTERNS:
        if fault := pattern.explain(failure, f"{failure.output}\n{failure.error}"):
            return fault
    message = f"{failure.where}: the command exited with code {failure.exit_code}"
    repair = STEP_FAILED.hint.format(where=failure.where)
    return STEP_FAILED(message, evidence=failure.evidence(), next_actions=[edit_and_retry(repair)], where=failure.where)


def _explain_builder(failure: Failure) -> StageFailure:
    """Explain an error of the builder itself."""
    if "no space left on device" in failure.error.lower():
        return ENGINE_DISK_FULL("the engine's disk is full", evidence=failure.evidence())
    for explanation in (base.explain_secret, base.explain_stage, base.explain_frontend, copying.explain):
        if fault := explanation(failure):
            return fault
    if _UNSUPPORTED.search(failure.error):
        return BUILDX_UNSUPPORTED(failure.error.splitlines()[0][:300], evidence=failure.evidence())
    located = failure.at(instruction) if (instruction := _find_base(failure)) else failure
    for pattern in base.PATTERNS:
        if fault := pattern.explain(located, failure.error):
            return fault
    return BUILD_FAILED(f"{failure.where}: {_short(failure.error)}", evidence=failure.evidence(), where=failure.where)


def _find_base(failure: Failure) -> Instruction | None:
    """Find the FROM, ADD or `--from` whose image the builder's message names, if it names no line."""
    if failure.instruction is not None:
        return None
    pulled = _PULLED.search(failure.error)
    if pulled is not None:
        return next((one for one in _pulling(failure.inputs.parsed) if pulled[1] in one.source), None)
    words = [word for word in re.split(r"[\s\"()]+", failure.error.replace(": ", " ")) if len(word) > 2]
    names = [word.removeprefix("docker.io/library/") for word in words]
    bases = [one for one in failure.inputs.parsed.instructions if one.keyword in {"FROM", "ADD"}]
    return next((one for one in bases if any(name in one.source for name in names)), None)


def _pulling(parsed: ParsedDockerfile) -> list[Instruction]:
    """List the instructions that may pull an image."""
    return [one for one in parsed.instructions if one.keyword == "FROM" or one.flag("from") is not None]


def _last_step(log: BuildLog) -> BuildStep | None:
    """Return the last step of the classic builder, which does not name the failed one."""
    return next(reversed(log.instructions), None) if log.classic else None


def _find_instruction(step: BuildStep, parsed: ParsedDockerfile) -> Instruction | None:
    """Find the instruction of a step by its number in its stage, else by its text."""
    if step.instruction is None:
        return None
    if position := _POSITION.match(step.name):
        for stage in parsed.stages:
            numbered = _numbered(stage)
            if _is_named(stage, position["stage"], parsed) and len(numbered) == int(position["of"]):
                return numbered[int(position["number"]) - 1]
    shown = _without_spaces(step.instruction)
    return next((one for one in parsed.instructions if _without_spaces(one.source) == shown), None)


def _numbered(stage: BuildStage) -> list[Instruction]:
    """List the instructions that BuildKit numbers. FROM is one of them unless it continues another stage."""
    return [*([stage.start] if stage.parent is None else []), *stage.of(*_NUMBERED)]


def _is_named(stage: BuildStage, name: str | None, parsed: ParsedDockerfile) -> bool:
    if name is None:
        return len(parsed.stages) == 1
    return name.lower() in {stage.name, f"stage-{stage.number}"}


def _quoted_line(error: str, parsed: ParsedDockerfile) -> Instruction | None:
    """Find the instruction on the line that the builder's message names."""
    line = re.search(r"(?:[Dd]ockerfile|parse error)[^\n]*?(?:line |:)(\d+)", error)
    return parsed.at(int(line[1])) if line else None


def _without_spaces(text: str) -> str:
    return "".join(text.split()).replace("\\", "").lower()


def _short(error: str) -> str:
    return error.strip().splitlines()[-1].split(": ", 1)[-1][:300] if error.strip() else error
