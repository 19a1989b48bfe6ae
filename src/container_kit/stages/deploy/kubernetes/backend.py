"""Looking after applications in a cluster: what is there, what it prints, going back, removing it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import anyio

from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    Version,
)
from container_kit.stages.artifacts.kubernetes import Manifests
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.backend import unknown, version_unknown
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.deploy.kubernetes.apply.managed_fields import applied_by_us, identity
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.find_rollout import hosts_of, listed
from container_kit.stages.deploy.kubernetes.manifests.generate import MANAGED_BY
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import STABLE_SECONDS
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState, is_owned
from container_kit.stages.deploy.kubernetes.rollout.watch import services_of, watch_rollouts

Json = dict[str, Any]
State = Literal["serving", "starting", "kept", "stopped"]

_REVISION = "deployment.kubernetes.io/revision"
_ROLLOUT_SECONDS = 300.0
_UNDO_SECONDS = 30.0
_OURS = (
    ("networking.k8s.io/v1", "ingresses"), ("autoscaling/v2", "horizontalpodautoscalers"), ("v1", "services"),
    ("policy/v1", "poddisruptionbudgets"), ("apps/v1", "deployments"), ("networking.k8s.io/v1", "networkpolicies"),
    ("v1", "serviceaccounts"),
)  # fmt: skip
"""What an application is made of, in the order of removing."""


class KubernetesBackend:
    """The namespace of a target.

    Args:
        target: The target; without a namespace it is that of the context.
        kubeconfig: Paths as in KUBECONFIG; None takes that variable.
        stable_seconds: How long a version that was gone back to must stay complete.
    """

    def __init__(
        self, target: Target, kubeconfig: str | None = None, *, stable_seconds: float = STABLE_SECONDS
    ) -> None:
        self._target = target
        self._kubeconfig = kubeconfig
        self._stable_seconds = stable_seconds

    async def describe(self, name: str | None) -> list[Application]:
        """The applications that we deployed, or the Deployment of a name.

        Raises:
            StageFailure: `deployment.unknown`, or a fault of the API.
        """
        async with self._connected() as api:
            namespace = self._namespace(api)
            deployments = await listed(api, "apps/v1", "deployments", namespace)
            replica_sets = await listed(api, "apps/v1", "replicasets", namespace)
            services = [{**one, "kind": "Service"} for one in await listed(api, "v1", "services", namespace)]
            ours = [one for one in deployments if name in (None, one["metadata"]["name"])]
            if name is None:
                ours = [one for one in ours if dig(one, "metadata", "labels", _LABEL) == MANAGED_BY]
            elif not ours:
                raise unknown(name, self._target.name, [str(one["metadata"]["name"]) for one in deployments])
            found = []
            for one in ours:
                around = Manifests(name=one["metadata"]["name"], namespace=namespace, objects=tuple(services))
                hosts = await hosts_of(api, namespace, services_of(around, one))
                found.append(_application(one, replica_sets, self._target, hosts))
        return found

    async def log(self, ctx: StageContext, name: str, version: str | None, lines: int) -> ApplicationLog:
        """The end of what the newest pod of a version printed.

        Raises:
            StageFailure: `deployment.unknown`, `deployment.version_unknown`, or a fault of the API.
        """
        async with self._connected() as api:
            _, replica_sets = await self._of(api, name)
            chosen = _chosen(name, version or _name_of(replica_sets[0]), replica_sets)
            pods = [pod for pod in await listed(api, "v1", "pods", self._namespace(api)) if is_owned(pod, chosen)]
            if not pods:
                running = [_name_of(one) for one in replica_sets if dig(one, "status", "replicas")]
                raise version_unknown(name, version, running)
            pod = max(pods, key=lambda one: str(one["metadata"].get("creationTimestamp")))
            container = pod["spec"]["containers"][0]["name"]
            text = await api.logs(self._namespace(api), pod["metadata"]["name"], container, previous=False, lines=lines)
        return ApplicationLog(name=name, version=_name_of(chosen), lines=tuple(ctx.redact(text).splitlines()))

    async def go_back(self, ctx: StageContext, name: str, version: str | None) -> RollbackResult:
        """Roll an earlier revision out again, watched like any rollout; by default the one before.

        Raises:
            StageFailure: `deployment.unknown`, `deployment.version_unknown`, why the rollout failed, or a fault of the
                API; what served before is restored then.
        """
        async with self._connected() as api:
            live, replica_sets = await self._of(api, name)
            serves, earlier = replica_sets[0], replica_sets[1:]
            if not earlier:
                raise version_unknown(name, version, [])
            chosen = _chosen(name, version or _name_of(earlier[0]), earlier)
            before = applied_by_us(live) or identity(live)
            await self._rolled_out(ctx, api, live, before, _as_it_was(before, live, chosen))
            image = str(chosen["spec"]["template"]["spec"]["containers"][0].get("image"))
        return RollbackResult(
            name=name, on=self._target, version=_name_of(chosen), image=image, replaced=_name_of(serves)
        )

    async def _rolled_out(self, ctx: StageContext, api: KubernetesApi, live: Json, before: Json, wanted: Json) -> None:
        """Apply a manifest and watch its rollout; one that fails or is cancelled is undone."""
        path = await api.path(live, namespace=self._namespace(api))
        fault: Fault | None = None
        done = False
        try:
            since = api.server_time
            await api.apply(wanted, path, force=True)
            fault = await watch_rollouts(
                api,
                Manifests(name=wanted["metadata"]["name"], namespace=self._namespace(api), objects=(wanted,)),
                since=since,
                seconds=_ROLLOUT_SECONDS,
                stable_seconds=self._stable_seconds,
                on_progress=ctx.progress,
            )
            done = fault is None
        finally:
            if not done:
                with anyio.CancelScope(shield=True), anyio.move_on_after(_UNDO_SECONDS):
                    await api.apply(before, path, force=True)
        if fault is not None:
            raise StageFailure(fault)

    async def remove(self, ctx: StageContext, name: str, removal: RemovalOptions) -> RemovalResult:
        """Remove what we made for an application; Secrets and volume claims are the user's own and stay.

        Raises:
            StageFailure: A fault of the API.
        """
        fields.object_name("name", name)
        removed = []
        async with self._connected() as api:
            selector = f"app.kubernetes.io/name={name},{_LABEL}={MANAGED_BY}"
            for api_version, plural in _OURS:
                for found in await listed(api, api_version, plural, self._namespace(api), labelSelector=selector):
                    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
                    path = f"{root}/namespaces/{self._namespace(api)}/{plural}/{found['metadata']['name']}"
                    await api.delete(path, uid=found["metadata"].get("uid"))
                    removed.append(f"{plural.removesuffix('s')} {found['metadata']['name']}")
        return RemovalResult(name=name, target=self._target.name, removed=tuple(removed))

    def _connected(self) -> AbstractAsyncContextManager[KubernetesApi]:
        return connect(self._target.context, self._kubeconfig)

    def _namespace(self, api: KubernetesApi) -> str:
        return self._target.namespace or api.namespace

    async def _of(self, api: KubernetesApi, name: str) -> tuple[Json, list[Json]]:
        """A Deployment and its ReplicaSets, the newest revision first."""
        namespace = self._namespace(api)
        deployments = await listed(api, "apps/v1", "deployments", namespace)
        there = {str(one["metadata"]["name"]): one for one in deployments}
        if name not in there:
            raise unknown(name, self._target.name, sorted(there))
        live = {"apiVersion": "apps/v1", "kind": "Deployment", **there[name]}
        owned = [one for one in await listed(api, "apps/v1", "replicasets", namespace) if is_owned(one, live)]
        if not owned:
            raise version_unknown(name, None, [])
        return live, sorted(owned, key=_revision, reverse=True)


_LABEL = "app.kubernetes.io/managed-by"


def _revision(replica_set: Json) -> int:
    return int(dig(replica_set, "metadata", "annotations", _REVISION) or 0)


def _name_of(replica_set: Json) -> str:
    return str(replica_set["metadata"]["name"])


def _chosen(name: str, version: str, replica_sets: Sequence[Json]) -> Json:
    """The ReplicaSet of a version: by its own name, its revision, or its image."""
    for one in replica_sets:
        image = one["spec"]["template"]["spec"]["containers"][0].get("image")
        if version in (_name_of(one), str(_revision(one)), image):
            return one
    raise version_unknown(name, version, [_name_of(one) for one in replica_sets])


def _as_it_was(before: Json, live: Json, replica_set: Json) -> Json:
    """The manifest with an earlier pod template, without the label that the controller adds to it."""
    template = dict(replica_set["spec"]["template"])
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    metadata["labels"] = {key: one for key, one in (metadata.get("labels") or {}).items() if key != "pod-template-hash"}
    spec = before.get("spec") or {"selector": live["spec"]["selector"]}
    return {**before, "spec": {**spec, "template": {**template, "metadata": metadata}}}


def _application(deployment: Json, replica_sets: Sequence[Json], target: Target, hosts: Sequence[str]) -> Application:
    state = RolloutState(str(deployment["metadata"]["name"]), deployment=deployment)
    owned = sorted((one for one in replica_sets if is_owned(one, deployment)), key=_revision, reverse=True)
    wanted = dig(deployment, "spec", "replicas")
    newest: State = "stopped" if wanted == 0 else "serving" if state.complete else "starting"
    versions = [
        Version(
            version=_name_of(one),
            image=str(one["spec"]["template"]["spec"]["containers"][0].get("image")),
            state=newest if one is owned[0] else "kept",
            created=str(one["metadata"].get("creationTimestamp") or ""),
        )
        for one in owned
    ]
    return Application(
        name=state.name or "",
        target=target.name,
        url=f"https://{hosts[0]}/" if hosts else None,
        state="serving" if dig(deployment, "status", "availableReplicas") else "stopped",
        versions=tuple(versions),
    )
