"""Applies manifests so that they can be undone: check all, record the previous objects, apply, restore."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from container_kit.stages.artifacts.kubernetes import Applied, Manifests
from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.apply.diff import changes, project
from container_kit.stages.deploy.kubernetes.apply.managed_fields import identity, last_applied
from container_kit.stages.deploy.kubernetes.apply.prune import delete, find_obsolete
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.faults import POD_SECURITY

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """One object to apply."""

    desired: Json
    path: str
    live: Json | None
    """The object in the cluster; None if it does not exist."""

    @property
    def label(self) -> str:
        """`Kind/name`."""
        return f"{self.desired['kind']}/{self.desired['metadata']['name']}"

    @property
    def differences(self) -> list[str]:
        """The changes that applying it would make, one line each."""
        if self.live is None:
            return changes(None, self.desired)
        return changes(self.before or project(self.live, self.desired), self.desired)

    @property
    def before(self) -> Json | None:
        """The manifest that Container Kit applied last."""
        return last_applied(self.live) if self.live is not None else None


async def plan(api: KubernetesApi, objects: Sequence[Any], namespace: str) -> list[Planned]:
    """Look up the objects to apply in the cluster.

    Raises:
        StageFailure: `kubernetes.kind_not_found`, or a fault of the API. A kind whose definition is among the objects
            is left out of the plan until the definition was applied.
    """
    defined = _kinds_defined(objects)
    planned = []
    for desired in objects:
        try:
            path = await api.path(desired, namespace=namespace)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.kind_not_found" and desired["kind"] in defined:
                continue
            raise
        planned.append(Planned(desired, path, await api.find(path)))
    return planned


async def check(api: KubernetesApi, planned: Sequence[Planned], *, force: bool) -> None:
    """Let the server check every object (dry run), without changing anything.

    Raises:
        StageFailure: `kubernetes.conflict`, `kubernetes.invalid`, `kubernetes.immutable`, `kubernetes.forbidden`, or
            `kubernetes.pod_security` if the namespace enforces the level that a warning names.
    """
    enforced: dict[str, str] = {}
    for item in planned:
        earlier = len(api.warnings)
        await api.apply(item.desired, item.path, dry_run=True, force=force)
        for warning in api.warnings[earlier:]:
            namespace = item.path.partition("/namespaces/")[2].partition("/")[0]
            if "would violate PodSecurity" in warning and namespace not in enforced:
                enforced[namespace] = await _enforced_level(api, namespace)
            if f'would violate PodSecurity "{enforced.get(namespace)}:' in warning:
                evidence = [Evidence(kind="condition", text=warning[:2000], where=item.label)]
                raise POD_SECURITY(f"{item.label} {warning[:300]}", evidence=evidence)


async def apply_all(
    api: KubernetesApi,
    manifests: Manifests,
    planned: Sequence[Planned],
    applied: list[Applied],
    *,
    force: bool,
    on_progress: Callable[[str, float | None], None],
) -> None:
    """Apply the objects in order, and delete those of an earlier deployment that are no longer part of it.

    Args:
        api: The connection.
        manifests: The desired state.
        planned: Its plan.
        applied: Receives each change, so that an interrupted caller knows what to undo.
        force: Take ownership of fields that others manage.
        on_progress: Called for each object.

    Raises:
        StageFailure: A fault of the API.
    """
    for index, item in enumerate(planned):
        on_progress(f"applying {item.label}", 0.3 * index / len(planned))
        await _apply_one(api, item, applied, force=force)
    done = {id(item.desired) for item in planned}
    rest = [obj for obj in manifests.objects if id(obj) not in done]
    if rest:  # kinds whose definitions were applied just now
        for item in await plan(api, rest, manifests.namespace):
            await _apply_one(api, item, applied, force=force)
    for obj in await find_obsolete(api, manifests):
        on_progress(f"removing {obj['kind']}/{obj['metadata']['name']}", 0.3)
        applied.append(await delete(api, obj))


async def _apply_one(api: KubernetesApi, item: Planned, applied: list[Applied], *, force: bool) -> None:
    """Apply one object and record it; an unrecorded change could not be undone."""
    with anyio.CancelScope(shield=True):
        try:
            applied.append(_applied(item, await api.apply(item.desired, item.path, force=force)))
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.unreachable":  # perhaps only the answer was lost
                applied.append(_applied(item, item.desired))
            raise


def _applied(item: Planned, result: Json) -> Applied:
    metadata = result["metadata"]
    unchanged = item.live is not None and item.live["metadata"].get("resourceVersion") == metadata.get(
        "resourceVersion"
    )
    return Applied(
        kind=item.desired["kind"],
        api_version=item.desired["apiVersion"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        uid=metadata.get("uid"),
        change="created" if item.live is None else "unchanged" if unchanged else "changed",
        before=item.before if item.live is None or item.before is not None else identity(item.live),
    )


async def undo(api: KubernetesApi, applied: Sequence[Applied], on_first_failure: str) -> list[str]:
    """Restore the previous objects, the last change first; a failure does not stop the rest.

    Args:
        api: The connection.
        applied: The changes to undo.
        on_first_failure: What happens to new objects: `delete`, `scale_to_zero` or `keep`.

    Returns:
        The objects that could not be restored, each with the reason.
    """
    failures = []
    for item in reversed(applied):
        try:
            await _undo_one(api, item, on_first_failure)
        except StageFailure as failure:
            reason = " ".join(evidence.text for evidence in failure.fault.evidence[:3])
            failures.append(f"{item.kind}/{item.name}: {reason or failure.fault.message}"[:500])
    return failures


async def _undo_one(api: KubernetesApi, item: Applied, on_first_failure: str) -> None:
    metadata = {"name": item.name, **({"namespace": item.namespace} if item.namespace else {})}
    path = await api.path({"apiVersion": item.api_version, "kind": item.kind, "metadata": metadata})
    if item.change == "created" and on_first_failure == "delete":
        await api.delete(path, uid=item.uid)
    elif item.change == "created" and on_first_failure == "scale_to_zero" and item.kind == "Deployment":
        await api.merge(path, {"spec": {"replicas": 0}})
    elif item.change in ("changed", "deleted") and item.before is not None:
        await api.apply(dict(item.before), path, force=True)


async def _enforced_level(api: KubernetesApi, namespace: str) -> str:
    resource = await api.find(f"/api/v1/namespaces/{namespace}") or {}
    labels = (resource.get("metadata") or {}).get("labels") or {}
    return str(labels.get("pod-security.kubernetes.io/enforce", "none"))


def _kinds_defined(objects: Sequence[Json]) -> set[str]:
    definitions = (obj for obj in objects if obj["kind"] == "CustomResourceDefinition")
    return {str(((obj.get("spec") or {}).get("names") or {}).get("kind")) for obj in definitions}
