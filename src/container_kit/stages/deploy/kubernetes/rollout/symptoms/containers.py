"""Signs that a container cannot be set up, or does not keep running."""

from __future__ import annotations

import re
from collections.abc import Iterator

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.deploy.kubernetes.rollout.container import Container, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import (
    BAD_ARCHITECTURE,
    COMMAND_NOT_FOUND,
    CONFIG_MISSING,
    CONTAINER_CONFIG,
    CRASH,
    EXITED_ZERO,
    INIT_FAILED,
    OUT_OF_MEMORY,
    READ_ONLY_FILESYSTEM,
    RUNS_AS_ROOT,
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
_NO_PROGRAM = re.compile(r"executable file .*not found|exec: .*(no such file or directory|permission denied)")
_NO_MEMORY = "OOM-killed"
_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found|couldn\'t find key (\S+) in (Secret|ConfigMap) (\S+)')


def setup_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that the kubelet cannot make a container of its specification."""
    for container in rollout.containers():
        text, times = _config_error(container)
        if not text or _class_of_start(text):
            continue
        if re.search(r"runAsNonRoot|run as root|non-numeric user", text):
            why = "Set a numeric user other than 0."
            yield _setup_sign(RUNS_AS_ROOT, container, text, IMMEDIATE, {}, repair(why, run_as_user=10001))
        elif missing := _MISSING.search(text):
            facts = {"missing": _name_missing(missing)}
            yield _setup_sign(CONFIG_MISSING, container, text, IMMEDIATE if times > 1 else PERSISTENT, facts, ())
        else:
            yield _setup_sign(CONTAINER_CONFIG, container, text, IMMEDIATE if times > 2 else PERSISTENT, {}, ())


def _config_error(container: Container) -> tuple[str, int]:
    """The kubelet's words, and how often it was tried. An event tells it before the pod's status does."""
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


def _name_missing(found: re.Match[str]) -> str:
    kind, name, key, holder, holder_name = found.groups()
    return (
        f"{holder} {holder_name} with key {key}" if key else f"{ {'secret': 'Secret'}.get(kind, 'ConfigMap') } {name}"
    )


def _setup_sign(
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


def start_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that the runtime cannot start the program; an event tells it before the pod's status does."""
    for container in rollout.containers():
        failed = [event for event in container.events if event.reason == "Failed" and _class_of_start(event.message)]
        if failed and not container.ever_started:
            last = max(failed, key=lambda event: event.order)
            code = _class_of_start(last.message) or COMMAND_NOT_FOUND
            words = last.message.removeprefix("Error: ")
            evidence = (Evidence(kind="condition", text=words[:2000], where=container.where),)
            facts = {"image": container.image, "command": _command(container), "limit": _limit(container)}
            yield Symptom(code, container.where, words[-300:], IMMEDIATE, evidence, facts=facts)


def _class_of_start(words: str) -> FaultCode | None:
    """What the runtime's words say about a start that failed."""
    if "exec format error" in words:
        return BAD_ARCHITECTURE
    if _NO_MEMORY in words:
        return OUT_OF_MEMORY
    return COMMAND_NOT_FOUND if _NO_PROGRAM.search(words) else None


def _command(container: Container) -> str:
    asked = [*(container.spec.get("command") or []), *(container.spec.get("args") or [])]
    return " ".join(asked) or f"the command of {container.image}"


def termination_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that a program does not keep running. One end may heal by itself (a database that is not up yet)."""
    for container in rollout.containers():
        end = container.termination
        if not end or _is_old(rollout, container):
            continue
        code = _class_of_end(container)
        if code is not None:
            yield _end_sign(code, container)


def _is_old(rollout: RolloutState, container: Container) -> bool:
    """Whether it runs, and last ended before this rollout began."""
    finished = read_time(container.termination.get("finishedAt"))
    return container.running and rollout.since is not None and finished is not None and before(finished, rollout.since)


def _class_of_end(container: Container) -> FaultCode | None:
    end, words = container.termination, str(container.termination.get("message") or "")
    exit_code = int(end.get("exitCode") or 0)
    if "exec format error" in words:
        return BAD_ARCHITECTURE
    if _cannot_start(container):
        return _class_of_start(words) or CONTAINER_CONFIG
    if _killed_by_a_probe(container):
        return None  # the probe's own rule tells it
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


def _end_sign(code: FaultCode, container: Container) -> Symptom:
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
    message = f"{container.name} ended with exit code {exit_code}: {last_line}"
    return Symptom(
        code, container.where, message, _end_grace(code, container), tuple(evidence), facts, _repair(code, limit)
    )


def _limit(container: Container) -> str:
    return str(dig(container.spec, "resources", "limits", "memory") or "what the node has")


def _end_grace(code: FaultCode, container: Container) -> float:
    """The first end decides only where a second can be no different; else the second one does."""
    never_different = code is BAD_ARCHITECTURE or _cannot_start(container)
    return IMMEDIATE if never_different or container.terminations > 1 else NEVER_DECISIVE


def _repair(code: FaultCode, limit: str) -> tuple[NextAction, ...]:
    if code is OUT_OF_MEMORY:
        doubled = _doubled(limit)
        return repair(f"Give it more memory than {limit}.", **({"memory_limit": doubled} if doubled else {}))
    return ()


def _doubled(limit: str) -> str | None:
    found = re.fullmatch(r"(\d+)(Ki|Mi|Gi|K|M|G|)", limit)
    return f"{int(found.group(1)) * 2}{found.group(2)}" if found else None
