"""Diagnosis of a container that does not serve: one fault from its state, its log and its open ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.ports import Listener, container_socket_tables, parse_listeners
from container_kit.stages.deploy.local.probe import ProbeResult
from container_kit.stages.deploy.local.spec import ContainerSpec

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
COMMAND_NOT_FOUND = FaultCode(
    "deploy.command_not_found",
    means="The image's start command is not in the image or may not be executed.",
    hint="Correct CMD or ENTRYPOINT: the program must be installed and executable in the final stage.",
)
WRONG_ARCHITECTURE = FaultCode(
    "deploy.wrong_architecture",
    means="The image is for another processor architecture.",
    hint="Build the image for this machine's architecture; it is for {platform}.",
)
READ_ONLY = FaultCode(
    "deploy.read_only_file_system",
    means="The application writes to a read-only file system.",
    hint="Mount a volume at the folder it writes to (volumes), write to /tmp, or deploy with read_only=false.",
)
PERMISSION = FaultCode(
    "deploy.permission_denied",
    means="The application's user has no permission to read, write or execute a file.",
    hint="Give user {user} access in the Dockerfile (COPY --chown, chmod), or deploy with another `user`.",
)
VARIABLE_NOT_FOUND = FaultCode(
    "deploy.variable_not_found",
    means="The application exited because a required environment variable is not set.",
    hint="Set {name} in env, or in env_file if it is a secret.",
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

FAULTS = (
    EXITED, OUT_OF_MEMORY, COMMAND_NOT_FOUND, WRONG_ARCHITECTURE, READ_ONLY, PERMISSION,
    VARIABLE_NOT_FOUND, WRONG_PORT, LOOPBACK_ONLY, UNHEALTHY, NOT_LISTENING,
)  # fmt: skip

_READ_ONLY = re.compile(r"read-only file system|EROFS", re.IGNORECASE)
_PERMISSION = re.compile(r"permission denied|EACCES|operation not permitted|EPERM", re.IGNORECASE)
_NO_COMMAND = re.compile(
    r"executable file not found|no such file or directory|command not found|not found in \$PATH", re.IGNORECASE
)
_WRONG_CPU = re.compile(r"exec format error", re.IGNORECASE)
_MEMORY = re.compile(r"OutOfMemoryError|heap out of memory|^MemoryError|Cannot allocate memory", re.MULTILINE)
_SIGKILLED = 137
_WRITTEN = re.compile(r"""['"]?(/[\w./-]+)['"]?""")


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
        return [*more, *([Evidence(kind="log", text=self.log[-4000:], where=where)] if self.log else [])]


async def take_snapshot(containers: Containers, container: str, spec: ContainerSpec) -> FailureSnapshot:
    """Read a container's state and log."""
    details = await containers.inspect(container) or {}
    log = spec.redact(await containers.log_tail(container))
    return FailureSnapshot(spec, details.get("Id") or container, details.get("State") or {}, log)


def start_failed(failure: StageFailure, spec: ContainerSpec) -> StageFailure:
    """Return the fault of a process that the engine could not start."""
    text = " ".join(evidence.text for evidence in failure.fault.evidence)
    evidence = [Evidence(kind="value", text=spec.redact(text)[-600:])]
    if _WRONG_CPU.search(text):
        return WRONG_ARCHITECTURE(
            f"{spec.image} cannot run on this processor", evidence=evidence, platform="another one"
        )
    if "permission denied" in text.lower():
        return PERMISSION(f"user {spec.user} may not start {spec.image}", evidence=evidence, user=spec.user)
    if _NO_COMMAND.search(text) and ("exec" in text or "stat" in text):
        message = f"the start command of {spec.image} cannot be found"
        return COMMAND_NOT_FOUND(
            message, evidence=evidence, next_actions=[redeploy_action("Correct CMD or ENTRYPOINT")]
        )
    return failure


def exited(snapshot: FailureSnapshot) -> StageFailure:
    """Return the fault of a container whose process exited."""
    spec, code = snapshot.spec, snapshot.state.get("ExitCode", -1)
    evidence = snapshot.evidence(Evidence(kind="exit_code", text=str(code), where=spec.image))
    # Only the kernel kills a candidate, and the engine does not always report that memory was the cause.
    if snapshot.state.get("OOMKilled") or code == _SIGKILLED or _MEMORY.search(snapshot.log):
        return _out_of_memory(spec, evidence)
    if _WRONG_CPU.search(snapshot.log):
        return WRONG_ARCHITECTURE(
            f"{spec.image} cannot run on this processor", evidence=evidence, platform="another one"
        )
    if code in (126, 127) and _NO_COMMAND.search(snapshot.log):
        message = f"{spec.app} exited with code {code}: command not found"
        return COMMAND_NOT_FOUND(
            message, evidence=evidence, next_actions=[redeploy_action("Correct CMD or ENTRYPOINT")]
        )
    if _READ_ONLY.search(snapshot.log):
        return _read_only(snapshot, evidence)
    if missing := next((name for name in spec.missing_variables if name in snapshot.log), None):
        return _variable_missing(spec, missing, evidence)
    if _PERMISSION.search(snapshot.log):
        return _permission(spec, evidence)
    message = f"{spec.app} exited immediately with code {code}"
    return EXITED(message, evidence=evidence, next_actions=[redeploy_action("Fix what its log shows")], code=code)


def redeploy_action(edit: str) -> NextAction:
    """Propose to build and deploy the repository again after an edit; dropped if no repository was given."""
    return NextAction(tool=ToolName.FULL_DEPLOYMENT, why=f"{edit}; then this builds and deploys it again")


def _out_of_memory(spec: ContainerSpec, evidence: list[Evidence]) -> StageFailure:
    limit, more = spec.options.memory_mb, spec.options.memory_mb * 2
    action = NextAction(why=f"Allow {more} MB", arguments={"memory_mb": more})
    message = f"{spec.app} was killed because it needs more than its {limit} MB of memory"
    return OUT_OF_MEMORY(message, evidence=evidence, next_actions=[action], more=more, limit=limit)


def _read_only(snapshot: FailureSnapshot, evidence: list[Evidence]) -> StageFailure:
    line = next(line for line in snapshot.log.splitlines() if _READ_ONLY.search(line))
    path = _WRITTEN.search(line)
    message = f"{snapshot.spec.app} wrote to a read-only file system" + (f": {path[1]}" if path else "")
    actions = [NextAction(why="Make the container's file system writable", arguments={"read_only": False})]
    return READ_ONLY(message, evidence=evidence, next_actions=actions)


def _variable_missing(spec: ContainerSpec, name: str, evidence: list[Evidence]) -> StageFailure:
    action = NextAction(why=f"Set {name} to its real value", arguments={"env": {name: "…"}})
    message = f"{spec.app} exited because {name} is not set"
    return VARIABLE_NOT_FOUND(message, evidence=evidence, next_actions=[action], name=name)


def _permission(spec: ContainerSpec, evidence: list[Evidence]) -> StageFailure:
    action = NextAction(why="Run as root, still without capabilities", arguments={"user": "0:0"})
    message = f"{spec.app} exited because user {spec.user} was denied a permission"
    return PERMISSION(message, evidence=evidence, next_actions=[action], user=spec.user)


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
    if _READ_ONLY.search(snapshot.log):
        return _read_only(snapshot, snapshot.evidence(Evidence(kind="http", text=last.detail)))
    slower = NextAction(why="Wait longer", arguments={"health_timeout": min(600.0, seconds * 4)})
    if ports == []:
        message = f"{spec.app} runs but listens on no port after {seconds:g} s"
        return NOT_LISTENING(message, evidence=snapshot.evidence(), next_actions=[slower], seconds=seconds)
    request = f"GET {spec.health_path}" if spec.options.probe == "http" else f"TCP {spec.container_port}"
    evidence = snapshot.evidence(
        Evidence(kind="http", text=f"{request}: {last.detail}", where=f"port {spec.container_port}")
    )
    actions = [redeploy_action(f"Fix the answer of {spec.health_path}")] if last.status is not None else [slower]
    if last.not_http:
        actions = [NextAction(why="It does not speak HTTP", arguments={"probe": "tcp"})]
    message = f"{spec.app} did not become healthy within {seconds:g} s; the last answer to {request} was {last.detail}"
    return UNHEALTHY(message, evidence=evidence, next_actions=actions, path=spec.health_path, seconds=seconds)
