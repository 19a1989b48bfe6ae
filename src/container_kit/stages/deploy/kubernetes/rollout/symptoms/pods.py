"""Signs that pods are not made, not placed, not kept, or not reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.deploy.kubernetes.rollout.container import Json, PodEvent, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import (
    EVICTED,
    NO_ENDPOINTS,
    POD_REFUSED,
    POD_SECURITY,
    PROGRESS_DEADLINE,
    QUOTA,
    SANDBOX_FAILED,
    SERVICE_ACCOUNT_MISSING,
    UNSCHEDULABLE,
    VOLUME_MISSING,
)
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import (
    IMMEDIATE,
    OLD_POD_DRAIN,
    PERSISTENT,
    SANDBOX,
    SCALE_UP,
    SCHEDULING,
    TRANSIENT,
    WATCH_SKEW,
    Symptom,
    event_evidence,
    repair,
)


def detect_creation_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that the API refuses the pods: ReplicaFailure of the Deployment, FailedCreate of the ReplicaSet."""
    where = f"replicaset/{dig(rollout.replica_set, 'metadata', 'name')}"
    events = [event for event in rollout.events_of("ReplicaSet", rollout.replica_set) if event.reason == "FailedCreate"]
    last = max(events, key=lambda event: event.order) if events else None
    text = last.message if last else _replica_failure(rollout)
    if not text or rollout.complete or _all_created(rollout):
        return
    code, grace, facts = _refusal(text)
    if code is QUOTA and rollout.making_room():
        grace = OLD_POD_DRAIN
    evidence = event_evidence(last, where) or (Evidence(kind="condition", text=text[:2000], where=where),)
    yield Symptom(code, where, _short(text), grace, evidence, facts)


def _replica_failure(rollout: RolloutState) -> str:
    """The Deployment's ReplicaFailure, unless it speaks of the pods of an older ReplicaSet, which it also takes up."""
    condition = rollout.condition("ReplicaFailure")
    text = str(condition.get("message") or "") if condition.get("status") == "True" else ""
    others = (name for name, found in rollout.replica_sets.items() if found is not rollout.replica_set)
    return "" if any(f'"{name}-' in text for name in others) else text


def _all_created(rollout: RolloutState) -> bool:
    """Whether the ReplicaSet has its pods, however often it was refused before."""
    wanted = dig(rollout.replica_set, "spec", "replicas")
    return bool(wanted) and int(dig(rollout.replica_set, "status", "replicas") or 0) >= int(wanted)


def _refusal(text: str) -> tuple[FaultCode, float, dict[str, str]]:
    if "violates PodSecurity" in text:
        return POD_SECURITY, IMMEDIATE, {}
    if "exceeded quota" in text or "failed quota" in text:
        quota = re.search(r"(?:exceeded|failed) quota: ([^,:\s]+)", text)
        return QUOTA, IMMEDIATE, {"quota": f"ResourceQuota {quota.group(1)}" if quota else "the quota"}
    account = re.search(r'serviceaccount "([^"]+)" not found', text)
    if account or "error looking up service account" in text:
        name = account.group(1) if account else "as named"
        # `default` is made by a controller, a moment after its namespace
        return SERVICE_ACCOUNT_MISSING, TRANSIENT if name == "default" else IMMEDIATE, {"account": name}
    refused_for_good = re.search(r"is forbidden|is invalid|denied the request", text)
    return POD_REFUSED, PERSISTENT if refused_for_good else TRANSIENT, {}


def scheduling_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that no node takes a pod, with a grace in which an autoscaler may add one."""
    for pod in rollout.current_pods():
        if dig(pod, "spec", "nodeName"):
            continue
        name = str(dig(pod, "metadata", "name"))
        events = rollout.events_of("Pod", pod)
        text = _unschedulable(pod) or next((e.message for e in events if e.reason == "FailedScheduling"), "")
        if text:
            scaler = [event for event in events if event.reason in ("TriggeredScaleUp", "NotTriggerScaleUp")]
            evidence = (
                Evidence(kind="condition", text=f"Unschedulable: {text[:2000]}", where=f"pod/{name}"),
                *(found for event in scaler for found in event_evidence(event, f"pod/{name}")),
            )
            hint = _scheduling_repair(text)
            yield Symptom(
                UNSCHEDULABLE,
                f"pod/{name}",
                f"no node can take the pod: {_short(text)}",
                OLD_POD_DRAIN if rollout.making_room() else _scheduling_grace(text, scaler),
                evidence,
                {"repair": hint},
                repair(hint),
            )


def _unschedulable(pod: Json) -> str:
    for condition in dig(pod, "status", "conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or "") if condition.get("reason") == "Unschedulable" else ""
    return ""


def _scheduling_grace(text: str, scaler: list[PodEvent]) -> float:
    if re.search(r'persistentvolumeclaim "[^"]+" not found', text):
        return PERSISTENT  # no other node would help
    if not scaler:
        return SCHEDULING
    return SCALE_UP if max(scaler, key=lambda event: event.order).reason == "TriggeredScaleUp" else PERSISTENT


_SCHEDULING_REPAIRS = (
    (r'persistentvolumeclaim "([^"]+)" not found', "Create PersistentVolumeClaim {0}, or correct the claim's name."),
    (
        r"unbound immediate PersistentVolumeClaims",
        "Bind the claim: its storage class must exist and provision volumes.",
    ),
    (r"Insufficient ([\w./-]+)", "Lower the request for {0}, or add a node that has as much free."),
    (r"didn't match Pod's node affinity/selector", "Correct nodeSelector or affinity, or label a node to match it."),
    (r"free ports|hostPort", "Leave hostPort out, or choose one that is free on a node."),
    (r"untolerated taint", "Tolerate the taint that the evidence names, or add a node without it."),
    (r"topology spread", "Loosen topologySpreadConstraints (whenUnsatisfiable: ScheduleAnyway)."),
)


def _scheduling_repair(text: str) -> str:
    for pattern, words in _SCHEDULING_REPAIRS:
        if found := re.search(pattern, text):
            return words.format(*found.groups())
    return "Change what the scheduler names in the evidence, or add a node that fits."


def volume_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that a volume cannot be mounted; only events tell it, the pod's status stays ContainerCreating."""
    for pod in rollout.current_pods():
        name = str(dig(pod, "metadata", "name"))
        if _started(pod):
            continue
        for event in rollout.events_of("Pod", pod):
            if event.reason in ("FailedMount", "FailedAttachVolume") and _speaks_of_a_cause(event):
                named = re.search(r'volume "([^"]+)"', event.message)
                yield Symptom(
                    VOLUME_MISSING,
                    f"pod/{name}",
                    _short(event.message),
                    _mount_grace(event),
                    event_evidence(event, f"pod/{name}"),
                    {"volume": named.group(1) if named else "named in the evidence"},
                )


def sandbox_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that a node cannot even make the pod; on a node that has just joined it heals."""
    for pod in rollout.current_pods():
        name = str(dig(pod, "metadata", "name"))
        for event in rollout.events_of("Pod", pod):
            if event.reason == "FailedCreatePodSandBox" and not _started(pod):
                evidence = event_evidence(event, f"pod/{name}")
                yield Symptom(SANDBOX_FAILED, f"pod/{name}", _short(event.message), SANDBOX, evidence)


def _speaks_of_a_cause(event: PodEvent) -> bool:
    """The kubelet's summary after two minutes repeats that volumes are not mounted; the cause is in another event."""
    return not event.message.startswith("Unable to attach or mount volumes")


def _mount_grace(event: PodEvent) -> float:
    # a new namespace gets its kube-root-ca.crt from a controller
    if re.search(r"failed to sync .* cache|not registered|timed out waiting|kube-root-ca.crt", event.message):
        return TRANSIENT
    return IMMEDIATE if event.count > 1 else PERSISTENT


def _started(pod: Json) -> bool:
    statuses = [*(dig(pod, "status", "containerStatuses") or []), *(dig(pod, "status", "initContainerStatuses") or [])]
    return any(dig(status, "state", "running") or dig(status, "state", "terminated") for status in statuses)


def eviction_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that a node throws pods out; one may be bad luck, two are a rule."""
    evicted = [pod for pod in rollout.current_pods() if dig(pod, "status", "reason") == "Evicted"]
    if evicted:
        where = f"pod/{dig(evicted[-1], 'metadata', 'name')}"
        text = str(dig(evicted[-1], "status", "message") or "")
        evidence = (Evidence(kind="condition", text=f"Evicted: {text}", where=where),)
        yield Symptom(EVICTED, "pods", _short(text), IMMEDIATE if len(evicted) > 1 else TRANSIENT, evidence)


def deadline_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """The sign that Kubernetes itself has given up waiting."""
    condition = rollout.condition("Progressing")
    if condition.get("reason") == "ProgressDeadlineExceeded":
        where = f"deployment/{rollout.name}"
        evidence = (Evidence(kind="condition", text=str(condition.get("message") or ""), where=where),)
        deadline = dig(rollout.deployment, "spec", "progressDeadlineSeconds") or 600
        message = f"no progress within {deadline} s"
        yield Symptom(PROGRESS_DEADLINE, where, message, WATCH_SKEW, evidence, {"deadline": deadline})


def endpoint_signs(rollout: RolloutState) -> Iterator[Symptom]:
    """Signs that a Service reaches none of the pods, although they are all ready."""
    if not rollout.complete or not rollout.current_pods():
        return
    services: dict[str, list[Json]] = {}
    for found in rollout.slices.values():
        service = str(dig(found, "metadata", "labels", "kubernetes.io/service-name") or dig(found, "metadata", "name"))
        services.setdefault(service, []).extend(found.get("endpoints") or [])
    for service, endpoints in services.items():
        if not any(dig(endpoint, "conditions", "ready") is not False for endpoint in endpoints):
            where = f"service/{service}"
            seen = f"{len(endpoints)} addresses, none of them ready"
            yield Symptom(
                NO_ENDPOINTS,
                where,
                f"Service {service} has no ready address",
                # pods that are not ready are listed too: none at all is a wrong selector
                PERSISTENT if endpoints else WATCH_SKEW,
                (Evidence(kind="condition", text=f"EndpointSlice: {seen}", where=where),),
                {"service": service},
            )


def _short(text: str) -> str:
    """The first sentence of the API's words, without the name of the refused pod."""
    text = re.sub(r"^(\(combined from similar events\): )?Error creating: ", "", text)
    return text.strip()[:300]
