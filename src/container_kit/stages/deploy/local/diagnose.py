"""Diagnosis of a container that does not serve: one fault from its state, its log and its open ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.deploy import failures
from container_kit.stages.deploy.failures.code import EXCEPTION
from container_kit.stages.deploy.failures.crash import Crash, fold
from container_kit.stages.deploy.failures.explain import explain_crash, explain_hang
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.ports import Listener, container_socket_tables, parse_listeners
from container_kit.stages.deploy.local.probe import ProbeResult
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker.engine import ENGINE_ERROR

EXITED = FaultCode(
    "deploy.exited",
    means="The container's process exited instead of serving.",
    hint="The end of its log shows why it exited with code {code}. Fix that and build again.",
)
OUT_OF_MEMORY = FaultCode(
    "deploy.out_of_memory",
    means="The kernel killed the container for using more memory than its limit.",
    hint="Deploy with memory_mb={more}, or make the application use less than {limit} MB.",
)
WRONG_PORT = FaultCode(
    "deploy.wrong_port",
    means="The application listens on another port than the published one.",
    hint="Deploy with container_port={actual}, or make the application listen on {published}.",
)
LOOPBACK_ONLY = FaultCode(
    "deploy.loopback_only",
    means="The application listens on 127.0.0.1 inside its container, which nothing outside can reach.",
    hint="Bind the application to 0.0.0.0, for example with `--host 0.0.0.0` in its start command.",
)
UNHEALTHY = FaultCode(
    "deploy.unhealthy",
    means="The container runs, but its health probe never succeeded.",
    hint="Fix the answer of {path}, give another health_path, or a health_timeout above {seconds:g} s.",
)
NOT_LISTENING = FaultCode(
    "deploy.not_listening",
    means="The container runs, but listens on no port.",
    hint="See its log for what it waits for; give a slow start a health_timeout above {seconds:g} s.",
)

NOT_ALLOWED = FaultCode(
    "deploy.host_not_allowed",
    means="The application answers only requests for certain host names.",
    hint="Allow 127.0.0.1 and localhost in the list of hosts (Django: ALLOWED_HOSTS, Rails: config.hosts).",
)
HEALTH_DENIED = FaultCode(
    "deploy.health_unauthorized",
    means="The health path requires a login.",
    hint="Give the path of a page that needs no login in health_path instead of {path}.",
)
SERVER_ERROR = FaultCode(
    "deploy.server_error",
    means="The application answers its health path with a server error.",
    hint="Fix the exception in the log, which {path} raises.",
)

FAULTS = (
    EXITED, OUT_OF_MEMORY, WRONG_PORT, LOOPBACK_ONLY, UNHEALTHY, NOT_LISTENING, NOT_ALLOWED, HEALTH_DENIED,
    SERVER_ERROR, *(code for code in failures.FAULTS if code.code != "deploy.out_of_memory"),
)  # fmt: skip

_HOST = re.compile(r"Invalid HTTP_HOST header|DisallowedHost|Blocked hosts?:|Invalid [Hh]ost header")
_SIGKILLED = 137


@dataclass(frozen=True, slots=True)
class FailureSnapshot:
    """The state and the log of a container that failed."""

    spec: ContainerSpec
    id: str
    """The container's id."""
    state: dict[str, Any]
    log: str
    """With secrets redacted."""

    def evidence(self, *more: Evidence) -> list[Evidence]:
        """Return the end of the log, after more specific evidence."""
        where = f"the last lines of {self.spec.app}"
        return [*more, *([Evidence(kind="log", text=fold(self.log)[-4000:], where=where)] if self.log else [])]


async def take_snapshot(containers: Containers, container: str, spec: ContainerSpec) -> FailureSnapshot:
    """Read a container's state and log."""
    details = await containers.inspect(container) or {}
    log = spec.redact(await containers.log_tail(container))
    return FailureSnapshot(spec, details.get("Id") or container, details.get("State") or {}, log)


def start_failed(failure: StageFailure, spec: ContainerSpec) -> StageFailure:
    """Return the fault of a process that the engine could not start; a fault of the engine itself stays."""
    if failure.fault.code != ENGINE_ERROR.code:
        return failure
    text = spec.redact(" ".join(evidence.text for evidence in failure.fault.evidence))
    return explain_crash(_crash(spec, text, None)) or failure


def exited(snapshot: FailureSnapshot) -> StageFailure:
    """Return the fault of a container whose process exited."""
    spec, code = snapshot.spec, snapshot.state.get("ExitCode", -1)
    evidence = snapshot.evidence(Evidence(kind="exit_code", text=str(code), where=spec.image))
    # Only the kernel kills a candidate, and the engine does not always report that memory was the cause.
    if snapshot.state.get("OOMKilled") or code == _SIGKILLED:
        return _out_of_memory(spec, evidence)
    explained = explain_crash(_crash(spec, snapshot.log, code))
    if explained is not None and explained.fault.code == OUT_OF_MEMORY.code:
        return _out_of_memory(spec, evidence)
    if explained is not None:
        return _with_evidence(explained, evidence)
    message = f"{spec.app} exited immediately with code {code}"
    return EXITED(message, evidence=evidence, next_actions=[redeploy_action("Fix what its log shows")], code=code)


def _crash(spec: ContainerSpec, log: str, code: int | None) -> Crash:
    return Crash(
        app=spec.app,
        image=spec.image,
        log=fold(log),
        exit_code=code,
        user=spec.user,
        root=spec.root,
        environment=frozenset(spec.env),
        missing=spec.missing_variables,
        services=spec.known_services,
    )


def _with_evidence(failure: StageFailure, more: Sequence[Evidence]) -> StageFailure:
    fault = failure.fault
    return StageFailure(fault.model_copy(update={"evidence": (*fault.evidence, *more)}))


def redeploy_action(edit: str) -> NextAction:
    """Propose to build and deploy the repository again after an edit; dropped if no repository was given."""
    return NextAction(tool=ToolName.FULL_DEPLOYMENT, why=f"{edit}; then this builds and deploys it again")


def _out_of_memory(spec: ContainerSpec, evidence: list[Evidence]) -> StageFailure:
    limit, more = spec.options.memory_mb, spec.options.memory_mb * 2
    action = NextAction(why=f"Allow {more} MB", arguments={"memory_mb": more})
    message = f"{spec.app} was killed because it needs more than its {limit} MB of memory"
    return OUT_OF_MEMORY(message, evidence=evidence, next_actions=[action], more=more, limit=limit)


async def open_ports(containers: Containers, snapshot: FailureSnapshot) -> list[Listener] | None:
    """Return the ports that the container listens on, without the engine's DNS; None if they cannot be read."""
    tables = container_socket_tables(snapshot.id, snapshot.state.get("Pid") or 0)
    tables = tables or [await containers.exec_output(snapshot.id, "cat", "/proc/net/tcp", "/proc/net/tcp6")]
    if not any("local_address" in table for table in tables):  # the heading of the table
        return None
    return [found for found in parse_listeners(tables) if not (found.loopback and found.port > 32767)]


def wrong_port(snapshot: FailureSnapshot, ports: list[Listener] | None) -> StageFailure | None:
    """Return the fault of an application that listens on another port than the published one; None if it does not."""
    spec, published = snapshot.spec, snapshot.spec.container_port
    if not ports or published is None:
        return None
    right = [found for found in ports if found.port == published]
    if any(not found.loopback for found in right):
        return None
    listing = ", ".join(sorted({f"{'127.0.0.1:' if found.loopback else ''}{found.port}" for found in ports}))
    evidence = snapshot.evidence(
        Evidence(kind="value", text=f"listens on {listing}", where="/proc/net/tcp of the container")
    )
    others = sorted({found.port for found in ports if not found.loopback})
    if right or not others:
        message = f"{spec.app} listens only on {listing}, which nothing outside its container can reach"
        return LOOPBACK_ONLY(message, evidence=evidence, next_actions=[redeploy_action("Bind it to 0.0.0.0")])
    actions = [NextAction(why=f"It listens on {port}", arguments={"container_port": port}) for port in others]
    message = f"{spec.app} listens on {listing}, not on {published}"
    return WRONG_PORT(message, evidence=evidence, next_actions=actions, actual=others[0], published=published)


def unhealthy(snapshot: FailureSnapshot, ports: list[Listener] | None, last: ProbeResult) -> StageFailure:
    """Return the fault of a container that runs but does not become healthy."""
    spec, seconds = snapshot.spec, snapshot.spec.options.health_timeout
    explained = explain_hang(_crash(spec, snapshot.log, None)) if last.status is None or last.status >= 500 else None
    if explained is not None:
        return _with_evidence(explained, snapshot.evidence(Evidence(kind="http", text=last.detail)))
    slower = NextAction(why="Wait longer", arguments={"health_timeout": min(600.0, seconds * 4)})
    if ports == []:
        message = f"{spec.app} runs but listens on no port after {seconds:g} s"
        return NOT_LISTENING(message, evidence=snapshot.evidence(), next_actions=[slower], seconds=seconds)
    request = f"GET {spec.health_path}" if spec.options.probe == "http" else f"TCP {spec.container_port}"
    evidence = snapshot.evidence(
        Evidence(kind="http", text=f"{request}: {last.detail}", where=f"port {spec.container_port}")
    )
    if answered := _answered(snapshot, last, evidence):
        return answered
    actions = [redeploy_action(f"Fix the answer of {spec.health_path}")] if last.status is not None else [slower]
    if last.not_http:
        actions = [NextAction(why="It does not speak HTTP", arguments={"probe": "tcp"})]
    message = f"{spec.app} did not become healthy within {seconds:g} s; the last answer to {request} was {last.detail}"
    return UNHEALTHY(message, evidence=evidence, next_actions=actions, path=spec.health_path, seconds=seconds)


def _answered(snapshot: FailureSnapshot, last: ProbeResult, evidence: list[Evidence]) -> StageFailure | None:
    """Return the fault of an application that answers, but not as a healthy one; None for other answers."""
    spec, path = snapshot.spec, snapshot.spec.health_path
    if last.status == 400 and _HOST.search(snapshot.log):
        message = f"{spec.app} rejects the host name of the health check"
        edit = redeploy_action("Allow 127.0.0.1 and localhost in the list of hosts")
        return NOT_ALLOWED(message, evidence=evidence, next_actions=[edit])
    if last.status in (401, 403):
        message = f"{spec.app} requires a login for {path} ({last.status})"
        action = NextAction(why="Check only that the port answers", arguments={"probe": "tcp"})
        return HEALTH_DENIED(message, evidence=evidence, next_actions=[action], path=path)
    exception = EXCEPTION.explain(_crash(spec, snapshot.log, None)) if last.status and last.status >= 500 else None
    if exception is not None:
        shown = exception.fault.message.removeprefix(f"{spec.app}: ")
        message = f"{spec.app} answers {path} with {last.status}: {shown}"
        evidence = [*exception.fault.evidence, *evidence]
        return SERVER_ERROR(message, evidence=evidence, next_actions=exception.fault.next_actions, path=path)
    return None
