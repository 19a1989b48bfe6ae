"""The revisions of a Deployment: which were seen healthy, and so may be rolled back to.

A revision is its whole pod template. Kubernetes keeps the ReplicaSets of failed rollouts too, and does not record which
of them were ever healthy; an annotation on the ReplicaSet does.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import anyio

from container_kit.stages.artifacts.kubernetes import Manifests
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState, is_owned, pod_template, read_time
from container_kit.stages.docker import labels

Json = dict[str, Any]

_REVISION = "deployment.kubernetes.io/revision"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_OBSERVE_SECONDS = 10.0


def revision_number(replica_set: Json) -> int:
    """Return the revision of a ReplicaSet."""
    return int(dig(replica_set, "metadata", "annotations", _REVISION) or 0)


def same_version(one: Json, other: Json) -> bool:
    """Return whether two objects have the same pod template; a restart does not make another version."""
    return _without_restart(pod_template(one)) == _without_restart(pod_template(other))


def _without_restart(template: Json) -> Json:
    metadata = template["metadata"]
    annotations = {key: value for key, value in metadata["annotations"].items() if key != _RESTARTED}
    return {**template, "metadata": {**metadata, "annotations": annotations}}


async def list_revisions(api: KubernetesApi, deployment: Json) -> list[Json]:
    """Return the ReplicaSets of a Deployment, the newest revision first.

    Raises:
        StageFailure: A fault of the API.
    """
    path = await api.collection("apps/v1", "ReplicaSet", deployment["metadata"]["namespace"])
    listed = (await api.get(path)).get("items") or []
    return sorted((item for item in listed if is_owned(item, deployment)), key=revision_number, reverse=True)


def healthy_revisions(deployment: Json, revisions: Sequence[Json]) -> list[Json]:
    """Return the revisions before the current one that were seen healthy, the newest first.

    A revision was healthy if it is marked, or if the Deployment has been available since a time at which the revision
    was its newest.

    Args:
        deployment: The Deployment.
        revisions: Its ReplicaSets, the newest revision first.
    """
    available = _available_since(deployment)
    existed = [item for item in revisions if available is not None and _created(item) <= available]
    proven = existed[0]["metadata"]["name"] if existed else None
    return [
        item
        for item in revisions[1:]
        if not same_version(item, deployment)
        and (dig(item, "metadata", "annotations", labels.HEALTHY) or item["metadata"]["name"] == proven)
    ]


async def mark_healthy_revisions(api: KubernetesApi, manifests: Manifests, *, run_id: str | None = None) -> None:
    """Mark the current revision of each Deployment whose rollout is complete. A mark that fails is left out.

    Args:
        api: The connection.
        manifests: The objects of the application.
        run_id: The run that rolled them out, which is written to the Deployments.
    """
    for manifest in manifests.of_kind("Deployment"):
        with suppress(StageFailure):
            path = await api.path(manifest, namespace=manifests.namespace)
            live = await api.find(path)
            if live is not None:
                await mark_healthy(api, path, live, run_id=run_id)


async def mark_healthy(api: KubernetesApi, path: str, live: Json, *, run_id: str | None = None) -> None:
    """Mark the current revision of a Deployment if its rollout is complete.

    Raises:
        StageFailure: A fault of the API.
    """
    if not RolloutState(deployment=live).complete:
        return
    for revision in await list_revisions(api, live):
        if pod_template(revision) == pod_template(live):
            await _annotate(api, await _path(api, revision), labels.HEALTHY, "true")
            break
    if run_id is not None:
        await _annotate(api, path, labels.RUN, run_id)


async def delete_failed_revisions(api: KubernetesApi, manifests: Manifests, *, since: datetime) -> None:
    """Delete the revisions that a failed rollout left, so that they do not push healthy ones out of the history.

    Args:
        api: The connection.
        manifests: The objects of the application.
        since: The server's time before the rollout.
    """
    for manifest in manifests.of_kind("Deployment"):
        with suppress(StageFailure), anyio.move_on_after(_OBSERVE_SECONDS):
            live = await _observed(api, await api.path(manifest, namespace=manifests.namespace))
            for revision in await list_revisions(api, live) if live is not None else []:
                failed = not dig(revision, "metadata", "annotations", labels.HEALTHY) and not same_version(
                    revision, live or {}
                )
                if failed and _created(revision) >= since.replace(microsecond=0):
                    await api.delete(await _path(api, revision), uid=revision["metadata"].get("uid"))


async def _observed(api: KubernetesApi, path: str) -> Json | None:
    """Return a Deployment once its controller has seen the restored template: it would create the revision again."""
    while True:
        live = await api.find(path)
        if live is None or RolloutState(deployment=live).observed:
            return live
        await anyio.sleep(0.5)


async def _annotate(api: KubernetesApi, path: str, key: str, value: str) -> None:
    await api.merge(path, {"metadata": {"annotations": {key: value}}})


async def _path(api: KubernetesApi, replica_set: Json) -> str:
    return await api.path({"apiVersion": "apps/v1", "kind": "ReplicaSet", **replica_set})


def _available_since(deployment: Json) -> datetime | None:
    for condition in dig(deployment, "status", "conditions") or []:
        if condition.get("type") == "Available" and condition.get("status") == "True":
            return read_time(condition.get("lastTransitionTime"))
    return None


def _created(replica_set: Json) -> datetime:
    return read_time(dig(replica_set, "metadata", "creationTimestamp")) or datetime.max.replace(tzinfo=UTC)
