"""Explanation of a container that ended: from its exit code and its log to one fault."""

from __future__ import annotations

from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.failures import code, resources, services, start, variables
from container_kit.stages.deploy.failures.cause import Cause, rebuild
from container_kit.stages.deploy.failures.crash import Crash

SEGMENTATION_FAULT = FaultCode(
    "deploy.segmentation_fault",
    means="A program or native module crashed with signal 11 (exit code 139).",
    hint="Install the dependencies in the image for its own platform; a native module crashed.",
)
ABORTED = FaultCode(
    "deploy.aborted",
    means="The program ended itself with signal 6 (exit code 134), after a failed check or without memory.",
    hint="Read the assertion before the abort in the log; a JavaScript heap needs more memory_mb.",
)
TERMINATED = FaultCode(
    "deploy.terminated",
    means="Something ended the container with SIGTERM or SIGINT (exit code 143 or 130).",
    hint="Find what stopped the container: another deployment, a person, or a supervisor inside of it.",
    retryable=True,
)
ENDED = FaultCode(
    "deploy.ended",
    means="The process ended with exit code 0: it is a job, or it continues in the background.",
    hint="Start the server in the foreground (`nginx -g 'daemon off;'`, no `&`); a job is not deployed as a service.",
)

_SIGNALS = {
    139: (SEGMENTATION_FAULT, "crashed with signal 11"),
    134: (ABORTED, "aborted itself with signal 6"),
    143: (TERMINATED, "was ended by SIGTERM"),
    130: (TERMINATED, "was ended by SIGINT"),
}
_FIRST: tuple[Cause, ...] = start.CAUSES
_BEFORE_VARIABLES: tuple[Cause, ...] = tuple(
    one for one in resources.CAUSES if one.code.code != "deploy.permission_denied"
)
_DENIED: tuple[Cause, ...] = tuple(one for one in resources.CAUSES if one.code.code == "deploy.permission_denied")
_CAUSES: tuple[Cause, ...] = (*code.CAUSES, *services.CAUSES)

FAULTS: tuple[FaultCode, ...] = (
    SEGMENTATION_FAULT,
    ABORTED,
    TERMINATED,
    ENDED,
    variables.VARIABLE_NOT_FOUND,
    variables.VARIABLE_INVALID,
    code.EXCEPTION.code,
    *dict.fromkeys(one.code for one in (*_FIRST, *resources.CAUSES, *_CAUSES)),
)


def explain_crash(crash: Crash) -> StageFailure | None:
    """Create the fault of a container that ended; None if neither its log nor its exit code shows the cause."""
    return (
        _first(_FIRST, crash)
        or _first(_BEFORE_VARIABLES, crash)
        or _first(services.CAUSES[:5], crash)
        or _first(code.CAUSES[:3], crash)
        or variables.explain_variables(crash)
        or _first(_CAUSES, crash)
        or _first(_DENIED, crash)
        or variables.explain_invalid(crash)
        or _by_signal(crash)
        or code.EXCEPTION.explain(crash)
        or _ended(crash)
    )


def explain_hang(crash: Crash) -> StageFailure | None:
    """Create the fault of a container that runs and does not answer, from its log; None if the log shows no cause."""
    return _first((*resources.CAUSES, *services.CAUSES), crash)


def _first(causes: tuple[Cause, ...], crash: Crash) -> StageFailure | None:
    return next(filter(None, (one.explain(crash) for one in causes)), None)


def _by_signal(crash: Crash) -> StageFailure | None:
    if crash.exit_code not in _SIGNALS:
        return None
    fault, what = _SIGNALS[crash.exit_code]
    evidence = [Evidence(kind="exit_code", text=str(crash.exit_code), where=crash.image)]
    return fault(f"{crash.app} {what}", evidence=evidence, next_actions=[rebuild(fault.hint)])


def _ended(crash: Crash) -> StageFailure | None:
    if crash.exit_code != 0:
        return None
    evidence = [Evidence(kind="exit_code", text="0", where=crash.image)]
    message = f"{crash.app} ended with exit code 0 instead of serving"
    return ENDED(message, evidence=evidence, next_actions=[rebuild(ENDED.hint)])
