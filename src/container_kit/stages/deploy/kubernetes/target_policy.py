"""The settings that a configured target enforces: the cluster, the namespace, the registry and the limits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.artifacts.target import Target
from container_kit.stages.deploy.faults import OPTION_INVALID, over_limit
from container_kit.stages.deploy.kubernetes.validation import quantity


def apply_target(options: KubernetesOptions, target: Target | None) -> KubernetesOptions:
    """Apply a target's settings to the options.

    The settings override defaults. A different explicit value is rejected, so that no caller leaves the cluster or
    namespace that the operator chose.

    Raises:
        StageFailure: `deploy.option_invalid`, `target.over_limit`.
    """
    if target is None:
        return options
    context, namespace = resolve_location(options.kube_context, options.namespace, target)
    registry = _target_value("registry", options.registry, target, target.registry)
    location = {"kube_context": context, "namespace": namespace, "registry": registry}
    return options.model_copy(update={**location, **_limits(options, target)})


def resolve_location(
    context: str | None, namespace: str | None, target: Target | None
) -> tuple[str | None, str | None]:
    """Return the kubeconfig context and the namespace with a target's settings.

    Raises:
        StageFailure: `deploy.option_invalid` if the caller requests others.
    """
    if target is None or target.implicit:
        return context, namespace
    return (
        _fixed_value("kube_context", context, target, target.context),
        _fixed_value("namespace", namespace, target, target.namespace),
    )


def require_namespace(objects: Sequence[dict[str, Any]], target: Target | None) -> None:
    """Reject a user's objects in another namespace than the target's; `object_policy` checks the kinds.

    Raises:
        StageFailure: `deploy.option_invalid`.
    """
    if target is None or target.implicit or target.namespace is None:
        return
    for obj in objects:
        namespace = obj["metadata"].get("namespace")
        if namespace not in (None, target.namespace):
            name = f"{obj['kind']}/{obj['metadata'].get('name')}"
            scope = f"in namespace {str(namespace)[:80]!r}"
            rule = f"only objects of namespace {target.namespace}, which target {target.name} sets"
            raise OPTION_INVALID(f"manifests: {name} is {scope}", option="manifests", rule=rule)


def _fixed_value(option: str, requested: str | None, target: Target, setting: str | None) -> str | None:
    """Return a setting that decides the place. Without it, the caller cannot choose either: the default applies."""
    if setting is None and requested is not None:
        rule = f"nothing: target {target.name} has the default, and callers cannot leave it"
        raise OPTION_INVALID(f"{option} cannot be chosen on {target.name}", option=option, rule=rule)
    return _target_value(option, requested, target, setting)


def _target_value(option: str, requested: str | None, target: Target, setting: str | None) -> str | None:
    if setting is not None and requested not in (None, setting):
        rule = f"{setting}, which target {target.name} sets, or nothing"
        raise OPTION_INVALID(f"{option} differs from that of {target.name}", option=option, rule=rule)
    return setting or requested


def _limits(options: KubernetesOptions, target: Target) -> dict[str, Any]:
    """Lower defaults to the limits; reject explicit values above them."""
    limits, lowered = target.limits, {}
    allowed: dict[str, Any] = {}
    if limits.replicas is not None:
        allowed |= dict.fromkeys(("replicas", "max_replicas"), limits.replicas)
    if limits.memory_mb is not None:
        allowed |= dict.fromkeys(("memory", "memory_limit"), f"{limits.memory_mb}Mi")
    if limits.cpus is not None:
        allowed |= dict.fromkeys(("cpu", "cpu_limit"), f"{int(limits.cpus * 1000)}m")
    for option, limit in allowed.items():
        requested = options.initial_replicas if option == "replicas" else getattr(options, option)
        if requested is None or _amount(option, requested) <= _amount(option, limit):
            continue
        if option in options.model_fields_set:
            raise over_limit(target.name, option, requested, limit, str(limit))
        lowered[option] = limit
    return lowered


def _amount(option: str, value: int | str) -> Fraction:
    return Fraction(value) if isinstance(value, int) else quantity(option, value)
