"""From a failed build to its fault."""

from __future__ import annotations

import re

from container_kit.stages.build.buildkit.progress import BuildLog, BuildStep
from container_kit.stages.build.buildx import BUILDX_UNSUPPORTED
from container_kit.stages.build.dockerfile import Instruction, ParsedDockerfile
from container_kit.stages.build.failures import base, copying, network, packages, process
from container_kit.stages.build.failures.pattern import Failure, FailurePattern, edit_and_retry
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.docker.engine import ENGINE_DISK_FULL

STEP_FAILED = FaultCode(
    "build.step_failed",
    means="A RUN instruction ended with an exit code other than 0, for a reason that has no code of its own.",
    hint="Read the end of the log in the evidence, and correct {where}.",
)
BUILD_FAILED = FaultCode(
    "build.failed",
    means="The builder gave up for a reason that has no code of its own.",
    hint="Read the builder's own words in the evidence, and correct {where}.",
)

_OUTPUT_SIGNS: tuple[FailurePattern, ...] = (*network.SIGNS, *packages.SIGNS, *process.SIGNS)

FAULTS: tuple[FaultCode, ...] = (
    STEP_FAILED,
    BUILD_FAILED,
    *base.FAULTS,
    *copying.FAULTS,
    *(sign.code for sign in _OUTPUT_SIGNS),
)

_EXIT_CODE = re.compile(r"(?:exit code|returned a non-zero code|exit status):? (\d+)")
_COUNTED = {"FROM", "RUN", "COPY", "ADD", "WORKDIR"}
_PULLED = re.compile(r"/v2/(?:library/)?([^\s\"]+?)/(?:manifests|blobs)/")
_NOT_BY_THIS_BUILDER = re.compile(r"is not supported for the \S+ driver|no builder \S+ found")
_POSITION = re.compile(r"\[(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<of>\d+)\] ")


def explain(log: BuildLog, inputs: Inputs) -> StageFailure:
    """Make the fault of a build that ended with an error."""
    step = log.failed or _last_step(log)
    error = log.error or (step.error if step else "") or "the builder gave no reason"
    exit_code = _EXIT_CODE.search(error)
    instruction = _instruction(step, inputs.parsed) if step is not None else None
    failure = Failure(
        error=error,
        output="\n".join(step.tail) if step is not None else "",
        inputs=inputs,
        instruction=instruction or _quoted_line(error, inputs.parsed),
        exit_code=int(exit_code[1]) if exit_code else None,
        shown=(step.instruction or "") if step is not None else "",
    )
    return _classified(failure)


def _classified(failure: Failure) -> StageFailure:
    if failure.exit_code is None:
        return _of_builder(failure)
    for sign in _OUTPUT_SIGNS:
        if found := sign.explain(failure, f"{failure.output}\n{failure.error}"):
            return found
    says = f"{failure.where}: the command ended with exit code {failure.exit_code}"
    repair = STEP_FAILED.hint.format(where=failure.where)
    return STEP_FAILED(says, evidence=failure.evidence(), next_actions=[edit_and_retry(repair)], where=failure.where)


def _of_builder(failure: Failure) -> StageFailure:
    """Explain what no command in the build said, but the builder itself."""
    if "no space left on device" in failure.error.lower():
        return ENGINE_DISK_FULL("the engine's disk is full", evidence=failure.evidence())
    for explanation in (base.explain_secret, base.explain_stage, base.explain_frontend, copying.explain):
        if found := explanation(failure):
            return found
    if re.search(
        r"is not supported for the (?P<driver>\S+) driver|failed to find driver|no builder \S+ found", failure.error
    ):
        return BUILDX_UNSUPPORTED(failure.error.splitlines()[0][:300], evidence=failure.evidence())
    located = failure.at(instruction) if (instruction := _base_of(failure)) else failure
    for sign in base.SIGNS:
        if found := sign.explain(located, failure.error):
            return found
    return BUILD_FAILED(f"{failure.where}: {_short(failure.error)}", evidence=failure.evidence(), where=failure.where)


def _base_of(failure: Failure) -> Instruction | None:
    """Find the FROM (or `--from`) whose image the builder's words are about, where they name no line."""
    if failure.instruction is not None:
        return None
    pulled = _PULLED.search(failure.error)
    if pulled is not None:
        froms = [one for one in failure.inputs.parsed.instructions if one.word == "FROM" or "--from=" in one.rest]
        return next((one for one in froms if pulled[1] in one.rest), None)
    words = [word for word in re.split(r"[\s\"()]+", failure.error.replace(": ", " ")) if len(word) > 2]
    bases = [one for one in failure.inputs.parsed.instructions if one.word in {"FROM", "ADD"}]
    return next((one for one in bases for word in words if word.removeprefix("docker.io/library/") in one.rest), None)


def _last_step(log: BuildLog) -> BuildStep | None:
    """The classic builder names no step: the last that began is the one that failed."""
    return next(reversed(log.instructions), None) if log.classic else None


def _instruction(step: BuildStep, parsed: ParsedDockerfile) -> Instruction | None:
    """Find the line of a step: by its place in its stage, else by its text."""
    if step.instruction is None:
        return None
    place = _POSITION.match(step.name)
    if place is not None:
        for number, stage in enumerate(parsed.stages):
            if place["stage"] in {stage.name, f"stage-{number}"} or (
                place["stage"] is None and len(parsed.stages) == 1
            ):
                counted = [one for one in stage.instructions if one.word in _COUNTED]
                if counted and any(counted[0].arguments.split()[0] == s.name for s in parsed.stages[:number]):
                    counted = counted[1:]  # a stage that continues another one has no FROM step
                if len(counted) == int(place["of"]):
                    return counted[int(place["number"]) - 1]
    shown = _plain(step.instruction)
    return next((one for one in parsed.instructions if _plain(one.text) == shown), None)


def _quoted_line(error: str, parsed: ParsedDockerfile) -> Instruction | None:
    """Find the line that the builder names in its words."""
    found = re.search(r"(?:[Dd]ockerfile|parse error)[^\n]*?(?:line |:)(\d+)", error)
    if found is None:
        return None
    return next((one for one in parsed.instructions if one.line <= int(found[1]) <= one.last_line), None)


def _plain(text: str) -> str:
    return "".join(text.split()).replace("\\", "").lower()


def _short(error: str) -> str:
    return error.strip().splitlines()[-1].split(": ", 1)[-1][:300] if error.strip() else error
