"""Symptoms of containers that cannot be created, or do not keep running."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.deploy.kubernetes.rollout.container import Container, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import (
    COMMAND_NOT_FOUND,
    CONFIG_NOT_FOUND,
    CONTAINER_CONFIG,
    CRASH,
    EXITED_ZERO,
    INIT_FAILED,
    OUT_OF_MEMORY,
    READ_ONLY_FILESYSTEM,
    RUNS_AS_ROOT,
    WRONG_ARCHITECTURE,
)
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState, before, read_time
from container_kit.stages.deploy.kubernetes.rollout.symptoms.probes import killed_by
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import (
    IMMEDIATE,
    NEVER_DECISIVE,
    PERSISTENT,
    Symptom,
    repair,
)

_CONFIG_ERRORS = {"CreateContainerConfigError", "CreateContainerError"}
_COMMAND_MISSING = re.compile(r"executable file .*not found|exec: .*(no such file or directory|permission denied)")
_OUT_OF_MEMORY = "OOM-killed"
_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found|couldn\'t find key (\S+) in (Secret|ConfigMap) (\S+)')


def detect_setup_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect containers that the kubelet cannot create from their specification."""
    for container in rollout.containers():
        text, times = _config_error(container)
        if not text or _classify_start(text):
            continue
        if re.search(r"runAsNonRoot|run as root|non-numeric user", text):
            why = "Set a numeric user other than 0."
            yield _setup_symptom(RUNS_AS_ROOT, container, text, IMMEDIATE, {}, repair(why, run_as_user=10001))
        elif missing := _MISSING.search(text):
            facts = {"missing": _name_missing(missing)}
            yield _setup_symptom(CONFIG_NOT_FOUND, container, text, IMMEDIATE if times > 1 else PERSISTENT, facts, ())
        else:
            yield _setup_symptom(CONTAINER_CONFIG, container, text, IMMEDIATE if times > 2 else PERSISTENT, {}, ())


def _config_error(container: Container) -> tuple[str, int]:
    """Return the kubelet's message and the number of attempts. An event has it before the pod's status does."""
    if container.ever_started:
        return "", 0
    failed = [e for e in container.events if e.reason == "Failed" and _is_config_error(e.message)]
    if failed and container.waiting in ("", "ContainerCreating", "PodInitializing", *_CONFIG_ERRORS):
        last = max(failed, key=lambda event: event.order)
        return last.message.removeprefix("Error: "), sum(event.count for event in failed)
    if container.waiting in _CONFIG_ERRORS:
        return container.waiting_message or container.waiting, 1
    return "", 0


def _is_config_error(message: str) -> bool:
    return _MISSING.search(message) is not None or "runAsNonRoot" in message


def _name_missing(match: re.Match[str]) -> str:
    kind, name, key, holder, holder_name = match.groups()
    return (
        f"{holder} {holder_name} with key {key}" if key else f"{ {'secret': 'Secret'}.get(kind, 'ConfigMap') } {name}"
    )


def _setup_symptom(
    code: FaultCode,
    container: Container,
    text: str,
    grace: float,
    facts: dict[str, str],
    actions: tuple[NextAction, ...],
) -> Symptom:
    evidence = (
        Evidence(kind="condition", text=f"{container.waiting or 'Failed'}: {text[:2000]}", where=container.where),
    )
    return Symptom(code, container.where, text[:300], grace, evidence, facts, actions)


def detect_start_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect programs that the runtime cannot start; an event reports it before the pod's status does."""
    for container in rollout.containers():
        failed = [event for event in container.events if event.reason == "Failed" and _classify_start(event.message)]
        if failed and not container.ever_started:
            last = max(failed, key=lambda event: event.order)
            code = _classify_start(last.message) or COMMAND_NOT_FOUND
            words = last.message.removeprefix("Error: ")
            evidence = (Evidence(kind="condition", text=words[:2000], where=container.where),)
            facts = {"image": container.image, "command": _command(container), "limit": _limit(container)}
            yield Symptom(code, container.where, words[-300:], IMMEDIATE, evidence, facts=facts)


def _classify_start(words: str) -> FaultCode | None:
    """Classify a failed start by the runtime's message."""
    if "exec format error" in words:
        return WRONG_ARCHITECTURE
    if _OUT_OF_MEMORY in words:
        return OUT_OF_MEMORY
    return COMMAND_NOT_FOUND if _COMMAND_MISSING.search(words) else None


def _command(container: Container) -> str:
    command = [*(container.spec.get("command") or []), *(container.spec.get("args") or [])]
    return " ".join(command) or f"the command of {container.image}"


def detect_terminations(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect programs that do not keep running. A single exit may be temporary, such as before a database is up."""
    for container in rollout.containers():
        if not container.termination or _is_old(rollout, container):
            continue
        code = _classify_termination(container)
        if code is not None:
            yield _termination_symptom(code, container)


def _is_old(rollout: RolloutState, container: Container) -> bool:
    """Return whether the container runs, and last terminated before this rollout."""
    finished = read_time(container.termination.get("finishedAt"))
    return container.running and rollout.since is not None and finished is not None and before(finished, rollout.since)


def _classify_termination(container: Container) -> FaultCode | None:
    end, words = container.termination, str(container.termination.get("message") or "")
    exit_code = int(end.get("exitCode") or 0)
    if "exec format error" in words:
        return WRONG_ARCHITECTURE
    if _cannot_start(container):
        return _classify_start(words) or CONTAINER_CONFIG
    if _killed_by_a_probe(container):
        return None  # reported by the rule of the probe
    if end.get("reason") == "OOMKilled":
        return OUT_OF_MEMORY
    if container.init:
        return INIT_FAILED if exit_code else None
    if exit_code == 0:
        return EXITED_ZERO
    if re.search(r"read-only file ?system|EROFS", words, re.IGNORECASE):
        return READ_ONLY_FILESYSTEM
    return COMMAND_NOT_FOUND if exit_code in (126, 127) else CRASH


def _cannot_start(container: Container) -> bool:
    return container.termination.get("reason") in ("StartError", "ContainerCannotRun")


def _killed_by_a_probe(container: Container) -> bool:
    return container.termination.get("exitCode") in (137, 143) and killed_by(container) is not None


def _termination_symptom(code: FaultCode, container: Container) -> Symptom:
    end = container.termination
    exit_code = int(end.get("exitCode") or 0)
    words = str(end.get("message") or "").strip()
    evidence = [Evidence(kind="exit_code", text=f"{end.get('reason')}, exit code {exit_code}", where=container.where)]
    if words:
        evidence.append(Evidence(kind="log", text=words[-2000:], where=container.where))
    limit = _limit(container)
    facts = {
        "exit_code": exit_code,
        "image": container.image,
        "container": container.name,
        "limit": limit,
        "command": _command(container),
    }
    last_line = words.splitlines()[-1][:200] if words else code.means
    message = f"{container.name} exited with code {exit_code}: {last_line}"
    return Symptom(
        code,
        container.where,
        message,
        _termination_grace(code, container),
        tuple(evidence),
        facts,
        _repair(code, limit),
    )


def _limit(container: Container) -> str:
    return str(dig(container.spec, "resources", "limits", "memory") or "the node's memory")


def _termination_grace(code: FaultCode, container: Container) -> float:
    """Return when a termination is decisive: the first one only if a second one would be the same."""
    deterministic = code is WRONG_ARCHITECTURE or _cannot_start(container)
    return IMMEDIATE if deterministic or container.terminations > 1 else NEVER_DECISIVE


def _repair(code: FaultCode, limit: str) -> tuple[NextAction, ...]:
    if code is OUT_OF_MEMORY:
        doubled = _doubled(limit)
        return repair(f"Give it more memory than {limit}.", **({"memory_limit": doubled} if doubled else {}))
    return ()


def _doubled(limit: str) -> str | None:
    match = re.fullmatch(r"(\d+)(Ki|Mi|Gi|K|M|G|)", limit)
    return f"{int(match.group(1)) * 2}{match.group(2)}" if match else None
