"""What a configured target decides: the cluster, the namespace, the registry, and the most that is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.deploy.kubernetes import validation as fields

OVER_LIMIT = FaultCode(
    "kubernetes.over_limit",
    means="The deployment asks for more than its target allows.",
    hint="Ask for at most {option}={limit}, or have the target's limit raised in container-kit.toml.",
)


def on_target(options: KubernetesOptions, target: Target | None) -> KubernetesOptions:
    """The options as they hold on a target.

    What the target says wins over defaults; a caller who asks for something else is refused, so that nobody leaves the
    cluster or namespace that an operator chose.

    Raises:
        StageFailure: `kubernetes.option_invalid`, `kubernetes.over_limit`.
    """
    if target is None:
        return options
    context, namespace = place_on(options.kube_context, options.namespace, target)
    registry = _decided("registry", options.registry, target, target.registry)
    place = {"kube_context": context, "namespace": namespace, "registry": registry}
    return options.model_copy(update={**place, **_limited(options, target)})


def place_on(context: str | None, namespace: str | None, target: Target | None) -> tuple[str | None, str | None]:
    """The kubeconfig's context and the namespace as a target decides them.

    Raises:
        StageFailure: `kubernetes.option_invalid` where the caller asks for others.
    """
    if target is None:
        return context, namespace
    return (
        _decided("kube_context", context, target, target.context),
        _decided("namespace", namespace, target, target.namespace),
    )


_OF_THE_CLUSTER = (
    "Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume", "StorageClass",
    "PriorityClass", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
)  # fmt: skip


def keep_inside(objects: Sequence[dict[str, Any]], target: Target | None) -> None:
    """Refuse a user's own objects that lie outside the namespace that a target allows.

    Raises:
        StageFailure: `kubernetes.option_invalid`.
    """
    if target is None or target.namespace is None:
        return
    for one in objects:
        where = one["metadata"].get("namespace")
        if where not in (None, target.namespace) or one["kind"] in _OF_THE_CLUSTER:
            what = f"{one['kind']}/{one['metadata'].get('name')}"
            place = f"in namespace {where}" if where else "of the whole cluster"
            rule = f"objects of namespace {target.namespace} alone, as target {target.name} says"
            raise fields.OPTION_INVALID(f"manifests: {what} is {place}", field="manifests", rule=rule)


def _decided(option: str, asked: str | None, target: Target, said: str | None) -> str | None:
    if said is not None and asked not in (None, said):
        rule = f"{said}, as target {target.name} says, or nothing"
        raise fields.OPTION_INVALID(f"{option} is not that of {target.name}", field=option, rule=rule)
    return said or asked


def _limited(options: KubernetesOptions, target: Target) -> dict[str, Any]:
    """Defaults lowered to the limits; what was asked for beyond them is refused."""
    limits, lowered = target.limits, {}
    allowed: dict[str, Any] = {}
    if limits.replicas is not None:
        allowed |= dict.fromkeys(("replicas", "max_replicas"), limits.replicas)
    if limits.memory_mb is not None:
        allowed |= dict.fromkeys(("memory", "memory_limit"), f"{limits.memory_mb}Mi")
    if limits.cpus is not None:
        allowed |= dict.fromkeys(("cpu", "cpu_limit"), f"{int(limits.cpus * 1000)}m")
    for option, limit in allowed.items():
        asked = getattr(options, option)
        if asked is None or _amount(option, asked) <= _amount(option, limit):
            continue
        if option in options.model_fields_set:
            within = NextAction(why=f"{target.name} allows {limit}", arguments={option: limit})
            message = f"{option}={asked} is more than {target.name} allows: {limit}"
            raise OVER_LIMIT(message, next_actions=[within], option=option, limit=limit)
        lowered[option] = limit
    return lowered


def _amount(option: str, value: int | str) -> Fraction:
    return Fraction(value) if isinstance(value, int) else fields.quantity(option, value)
