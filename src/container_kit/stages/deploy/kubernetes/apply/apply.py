"""Applies manifests so that they can be undone: check all, record the previous objects, apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio

from container_kit.stages.artifacts.kubernetes import Applied, Manifests
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.apply.diff import changes, project
from container_kit.stages.deploy.kubernetes.apply.managed_fields import identity, last_applied
from container_kit.stages.deploy.kubernetes.apply.prune import delete, find_obsolete
from container_kit.stages.deploy.kubernetes.apply.undo import fingerprint
from container_kit.stages.deploy.kubernetes.cluster.api import FIELD_MANAGER, KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.faults import POD_SECURITY

Json = dict[str, Any]

_REPLICAS_MANAGER = f"{FIELD_MANAGER}-replicas"
"""Keeps the number of replicas of a Deployment when a manifest no longer sets it."""
_MANAGER = re.compile(r'conflict with "([^"]+)"')


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

    def with_live_replicas(self) -> Planned:
        """Return the plan with the live number of replicas, or without one if somebody else has set it since."""
        if self.live is None or self.desired["kind"] != "Deployment" or "replicas" not in self.desired["spec"]:
            return self
        ours = ((self.before or {}).get("spec") or {}).get("replicas")
        spec = {key: value for key, value in self.desired["spec"].items() if key != "replicas"}
        if ours is not None:
            spec = {"replicas": ours, **spec}
        return replace(self, desired={**self.desired, "spec": spec})

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
        await _apply(api, item, dry_run=True, force=force)
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
) -> list[Json]:
    """Apply the objects in order, and delete those of an earlier deployment that are no longer part of it.

    Args:
        api: The connection.
        manifests: The desired state.
        planned: Its plan.
        applied: Receives each change, so that an interrupted caller knows what to undo.
        force: Take ownership of fields that others manage.
        on_progress: Called for each object.

    Returns:
        The objects as the API server answered.

    Raises:
        StageFailure: A fault of the API.
    """
    results = []
    for index, item in enumerate(planned):
        on_progress(f"applying {item.label}", 0.3 * index / len(planned))
        results.append(await _apply_one(api, item, applied, force=force))
    done = {_key(item.desired) for item in planned}
    rest = [obj for obj in manifests.objects if _key(obj) not in done]
    if rest:  # kinds whose definitions were applied just now
        late = await plan(api, rest, manifests.namespace)
        results += [await _apply_one(api, item, applied, force=force) for item in late]
    for obj in await find_obsolete(api, manifests):
        on_progress(f"removing {obj['kind']}/{obj['metadata']['name']}", 0.3)
        applied.append(await delete(api, obj))
    return results


def _key(obj: Json) -> tuple[str, str, str | None, str]:
    metadata = obj["metadata"]
    return obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"]


async def _apply_one(api: KubernetesApi, item: Planned, applied: list[Applied], *, force: bool) -> Json:
    """Apply one object and record it; an unrecorded change could not be undone."""
    with anyio.CancelScope(shield=True):
        try:
            await _hand_over_replicas(api, item)
            result = await _apply(api, item, force=force)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.unreachable":  # perhaps only the answer was lost
                applied.append(_applied(item, None, force=force))
            raise
        applied.append(_applied(item, result, force=force))
    return result


async def _apply(api: KubernetesApi, item: Planned, *, force: bool, dry_run: bool = False) -> Json:
    """Apply an object. Fields that earlier changes of Container Kit own under another entry do not conflict."""
    try:
        return await api.apply(item.desired, item.path, dry_run=dry_run, force=force)
    except StageFailure as failure:
        managers = {name for evidence in failure.fault.evidence for name in _MANAGER.findall(evidence.text)}
        if failure.fault.code != "kubernetes.conflict" or not managers <= {FIELD_MANAGER, _REPLICAS_MANAGER}:
            raise
    return await api.apply(item.desired, item.path, dry_run=dry_run, force=True)


async def _hand_over_replicas(api: KubernetesApi, item: Planned) -> None:
    """Keep the live number of replicas if the manifest no longer sets it; given up, it would become 1."""
    if item.desired["kind"] != "Deployment" or "replicas" in (item.desired.get("spec") or {}):
        return
    if item.live is None or "replicas" not in ((item.before or {}).get("spec") or {}):
        return
    # `before` names no value of a field that another manager owns now, so the live one is ours
    kept = {**identity(item.live), "spec": {"replicas": item.live["spec"]["replicas"]}}
    await api.apply(kept, item.path, manager=_REPLICAS_MANAGER, force=True)


def _applied(item: Planned, result: Json | None, *, force: bool) -> Applied:
    """Return the record of an applied object.

    Args:
        item: The object.
        result: The answer of the API server; None if it was lost.
        force: Whether fields were taken from other managers.
    """
    took_over = item.live is not None and (force or item.before is None)
    answer, result = result, result or item.live or item.desired
    metadata = result["metadata"]
    unchanged = item.live is not None and not took_over and answer is not None and _same_content(item.live, answer)
    return Applied(
        kind=item.desired["kind"],
        api_version=item.desired["apiVersion"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        uid=metadata.get("uid"),
        change="created" if item.live is None else "unchanged" if unchanged else "changed",
        before=item.before,
        live={key: value for key, value in item.live.items() if key != "status"} if took_over and item.live else None,
        after=None if answer is None else fingerprint(answer, whole=took_over),
    )


def _same_content(one: Json, other: Json) -> bool:
    """Return whether two states of an object differ at most in what its controller writes."""
    replicas = [(obj.get("spec") or {}).get("replicas") for obj in (one, other)]
    return replicas[0] == replicas[1] and fingerprint(one, whole=True) == fingerprint(other, whole=True)


async def _enforced_level(api: KubernetesApi, namespace: str) -> str:
    resource = await api.find(f"/api/v1/namespaces/{namespace}") or {}
    labels = (resource.get("metadata") or {}).get("labels") or {}
    return str(labels.get("pod-security.kubernetes.io/enforce", "none"))


def _kinds_defined(objects: Sequence[Json]) -> set[str]:
    definitions = (obj for obj in objects if obj["kind"] == "CustomResourceDefinition")
    return {str(((obj.get("spec") or {}).get("names") or {}).get("kind")) for obj in definitions}
