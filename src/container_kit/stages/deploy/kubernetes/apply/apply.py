"""Applying manifests so that they can be undone: check all, record what was there, re-apply that to go back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from container_kit.stages.artifacts.kubernetes import Applied, Manifests
from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.apply.diff import changes, like
from container_kit.stages.deploy.kubernetes.apply.managed_fields import applied_by_us, identity
from container_kit.stages.deploy.kubernetes.apply.prune import obsolete, remove
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.faults import POD_SECURITY

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """One object to apply."""

    wanted: Json
    path: str
    live: Json | None
    """The object as it is in the cluster; None where it is not there."""

    @property
    def what(self) -> str:
        """`Kind/name`."""
        return f"{self.wanted['kind']}/{self.wanted['metadata']['name']}"

    @property
    def differences(self) -> list[str]:
        """What applying it would change, as lines."""
        if self.live is None:
            return changes(None, self.wanted)
        return changes(self.before or like(self.live, self.wanted), self.wanted)

    @property
    def before(self) -> Json | None:
        """What we had applied."""
        return applied_by_us(self.live) if self.live is not None else None


async def plan(api: KubernetesApi, objects: Sequence[Any], namespace: str) -> list[Planned]:
    """Find out what is in the cluster of what shall be applied.

    Raises:
        StageFailure: `kubernetes.kind_unknown`, or a fault of the API. A kind whose definition is among the objects is
            left out of the plan until that has been applied.
    """
    defined = _kinds_defined(objects)
    planned = []
    for wanted in objects:
        try:
            path = await api.path(wanted, namespace=namespace)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.kind_unknown" and wanted["kind"] in defined:
                continue
            raise
        planned.append(Planned(wanted, path, await api.find(path)))
    return planned


async def check(api: KubernetesApi, planned: Sequence[Planned], *, force: bool) -> None:
    """Have the server check every object (dry run) before anything is changed.

    Raises:
        StageFailure: `kubernetes.conflict`, `kubernetes.invalid`, `kubernetes.immutable`, `kubernetes.forbidden`, or
            `kubernetes.pod_security` where the namespace enforces a level that its warning names.
    """
    enforced: dict[str, str] = {}
    for one in planned:
        known = len(api.warnings)
        await api.apply(one.wanted, one.path, dry_run=True, force=force)
        for warning in api.warnings[known:]:
            namespace = one.path.partition("/namespaces/")[2].partition("/")[0]
            if "would violate PodSecurity" in warning and namespace not in enforced:
                enforced[namespace] = await _enforced_level(api, namespace)
            if f'would violate PodSecurity "{enforced.get(namespace)}:' in warning:
                evidence = [Evidence(kind="condition", text=warning[:2000], where=one.what)]
                raise POD_SECURITY(f"{one.what} {warning[:300]}", evidence=evidence)


async def apply_all(
    api: KubernetesApi,
    manifests: Manifests,
    planned: Sequence[Planned],
    applied: list[Applied],
    *,
    force: bool,
    tell: Callable[[str, float | None], None],
) -> None:
    """Apply in order and remove what an earlier deployment had and this one has not.

    Args:
        api: The connection.
        manifests: What shall be.
        planned: The plan for it.
        applied: Grows with each change, so that whoever is interrupted knows what to undo.
        force: Take fields over that others manage.
        tell: Told each object.

    Raises:
        StageFailure: A fault of the API.
    """
    for index, one in enumerate(planned):
        tell(f"applying {one.what}", 0.3 * index / len(planned))
        await _apply_one(api, one, applied, force=force)
    known = {id(one.wanted) for one in planned}
    rest = [found for found in manifests.objects if id(found) not in known]
    if rest:  # kinds whose definitions have only now been applied
        for one in await plan(api, rest, manifests.namespace):
            await _apply_one(api, one, applied, force=force)
    for item in await obsolete(api, manifests):
        tell(f"removing {item['kind']}/{item['metadata']['name']}", 0.3)
        applied.append(await remove(api, item))


async def _apply_one(api: KubernetesApi, one: Planned, applied: list[Applied], *, force: bool) -> None:
    """Apply one object and note it; a change that was sent must be known, or it could not be undone."""
    with anyio.CancelScope(shield=True):
        try:
            applied.append(_applied(one, await api.apply(one.wanted, one.path, force=force)))
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.unreachable":  # it may have been done, and only the answer be lost
                applied.append(_applied(one, one.wanted))
            raise


def _applied(one: Planned, now: Json) -> Applied:
    metadata = now["metadata"]
    unchanged = one.live is not None and one.live["metadata"].get("resourceVersion") == metadata.get("resourceVersion")
    return Applied(
        kind=one.wanted["kind"],
        api_version=one.wanted["apiVersion"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        uid=metadata.get("uid"),
        change="created" if one.live is None else "unchanged" if unchanged else "changed",
        before=one.before if one.live is None or one.before is not None else identity(one.live),
    )


async def undo(api: KubernetesApi, applied: Sequence[Applied], on_first_failure: str) -> list[str]:
    """Go back to what was there, the last change first; what cannot be undone does not keep the rest from it.

    Args:
        api: The connection.
        applied: What was applied.
        on_first_failure: What becomes of objects that were made new: `delete`, `scale_to_zero` or `keep`.

    Returns:
        What could not be undone, each with the reason.
    """
    left = []
    for one in reversed(applied):
        try:
            await _undo_one(api, one, on_first_failure)
        except StageFailure as failure:
            said = " ".join(evidence.text for evidence in failure.fault.evidence[:3])
            left.append(f"{one.kind}/{one.name}: {said or failure.fault.message}"[:500])
    return left


async def _undo_one(api: KubernetesApi, one: Applied, on_first_failure: str) -> None:
    metadata = {"name": one.name, **({"namespace": one.namespace} if one.namespace else {})}
    path = await api.path({"apiVersion": one.api_version, "kind": one.kind, "metadata": metadata})
    if one.change == "created" and on_first_failure == "delete":
        await api.delete(path, uid=one.uid)
    elif one.change == "created" and on_first_failure == "scale_to_zero" and one.kind == "Deployment":
        await api.merge(path, {"spec": {"replicas": 0}})
    elif one.change in ("changed", "deleted") and one.before is not None:
        await api.apply(dict(one.before), path, force=True)


async def _enforced_level(api: KubernetesApi, namespace: str) -> str:
    found = await api.find(f"/api/v1/namespaces/{namespace}") or {}
    labels = (found.get("metadata") or {}).get("labels") or {}
    return str(labels.get("pod-security.kubernetes.io/enforce", "none"))


def _kinds_defined(objects: Sequence[Json]) -> set[str]:
    definitions = (found for found in objects if found["kind"] == "CustomResourceDefinition")
    return {str(((found.get("spec") or {}).get("names") or {}).get("kind")) for found in definitions}
