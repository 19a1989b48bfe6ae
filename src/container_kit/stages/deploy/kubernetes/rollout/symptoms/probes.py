"""Signs that a container's probes fail: only once a probe has used up its own budget."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

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

_REFUSES_FOR_GOOD = re.compile(
    r"statuscode: (?!408|425|429)4\d\d|malformed HTTP response|gave HTTP response to HTTPS client|executable file"
)
"""The server is up and answers, but never so that the probe is content: another path, port or scheme is needed."""


def probe_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs of readiness, startup and liveness probes."""
    for container in rollout.containers():
        yield from _killed(container)
        yield from _never_ready(container)


def _killed(container: Container) -> Iterator[Symptom]:
    """The kubelet kills a container when its startup or liveness probe has failed `failureThreshold` times."""
    if (kind := killed_by(container)) is not None:
        code = PROBE_STARTUP if kind == "startup" else PROBE_LIVENESS
        killing = event_evidence(container.latest("Killing"), container.where)
        yield _sign(code, kind, container, _failures(container, kind), IMMEDIATE, killing)


def killed_by(container: Container) -> str | None:
    """The kind of probe for which the kubelet killed the container.

    It says so in an event; where that was lost, the signal and a probe that had used up its budget say the same.
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
    """The probe's own budget is `failureThreshold` failures, one each period.

    Beyond it, a probe that was answered with a client error is decided; a program that may still start gets longer.
    """
    failures = _failures(container, "readiness")
    probe = container.spec.get("readinessProbe")
    if not failures or not probe or not container.running or container.ready:
        return
    last = max(failures, key=lambda event: event.order)
    threshold = int(probe.get("failureThreshold") or 3)
    within_budget = sum(event.count for event in failures) < threshold
    decided = _REFUSES_FOR_GOOD.search(last.message) or not _port_is_declared(container, probe)
    budget = float((threshold - 1) * int(probe.get("periodSeconds") or 10))
    grace = NEVER_DECISIVE if within_budget else budget if decided else max(STARTING, budget)
    sign = _sign(PROBE_READINESS, "readiness", container, failures, grace, ())
    yield replace(sign, within_budget=within_budget)


def _failures(container: Container, kind: str) -> list[PodEvent]:
    starts = f"{kind.capitalize()} probe"
    return [event for event in container.events if event.reason == "Unhealthy" and event.message.startswith(starts)]


def _port_is_declared(container: Container, probe: Json) -> bool:
    """Whether the probe asks a port that the container says it listens on; true where it says nothing."""
    ports = container.spec.get("ports") or []
    asked = dig(probe, "httpGet", "port") or dig(probe, "tcpSocket", "port") or dig(probe, "grpc", "port")
    return not ports or asked is None or any(asked in (port.get("containerPort"), port.get("name")) for port in ports)


def _sign(
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
            f"Nothing listens at {target} (declared ports: {ports}): correct the probe's port, or have the program "
            "listen on 0.0.0.0."
        )
    if "statuscode: 5" in words:
        return f"{target} answers with a server error: the program's log says what it lacks."
    budget = int(probe.get("periodSeconds") or 10) * int(probe.get("failureThreshold") or 3)
    return (
        f"Give the {kind} probe more than its {budget} s, or make {target} answer faster; the evidence has its answer."
    )


def _target(probe: Json) -> str:
    if http := probe.get("httpGet"):
        return f"port {http.get('port')}, path {http.get('path') or '/'}"
    port = dig(probe, "tcpSocket", "port") or dig(probe, "grpc", "port")
    return f"port {port}" if port else "the probe's command"
