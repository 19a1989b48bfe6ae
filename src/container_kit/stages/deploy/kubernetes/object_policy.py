"""The rules of a configured target for the user's own objects: their scope, their amounts, and Pod Security.

The scope of a kind comes from the API. Pods are found wherever an object holds them, so that kinds of extensions have
the same rules. Pod Security is the level `baseline` (kubernetes.io, Pod Security Standards).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from container_kit.stages.artifacts.kubernetes import Manifests
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.deploy.faults import OPTION_INVALID, over_limit
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.validation import quantity

Json = dict[str, Any]

INSECURE_OBJECT = FaultCode(
    "kubernetes.object_insecure",
    means="A manifest asks for more than Pod Security baseline allows, which configured targets require.",
    hint="Remove {setting} from {object}.",
)

FAULTS = (INSECURE_OBJECT,)

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_COUNTS = ("replicas", "maxReplicas", "minReplicas", "maxReplicaCount", "minReplicaCount", "parallelism")
_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
_SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


async def check_objects(api: KubernetesApi, manifests: Manifests, target: Target | None) -> None:
    """Check a user's objects against the rules of their target. Generated objects follow them already.

    Raises:
        StageFailure: `deploy.option_invalid` outside the namespace, `target.over_limit`,
            `kubernetes.object_insecure`, `kubernetes.kind_not_found`.
    """
    if target is None or target.implicit or manifests.generated:
        return
    for obj in manifests.objects:
        await _check_scope(api, obj, manifests.namespace, target)
        for pod in _pods(obj):
            if setting := next(_insecure(pod, obj), None):
                text = f"{setting}, in {_name(obj)}"
                evidence = [Evidence(kind="value", text=text)]
                raise INSECURE_OBJECT(f"not allowed: {text}", evidence=evidence, setting=setting, object=_name(obj))
            _check_amounts(pod, obj, target)
    _check_counts(manifests.objects, target)


async def _check_scope(api: KubernetesApi, obj: Json, namespace: str, target: Target) -> None:
    rule = f"only objects of namespace {namespace}, which target {target.name} sets"
    if not await api.is_namespaced(obj["apiVersion"], obj["kind"]):
        raise OPTION_INVALID(f"manifests: {_name(obj)} is cluster-scoped", option="manifests", rule=rule)
    requested = obj["metadata"].get("namespace")
    if requested not in (None, "", namespace):
        message = f"manifests: {_name(obj)} is in namespace {str(requested)[:80]!r}"
        raise OPTION_INVALID(message, option="manifests", rule=rule)


def _name(obj: Json) -> str:
    return f"{obj['kind']}/{obj['metadata'].get('name')}"[:120]


def _pods(node: Any) -> Iterator[Json]:
    """Return the pod specifications in an object, at any depth."""
    if isinstance(node, dict):
        if any(isinstance(node.get(field), list) for field in _CONTAINERS):
            yield node
        for inner in node.values():
            yield from _pods(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _pods(inner)


def _containers(pod: Json, fields: Sequence[str] = _CONTAINERS) -> list[Json]:
    return [item for field in fields for item in _list(pod.get(field)) if isinstance(item, dict)]


def _insecure(pod: Json, obj: Json) -> Iterator[str]:
    """Return the settings of a pod that Pod Security baseline forbids."""
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    yield from ("a hostPath volume" for volume in _list(pod.get("volumes")) if _dict(volume).get("hostPath"))
    yield from _insecure_context(_dict(pod.get("securityContext")))
    for sysctl in _list(_dict(pod.get("securityContext")).get("sysctls")):
        if _dict(sysctl).get("name") not in _SYSCTLS:
            yield f"the sysctl {str(_dict(sysctl).get('name'))[:60]}"
    for container in _containers(pod):
        yield from _insecure_context(_dict(container.get("securityContext")))
        yield from ("hostPort" for port in _list(container.get("ports")) if _dict(port).get("hostPort"))
    yield from _insecure_annotations(obj)


def _insecure_context(context: Json) -> Iterator[str]:
    if context.get("privileged"):
        yield "privileged"
    added = _list(_dict(context.get("capabilities")).get("add"))
    yield from (f"the capability {str(name)[:40]}" for name in added if str(name) not in _CAPABILITIES)
    if context.get("procMount") not in (None, "Default"):
        yield "procMount"
    selinux = _dict(context.get("seLinuxOptions"))
    if selinux.get("user") or selinux.get("role") or (selinux.get("type") or "") not in _SELINUX_TYPES:
        yield "seLinuxOptions"
    yield from (
        f"{profile} Unconfined"
        for profile in ("seccompProfile", "appArmorProfile")
        if _dict(context.get(profile)).get("type") == "Unconfined"
    )
    if _dict(context.get("windowsOptions")).get("hostProcess"):
        yield "hostProcess"


def _insecure_annotations(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if str(key).startswith(_APPARMOR) and not str(value).startswith(("runtime/default", "localhost/")):
                yield "an AppArmor annotation"
            yield from _insecure_annotations(value)
    elif isinstance(node, list):
        for inner in node:
            yield from _insecure_annotations(inner)


def _check_amounts(pod: Json, obj: Json, target: Target) -> None:
    """Check the limits of a pod: its containers run together, its init containers one after another."""
    limits = []
    if (memory := target.limits.memory_mb) is not None:
        limits.append(("memory", Fraction(memory * 2**20), f"{memory}Mi"))
    if (cpus := target.limits.cpus) is not None:
        limits.append(("cpu", Fraction(str(cpus)), f"{cpus:g}"))
    for resource, limit, shown in limits:
        for fields in (("containers", "ephemeralContainers"), ("initContainers",)):
            total = sum((_amount(item, resource, obj, shown) for item in _containers(pod, fields)), Fraction(0))
            if total > limit:
                option = f"resources.limits.{resource} of {_name(obj)}"
                raise over_limit(target.name, option, f"{float(total):g}", shown, shown)


def _amount(container: Json, resource: str, obj: Json, allowed: str) -> Fraction:
    resources = _dict(container.get("resources"))
    value = _dict(resources.get("limits")).get(resource)
    requested = _dict(resources.get("requests")).get(resource)
    field = f"resources.limits.{resource}"
    if value is None:
        rule = f"a limit in each container of {_name(obj)}, together at most {allowed}"
        raise OPTION_INVALID(f"a container of {_name(obj)} has no {field}", option=field, rule=rule)
    amounts = [quantity(field, str(text)) for text in (value, requested) if text is not None]
    return max(Fraction(amount) for amount in amounts)


def _check_counts(objects: Sequence[Json], target: Target) -> None:
    """Check the number of pods of all objects together."""
    limit = target.limits.replicas
    if limit is None:
        return
    total = 0
    for obj in objects:
        has_pods = next(_pods(obj), None) is not None
        if obj["kind"] == "DaemonSet":
            rule = f"no DaemonSet, because its pods cannot be limited to {limit}"
            raise OPTION_INVALID(f"manifests: {_name(obj)} has a pod on each node", option="manifests", rule=rule)
        counts = list(_counts(obj))
        if any(not isinstance(count, int | float) or isinstance(count, bool) for count in counts):
            raise OPTION_INVALID(f"{_name(obj)} has a count that is not a number", option="manifests", rule="numbers")
        highest = max([*counts, 1 if has_pods else 0])
        total += highest if has_pods else 0  # an autoscaler has no pods itself
        if max(highest, total) > limit:
            raise over_limit(target.name, f"replicas (with {_name(obj)})", max(highest, total), limit, str(limit))


def _counts(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key in _COUNTS and value is not None)
        for key, inner in node.items():
            if key not in ("metadata", "status"):
                yield from _counts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _counts(inner)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
