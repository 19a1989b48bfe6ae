"""Symptoms of failing probes: only after a probe has exhausted its budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.deploy.kubernetes.rollout.container import Container, Json, PodEvent, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import PROBE_LIVENESS, PROBE_READINESS, PROBE_STARTUP
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import (
    IMMEDIATE,
    NEVER_DECISIVE,
    STARTING,
    Symptom,
    event_evidence,
)

_PERMANENT_REFUSAL = re.compile(
    r"statuscode: (?!408|425|429)4\d\d|malformed HTTP response|gave HTTP response to HTTPS client|executable file"
)
"""The server answers, but the probe will never succeed: it needs another path, port or scheme."""


def detect_probe_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect failures of readiness, startup and liveness probes."""
    for container in rollout.containers():
        yield from _killed(container)
        yield from _never_ready(container)


def _killed(container: Container) -> Iterator[Symptom]:
    """Detect containers that the kubelet killed after `failureThreshold` failures of a startup or liveness probe."""
    if (kind := killed_by(container)) is not None:
        code = PROBE_STARTUP if kind == "startup" else PROBE_LIVENESS
        killing = event_evidence(container.latest("Killing"), container.where)
        yield _symptom(code, kind, container, _failures(container, kind), IMMEDIATE, killing)


def killed_by(container: Container) -> str | None:
    """Return the kind of probe for which the kubelet killed the container.

    An event has it. If the event was lost, the exit signal and a probe with an exhausted budget show the same.
    """
    killing = container.latest("Killing")
    end = container.termination
    signalled = end.get("exitCode") in (137, 143) and end.get("reason") != "OOMKilled"
    for kind in ("startup", "liveness"):
        if killing is not None and f"failed {kind} probe" in killing.message:
            return kind
        probe = container.spec.get(f"{kind}Probe") or {}
        failures = sum(event.count for event in _failures(container, kind))
        if signalled and probe and failures >= int(probe.get("failureThreshold") or 3):
            return kind
    return None


def _never_ready(container: Container) -> Iterator[Symptom]:
    """Detect readiness probes that exhausted their budget of `failureThreshold` failures, one each period.

    After it, a probe with a client error is decisive; a program that may still start gets longer.
    """
    failures = _failures(container, "readiness")
    probe = container.spec.get("readinessProbe")
    if not failures or not probe or not container.running or container.ready:
        return
    last = max(failures, key=lambda event: event.order)
    threshold = int(probe.get("failureThreshold") or 3)
    within_budget = sum(event.count for event in failures) < threshold
    permanent = _PERMANENT_REFUSAL.search(last.message) or not _port_is_declared(container, probe)
    budget = float((threshold - 1) * int(probe.get("periodSeconds") or 10))
    grace = NEVER_DECISIVE if within_budget else budget if permanent else max(STARTING, budget)
    symptom = _symptom(PROBE_READINESS, "readiness", container, failures, grace, ())
    yield replace(symptom, within_budget=within_budget)


def _failures(container: Container, kind: str) -> list[PodEvent]:
    starts = f"{kind.capitalize()} probe"
    return [event for event in container.events if event.reason == "Unhealthy" and event.message.startswith(starts)]


def _port_is_declared(container: Container, probe: Json) -> bool:
    """Return whether the probe uses a declared port of the container; true if none is declared."""
    ports = container.spec.get("ports") or []
    port = dig(probe, "httpGet", "port") or dig(probe, "tcpSocket", "port") or dig(probe, "grpc", "port")
    return not ports or port is None or any(port in (item.get("containerPort"), item.get("name")) for item in ports)


def _symptom(
    code: FaultCode,
    kind: str,
    container: Container,
    failures: list[PodEvent],
    grace: float,
    evidence: tuple[Evidence, ...],
) -> Symptom:
    last = max(failures, key=lambda event: event.order) if failures else None
    words = last.message if last else f"{kind} probe failed"
    probe = container.spec.get(f"{kind}Probe") or {}
    return Symptom(
        code,
        container.where,
        f"{container.name}: {words[:300]}",
        grace,
        (*event_evidence(last, container.where), *evidence),
        {"repair": _repair(kind, container, probe, words)},
    )


def _repair(kind: str, container: Container, probe: Json, words: str) -> str:
    target = _target(probe)
    ports = ", ".join(str(port.get("containerPort")) for port in container.spec.get("ports") or []) or "none"
    if "statuscode: 4" in words:
        return f"The server answers, but {target} is not a health endpoint: probe a path that answers below 400."
    if "connection refused" in words:
        return (
            f"Nothing listens at {target} (declared ports: {ports}): correct the probe's port, or make the program "
            "listen on 0.0.0.0."
        )
    if "statuscode: 5" in words:
        return f"{target} answers with a server error: see the program's log for the cause."
    budget = int(probe.get("periodSeconds") or 10) * int(probe.get("failureThreshold") or 3)
    return (
        f"Give the {kind} probe more than its {budget} s, or make {target} answer faster; the evidence has its answer."
    )


def _target(probe: Json) -> str:
    if http := probe.get("httpGet"):
        return f"port {http.get('port')}, path {http.get('path') or '/'}"
    port = dig(probe, "tcpSocket", "port") or dig(probe, "grpc", "port")
    return f"port {port}" if port else "the probe's command"
