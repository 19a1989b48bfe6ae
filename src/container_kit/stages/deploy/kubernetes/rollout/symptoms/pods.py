"""Symptoms of pods that are not created, not scheduled, evicted, or not reachable."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.deploy.kubernetes.rollout.container import Json, PodEvent, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import (
    ENDPOINTS_NOT_FOUND,
    EVICTED,
    POD_REFUSED,
    POD_SECURITY,
    PROGRESS_DEADLINE,
    QUOTA,
    SANDBOX_FAILED,
    SERVICE_ACCOUNT_NOT_FOUND,
    UNSCHEDULABLE,
    VOLUME_NOT_FOUND,
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
    """Detect pods that the API rejects: ReplicaFailure of the Deployment, FailedCreate of the ReplicaSet."""
    where = f"replicaset/{dig(rollout.replica_set, 'metadata', 'name')}"
    events = [event for event in rollout.events_of("ReplicaSet", rollout.replica_set) if event.reason == "FailedCreate"]
    last = max(events, key=lambda event: event.order) if events else None
    text = last.message if last else _replica_failure(rollout)
    if not text or rollout.complete or _all_created(rollout):
        return
    code, grace, facts = _classify_rejection(text)
    if code is QUOTA and rollout.old_pods_terminating():
        grace = OLD_POD_DRAIN
    evidence = event_evidence(last, where) or (Evidence(kind="condition", text=text[:2000], where=where),)
    yield Symptom(code, where, _short(text), grace, evidence, facts)


def _replica_failure(rollout: RolloutState) -> str:
    """Return the Deployment's ReplicaFailure, unless it is about the pods of an older ReplicaSet."""
    condition = rollout.condition("ReplicaFailure")
    text = str(condition.get("message") or "") if condition.get("status") == "True" else ""
    others = (name for name, obj in rollout.replica_sets.items() if obj is not rollout.replica_set)
    return "" if any(f'"{name}-' in text for name in others) else text


def _all_created(rollout: RolloutState) -> bool:
    """Return whether the ReplicaSet has all its pods, in spite of earlier failures."""
    desired = dig(rollout.replica_set, "spec", "replicas")
    return bool(desired) and int(dig(rollout.replica_set, "status", "replicas") or 0) >= int(desired)


def _classify_rejection(text: str) -> tuple[FaultCode, float, dict[str, str]]:
    if "violates PodSecurity" in text:
        return POD_SECURITY, IMMEDIATE, {}
    if "exceeded quota" in text or "failed quota" in text:
        quota = re.search(r"(?:exceeded|failed) quota: ([^,:\s]+)", text)
        return QUOTA, IMMEDIATE, {"quota": f"ResourceQuota {quota.group(1)}" if quota else "the quota"}
    account = re.search(r'serviceaccount "([^"]+)" not found', text)
    if account or "error looking up service account" in text:
        name = account.group(1) if account else "as named"
        # a controller creates `default` a moment after its namespace
        return SERVICE_ACCOUNT_NOT_FOUND, TRANSIENT if name == "default" else IMMEDIATE, {"account": name}
    permanent = re.search(r"is forbidden|is invalid|denied the request", text)
    return POD_REFUSED, PERSISTENT if permanent else TRANSIENT, {}


def detect_scheduling_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect pods that no node can run, with a grace period in which an autoscaler may add a node."""
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
                *(item for event in scaler for item in event_evidence(event, f"pod/{name}")),
            )
            hint = _scheduling_repair(text)
            yield Symptom(
                UNSCHEDULABLE,
                f"pod/{name}",
                f"no node can run the pod: {_short(text)}",
                OLD_POD_DRAIN if rollout.old_pods_terminating() else _scheduling_grace(text, scaler),
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
        return PERSISTENT  # another node would not help
    if not scaler:
        return SCHEDULING
    return SCALE_UP if max(scaler, key=lambda event: event.order).reason == "TriggeredScaleUp" else PERSISTENT


_SCHEDULING_REPAIRS = (
    (r'persistentvolumeclaim "([^"]+)" not found', "Create PersistentVolumeClaim {0}, or correct the claim's name."),
    (
        r"unbound immediate PersistentVolumeClaims",
        "Bind the claim: its storage class must exist and provision volumes.",
    ),
    (r"Insufficient ([\w./-]+)", "Lower the request for {0}, or add a node with enough of it."),
    (r"didn't match Pod's node affinity/selector", "Correct nodeSelector or affinity, or label a node to match it."),
    (r"free ports|hostPort", "Leave hostPort out, or choose one that is free on a node."),
    (r"untolerated taint", "Tolerate the taint that the evidence names, or add a node without it."),
    (r"topology spread", "Loosen topologySpreadConstraints (whenUnsatisfiable: ScheduleAnyway)."),
)


def _scheduling_repair(text: str) -> str:
    for pattern, words in _SCHEDULING_REPAIRS:
        if match := re.search(pattern, text):
            return words.format(*match.groups())
    return "Change the requirement that the scheduler names in the evidence, or add a node that meets it."


def detect_volume_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect volumes that cannot be mounted. Only events report it; the pod's status stays ContainerCreating."""
    for pod in rollout.current_pods():
        name = str(dig(pod, "metadata", "name"))
        if _started(pod):
            continue
        for event in rollout.events_of("Pod", pod):
            if event.reason in ("FailedMount", "FailedAttachVolume") and _names_a_cause(event):
                match = re.search(r'volume "([^"]+)"', event.message)
                yield Symptom(
                    VOLUME_NOT_FOUND,
                    f"pod/{name}",
                    _short(event.message),
                    _mount_grace(event),
                    event_evidence(event, f"pod/{name}"),
                    {"volume": match.group(1) if match else "in the evidence"},
                )


def detect_sandbox_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect nodes that cannot create the pod; on a new node this resolves."""
    for pod in rollout.current_pods():
        name = str(dig(pod, "metadata", "name"))
        for event in rollout.events_of("Pod", pod):
            if event.reason == "FailedCreatePodSandBox" and not _started(pod):
                evidence = event_evidence(event, f"pod/{name}")
                yield Symptom(SANDBOX_FAILED, f"pod/{name}", _short(event.message), SANDBOX, evidence)


def _names_a_cause(event: PodEvent) -> bool:
    """Return whether an event has the cause. The kubelet's summary after two minutes does not; another event does."""
    return not event.message.startswith("Unable to attach or mount volumes")


def _mount_grace(event: PodEvent) -> float:
    # a controller adds kube-root-ca.crt to a new namespace
    if re.search(r"failed to sync .* cache|not registered|timed out waiting|kube-root-ca.crt", event.message):
        return TRANSIENT
    return IMMEDIATE if event.count > 1 else PERSISTENT


def _started(pod: Json) -> bool:
    statuses = [*(dig(pod, "status", "containerStatuses") or []), *(dig(pod, "status", "initContainerStatuses") or [])]
    return any(dig(status, "state", "running") or dig(status, "state", "terminated") for status in statuses)


def detect_evictions(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect evictions; one may be an accident, two are decisive."""
    evicted = [pod for pod in rollout.current_pods() if dig(pod, "status", "reason") == "Evicted"]
    if evicted:
        where = f"pod/{dig(evicted[-1], 'metadata', 'name')}"
        text = str(dig(evicted[-1], "status", "message") or "")
        evidence = (Evidence(kind="condition", text=f"Evicted: {text}", where=where),)
        yield Symptom(EVICTED, "pods", _short(text), IMMEDIATE if len(evicted) > 1 else TRANSIENT, evidence)


def detect_progress_deadline(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect that Kubernetes stopped waiting."""
    condition = rollout.condition("Progressing")
    if condition.get("reason") == "ProgressDeadlineExceeded":
        where = f"deployment/{rollout.name}"
        evidence = (Evidence(kind="condition", text=str(condition.get("message") or ""), where=where),)
        deadline = dig(rollout.deployment, "spec", "progressDeadlineSeconds") or 600
        message = f"no progress within {deadline} s"
        yield Symptom(PROGRESS_DEADLINE, where, message, WATCH_SKEW, evidence, {"deadline": deadline})


def detect_missing_endpoints(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect Services that reach none of the pods, although all are ready."""
    if not rollout.complete or not rollout.current_pods():
        return
    services: dict[str, list[Json]] = {}
    for item in rollout.slices.values():
        service = str(dig(item, "metadata", "labels", "kubernetes.io/service-name") or dig(item, "metadata", "name"))
        services.setdefault(service, []).extend(item.get("endpoints") or [])
    for service, endpoints in services.items():
        if not any(dig(endpoint, "conditions", "ready") is not False for endpoint in endpoints):
            where = f"service/{service}"
            state = f"{len(endpoints)} addresses, none of them ready"
            yield Symptom(
                ENDPOINTS_NOT_FOUND,
                where,
                f"Service {service} has no ready address",
                # unready pods are listed too, so an empty list means a wrong selector
                PERSISTENT if endpoints else WATCH_SKEW,
                (Evidence(kind="condition", text=f"EndpointSlice: {state}", where=where),),
                {"service": service},
            )


def _short(text: str) -> str:
    """Shorten the API's message, without the name of the rejected pod."""
    text = re.sub(r"^(\(combined from similar events\): )?Error creating: ", "", text)
    return text.strip()[:300]
