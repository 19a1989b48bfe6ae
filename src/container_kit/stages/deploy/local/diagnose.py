"""Why a container does not serve: its state, its log and its open ports made into one fault with a repair."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.ports import Listener, listeners, tables_of
from container_kit.stages.deploy.local.probe import ProbeResult
from container_kit.stages.deploy.local.spec import ContainerSpec

EXITED = FaultCode(
    "deploy.exited",
    means="The container's process ended instead of serving.",
    hint="The last lines of its log say why it ended with exit code {code}; repair that and build again.",
)
OUT_OF_MEMORY = FaultCode(
    "deploy.out_of_memory",
    means="The kernel killed the container for using more memory than its limit.",
    hint="Deploy with memory_mb={more}, or make the application use less than {limit} MB.",
)
COMMAND_NOT_FOUND = FaultCode(
    "deploy.command_not_found",
    means="The image's start command is not in the image or may not be executed.",
    hint="Correct CMD or ENTRYPOINT: the program it names must be installed and executable in the final stage.",
)
WRONG_ARCHITECTURE = FaultCode(
    "deploy.wrong_architecture",
    means="The image is for another processor.",
    hint="Build the image on or for this machine's processor; it is made for {platform}.",
)
READ_ONLY = FaultCode(
    "deploy.read_only_file_system",
    means="The application writes where its file system is read-only.",
    hint="Mount a volume at the folder it writes to (volumes), write to /tmp, or deploy with read_only=false.",
)
PERMISSION = FaultCode(
    "deploy.permission_denied",
    means="The application's user may not read, write or execute something that it needs.",
    hint="In the Dockerfile give user {user} the files (COPY --chown, chmod), or deploy with another `user`.",
)
VARIABLE_MISSING = FaultCode(
    "deploy.variable_missing",
    means="The application ended for want of an environment variable.",
    hint="Set {name} through env, or through env_file if it is a secret.",
)
WRONG_PORT = FaultCode(
    "deploy.wrong_port",
    means="The application listens, but on another port than the one that is published.",
    hint="Deploy with container_port={actual}, or make the application listen on {wanted}.",
)
LOOPBACK_ONLY = FaultCode(
    "deploy.loopback_only",
    means="The application listens on 127.0.0.1 inside its container, where nothing else can reach it.",
    hint="Make the application bind 0.0.0.0, for example by `--host 0.0.0.0` in its start command.",
)
UNHEALTHY = FaultCode(
    "deploy.unhealthy",
    means="The container runs but never answered its health probe well.",
    hint="Correct what answers {path}, name another health_path, or give more health_timeout than {seconds:g} s.",
)
NOT_LISTENING = FaultCode(
    "deploy.not_listening",
    means="The container runs but listens on no port.",
    hint="Its log shows what it waits for; give a slow start more health_timeout than {seconds:g} s.",
)

FAULTS = (
    EXITED, OUT_OF_MEMORY, COMMAND_NOT_FOUND, WRONG_ARCHITECTURE, READ_ONLY, PERMISSION,
    VARIABLE_MISSING, WRONG_PORT, LOOPBACK_ONLY, UNHEALTHY, NOT_LISTENING,
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
    """What was seen of a container that failed."""

    wish: ContainerSpec
    id: str
    """The container's."""
    state: dict[str, Any]
    log: str
    """Without secrets."""

    def evidence(self, *more: Evidence) -> list[Evidence]:
        """The log's tail after what is more telling."""
        where = f"the last lines of {self.wish.app}"
        return [*more, *([Evidence(kind="log", text=self.log[-4000:], where=where)] if self.log else [])]


async def scene(containers: Containers, container: str, wish: ContainerSpec) -> FailureSnapshot:
    """Look at a container's state and log."""
    details = await containers.inspect(container) or {}
    log = wish.redact(await containers.log_tail(container))
    return FailureSnapshot(wish, details.get("Id") or container, details.get("State") or {}, log)


def refused(failure: StageFailure, wish: ContainerSpec) -> StageFailure:
    """Name what the engine said when it could not start the process."""
    said = " ".join(evidence.text for evidence in failure.fault.evidence)
    evidence = [Evidence(kind="value", text=wish.redact(said)[-600:])]
    if _WRONG_CPU.search(said):
        return WRONG_ARCHITECTURE(
            f"{wish.image} cannot run on this processor", evidence=evidence, platform="another one"
        )
    if "permission denied" in said.lower():
        return PERMISSION(f"user {wish.user} may not start {wish.image}", evidence=evidence, user=wish.user)
    if _NO_COMMAND.search(said) and ("exec" in said or "stat" in said):
        message = f"the start command of {wish.image} cannot be found"
        return COMMAND_NOT_FOUND(message, evidence=evidence, next_actions=[anew("Correct CMD or ENTRYPOINT")])
    return failure


def ended(seen: FailureSnapshot) -> StageFailure:
    """The fault of a container whose process ended."""
    wish, code = seen.wish, seen.state.get("ExitCode", -1)
    evidence = seen.evidence(Evidence(kind="exit_code", text=str(code), where=wish.image))
    # Nobody but the kernel kills a candidate, and Engine does not always notice that it was for memory.
    if seen.state.get("OOMKilled") or code == _SIGKILLED or _MEMORY.search(seen.log):
        return _out_of_memory(wish, evidence)
    if _WRONG_CPU.search(seen.log):
        return WRONG_ARCHITECTURE(
            f"{wish.image} cannot run on this processor", evidence=evidence, platform="another one"
        )
    if code in (126, 127) and _NO_COMMAND.search(seen.log):
        message = f"{wish.app} ended with exit code {code}: command not found"
        return COMMAND_NOT_FOUND(message, evidence=evidence, next_actions=[anew("Correct CMD or ENTRYPOINT")])
    if _READ_ONLY.search(seen.log):
        return _read_only(seen, evidence)
    if missing := next((name for name in wish.missing if name in seen.log), None):
        return _variable_missing(wish, missing, evidence)
    if _PERMISSION.search(seen.log):
        return _permission(wish, evidence)
    message = f"{wish.app} ended at once with exit code {code}"
    return EXITED(message, evidence=evidence, next_actions=[anew("Mend what its log tells")], code=code)


def anew(edit: str) -> NextAction:
    """Build and deploy the repository again, once something in it is mended; it is left out where none was given."""
    return NextAction(tool=ToolName.FULL_DEPLOYMENT, why=f"{edit}; then this builds and deploys it anew")


def _out_of_memory(wish: ContainerSpec, evidence: list[Evidence]) -> StageFailure:
    limit, more = wish.options.memory_mb, wish.options.memory_mb * 2
    again = NextAction(why=f"Allow {more} MB", arguments={"memory_mb": more})
    message = f"{wish.app} was killed: it needs more than its {limit} MB of memory"
    return OUT_OF_MEMORY(message, evidence=evidence, next_actions=[again], more=more, limit=limit)


def _read_only(seen: FailureSnapshot, evidence: list[Evidence]) -> StageFailure:
    line = next(line for line in seen.log.splitlines() if _READ_ONLY.search(line))
    path = _WRITTEN.search(line)
    message = f"{seen.wish.app} wrote to a read-only file system" + (f": {path[1]}" if path else "")
    actions = [NextAction(why="Let the application write everywhere in its container", arguments={"read_only": False})]
    return READ_ONLY(message, evidence=evidence, next_actions=actions)


def _variable_missing(wish: ContainerSpec, name: str, evidence: list[Evidence]) -> StageFailure:
    action = NextAction(why=f"Set {name}; replace the value by the real one", arguments={"env": {name: "…"}})
    message = f"{wish.app} ended because {name} is not set"
    return VARIABLE_MISSING(message, evidence=evidence, next_actions=[action], name=name)


def _permission(wish: ContainerSpec, evidence: list[Evidence]) -> StageFailure:
    action = NextAction(why="Run as root, still without capabilities", arguments={"user": "0:0"})
    message = f"{wish.app} ended: user {wish.user} was denied something it needs"
    return PERMISSION(message, evidence=evidence, next_actions=[action], user=wish.user)


async def open_ports(containers: Containers, seen: FailureSnapshot) -> list[Listener] | None:
    """What the container listens on, without Engine's own DNS; None where that cannot be seen."""
    tables = tables_of(seen.id, seen.state.get("Pid") or 0)
    tables = tables or [await containers.print_of(seen.id, "cat", "/proc/net/tcp", "/proc/net/tcp6")]
    if not any("local_address" in table for table in tables):  # their heading
        return None
    return [one for one in listeners(tables) if not (one.loopback and one.port > 32767)]


def find_wrong_port(seen: FailureSnapshot, ports: list[Listener] | None) -> StageFailure | None:
    """The fault of an application that listens where nobody looks; None where it is not one."""
    wish, wanted = seen.wish, seen.wish.container_port
    if not ports or wanted is None:
        return None
    right = [one for one in ports if one.port == wanted]
    if any(not one.loopback for one in right):
        return None
    listing = ", ".join(sorted({f"{'127.0.0.1:' if one.loopback else ''}{one.port}" for one in ports}))
    evidence = seen.evidence(
        Evidence(kind="value", text=f"listens on {listing}", where="/proc/net/tcp of the container")
    )
    others = sorted({one.port for one in ports if not one.loopback})
    if right or not others:
        message = f"{wish.app} listens on {listing} only, which nothing outside its container reaches"
        return LOOPBACK_ONLY(message, evidence=evidence, next_actions=[anew("Make it bind 0.0.0.0")])
    actions = [NextAction(why=f"It listens on {port}", arguments={"container_port": port}) for port in others]
    message = f"{wish.app} listens on {listing}, not on {wanted}"
    return WRONG_PORT(message, evidence=evidence, next_actions=actions, actual=others[0], wanted=wanted)


def unhealthy(seen: FailureSnapshot, ports: list[Listener] | None, last: ProbeResult) -> StageFailure:
    """The fault of a container that runs and does not become healthy."""
    wish, seconds = seen.wish, seen.wish.options.health_timeout
    if _READ_ONLY.search(seen.log):
        return _read_only(seen, seen.evidence(Evidence(kind="http", text=last.says)))
    slower = NextAction(why="Wait longer", arguments={"health_timeout": min(600.0, seconds * 4)})
    if ports == []:
        message = f"{wish.app} runs but listens on no port after {seconds:g} s"
        return NOT_LISTENING(message, evidence=seen.evidence(), next_actions=[slower], seconds=seconds)
    asked = f"GET {wish.health_path}" if wish.options.probe == "http" else f"TCP {wish.container_port}"
    evidence = seen.evidence(Evidence(kind="http", text=f"{asked}: {last.says}", where=f"port {wish.container_port}"))
    actions = [anew(f"Mend what answers {wish.health_path}")] if last.status is not None else [slower]
    if last.foreign:
        actions = [NextAction(why="It speaks another protocol than HTTP", arguments={"probe": "tcp"})]
    message = f"{wish.app} did not become healthy within {seconds:g} s; the last answer to {asked} was {last.says}"
    return UNHEALTHY(message, evidence=evidence, next_actions=actions, path=wish.health_path, seconds=seconds)
