"""The backend of a Kubernetes namespace: listing, logs, rollback and removal."""

from __future__ import annotations

import builtins
import shlex
from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from math import ceil
from typing import Any, ClassVar, Literal

import anyio

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    CommandOptions,
    CommandResult,
    ControlResult,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    Version,
)
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment, Manifests
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.backend import check_lines
from container_kit.stages.deploy.faults import OPTION_UNSUPPORTED, application_not_found, version_not_found
from container_kit.stages.deploy.kubernetes.apply.managed_fields import adopt_updates
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.find_rollout import ingress_hosts, list_objects, list_services
from container_kit.stages.deploy.kubernetes.manifests.generate import MANAGED_BY
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import STABLE_SECONDS
from container_kit.stages.deploy.kubernetes.rollout.revisions import (
    healthy_revisions,
    list_revisions,
    mark_healthy,
    revision_number,
    same_version,
)
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState, is_owned, pod_template
from container_kit.stages.deploy.kubernetes.rollout.watch import SUPERSEDED, matching_services, watch_rollouts
from container_kit.stages.deploy.kubernetes.validation import object_name
from container_kit.stages.docker.engine import DockerEngine

Json = dict[str, Any]
State = Literal["serving", "starting", "kept", "stopped"]

_MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
_ROLLOUT_SECONDS = 300.0
_UNDO_SECONDS = 60.0
_OWNED_KINDS = (
    ("networking.k8s.io/v1", "ingresses"), ("autoscaling/v2", "horizontalpodautoscalers"), ("v1", "services"),
    ("policy/v1", "poddisruptionbudgets"), ("apps/v1", "deployments"), ("networking.k8s.io/v1", "networkpolicies"),
    ("v1", "serviceaccounts"),
)  # fmt: skip
"""The objects of an application, in the order of removal."""
_UNSUPPORTED = (
    "port", "env_file", "read_only", "services", "volumes", "probe", "zero_downtime", "keep_versions",
)  # fmt: skip
"""The options of `full-deployment` that only deployments to this machine have."""


class KubernetesBackend:
    """The applications in the namespace of a target; implements `DeploymentBackend`.

    Args:
        target: The target; by default, its namespace is that of the context.
        engine: Not used.
        kubeconfig: Paths as in KUBECONFIG; None reads that variable.
        stable_seconds: How long a rolled-back version must stay complete.
    """

    full_deployment: ClassVar[str] = "full-deployment-kubernetes"
    deployment: ClassVar[type[Artifact]] = KubernetesDeployment

    def __init__(
        self,
        target: Target,
        engine: DockerEngine | None = None,
        kubeconfig: str | None = None,
        *,
        stable_seconds: float = STABLE_SECONDS,
    ) -> None:
        self._target = target
        self._kubeconfig = kubeconfig
        self._stable_seconds = stable_seconds

    @staticmethod
    def map_options(options: Mapping[str, Any], given: Set[str], target: str) -> dict[str, Any]:
        """Translate the options of `full-deployment` to Kubernetes options.

        Raises:
            StageFailure: `target.option_unsupported`.
        """
        unsupported = ", ".join(option for option in _UNSUPPORTED if option in given)
        if unsupported:
            message = f"{unsupported} is not supported by {target}, a Kubernetes target"
            raise OPTION_UNSUPPORTED(message, options=unsupported)
        mapped = {"container_port": None, "health_timeout": None, "port": options["container_port"]}
        if "memory_mb" in given:
            quantity = f"{options['memory_mb']}Mi"
            mapped |= {"memory_mb": None, "memory": quantity, "memory_limit": quantity}
        if "cpus" in given:
            mapped |= {"cpus": None, "cpu_limit": f"{options['cpus']:g}"}
        if "user" in given:
            mapped |= {"user": None, "run_as_user": _user_id(options["user"], target)}
        if "start_command" in given:
            mapped |= {"start_command": None, "args": _arguments(options["start_command"], target)}
        if "health_timeout" in given:
            mapped["startup_timeout"] = max(5, ceil(options["health_timeout"]))
        return mapped

    @staticmethod
    def summarize(deployment: KubernetesDeployment, verification: Verification | None) -> Sequence[str]:
        """Describe a rollout and its checks in a few lines."""
        changes = ", ".join(f"{item.kind} {item.change}" for item in deployment.applied if item.change != "unchanged")
        location = f"{deployment.name} in {deployment.namespace} of {deployment.context}"
        head = f"deployed {location} in {deployment.seconds:.1f} s: {changes or 'nothing changed'}"
        return [
            head if deployment.applied else location,
            *check_lines(verification),
            *(f"warning: {warning}" for warning in deployment.warnings),
        ]

    async def list(self, name: str | None) -> Sequence[Application]:
        """Return the applications that Container Kit deployed, or the Deployment of a name.

        Raises:
            StageFailure: `deployment.not_found`, or a fault of the API.
        """
        async with self._connect() as api:
            namespace = self._namespace(api)
            deployments = await list_objects(api, "apps/v1", "deployments", namespace)
            replica_sets = await list_objects(api, "apps/v1", "replicasets", namespace)
            selected = [deployment for deployment in deployments if name in (None, deployment["metadata"]["name"])]
            if name is None:
                selected = [d for d in selected if dig(d, "metadata", "labels", _MANAGED_BY_LABEL) == MANAGED_BY]
            elif not selected:
                raise application_not_found(name, self._target.name, [str(d["metadata"]["name"]) for d in deployments])
            services = await list_services(api, name or "", namespace)
            applications = []
            for deployment in selected:
                hosts = await ingress_hosts(api, namespace, matching_services(services, deployment))
                applications.append(_application(deployment, replica_sets, self._target, hosts))
        return applications

    async def logs(self, ctx: StageContext, name: str, version: str | None, lines: int) -> ApplicationLog:
        """Return the end of the log of a version's newest pod.

        Raises:
            StageFailure: `deployment.not_found`, `deployment.version_not_found`, or a fault of the API.
        """
        async with self._connect() as api:
            _, replica_sets = await self._find(api, name)
            selected = _select(name, version or _version_name(replica_sets[0]), replica_sets)
            listed = await list_objects(api, "v1", "pods", self._namespace(api))
            pods = [pod for pod in listed if is_owned(pod, selected)]
            if not pods:
                running = [_version_name(item) for item in replica_sets if dig(item, "status", "replicas")]
                raise version_not_found(name, version, running)
            pod = max(pods, key=lambda item: str(item["metadata"].get("creationTimestamp")))
            container = pod["spec"]["containers"][0]["name"]
            text = await api.logs(self._namespace(api), pod["metadata"]["name"], container, previous=False, lines=lines)
        return ApplicationLog(name=name, version=_version_name(selected), lines=tuple(ctx.redact(text).splitlines()))

    async def rollback(self, ctx: StageContext, name: str, version: str | None) -> RollbackResult:
        """Roll an earlier revision out again and watch the rollout; by default the last that was seen healthy.

        A revision is its whole pod template. The number of replicas stays.

        Raises:
            StageFailure: `deployment.not_found`, `deployment.version_not_found`, the reason of a failed rollout, or a
                fault of the API; the active revision is then restored.
        """
        async with self._connect() as api:
            live, revisions = await self._find(api, name)
            active, healthy = revisions[0], healthy_revisions(live, revisions)
            if version is None and not healthy:
                raise version_not_found(name, version, [])
            choices = healthy if version is None else [item for item in revisions[1:] if not same_version(item, live)]
            selected = _select(name, version or _version_name(healthy[0]), choices)
            await self._roll_out(ctx, api, live, pod_template(selected))
        return RollbackResult(
            name=name,
            on=self._target,
            version=_version_name(selected),
            image=_image(selected),
            replaced=_version_name(active),
        )

    async def _roll_out(self, ctx: StageContext, api: KubernetesApi, live: Json, template: Json) -> None:
        """Replace the pod template and watch the rollout; restore it if the rollout fails or is cancelled."""
        path = await api.path(live, namespace=self._namespace(api))
        manifests = Manifests(name=live["metadata"]["name"], namespace=self._namespace(api), objects=(live,))
        await mark_healthy(api, path, live)
        fault: Fault | None = None
        done = False
        try:
            since = api.server_time
            changed = await _replace_template(api, path, template)
            fault = await watch_rollouts(
                api,
                manifests,
                expected=[changed],
                since=since,
                seconds=_ROLLOUT_SECONDS,
                stable_seconds=self._stable_seconds,
                on_progress=ctx.progress,
            )
            done = fault is None
        finally:
            if not done and (fault is None or fault.code != SUPERSEDED.code):
                with anyio.CancelScope(shield=True), anyio.move_on_after(_UNDO_SECONDS):
                    await _replace_template(api, path, pod_template(live))
        if fault is not None:
            raise StageFailure(fault)
        await mark_healthy(api, path, await api.get(path), run_id=ctx.run_id)

    async def control(self, ctx: StageContext, name: str, action: Literal["stop", "start", "restart"]) -> ControlResult:
        """Raise `target.option_unsupported`, because replicas belong to the manifests or to an autoscaler."""
        raise OPTION_UNSUPPORTED(
            f"{self._target.name} is a Kubernetes target: use kubectl to {action} {name}", options="it"
        )

    async def execute(self, ctx: StageContext, name: str, options: CommandOptions) -> CommandResult:
        """Raise `target.option_unsupported`, because commands in pods need permissions that deployments do not have."""
        raise OPTION_UNSUPPORTED(
            f"{self._target.name} is a Kubernetes target: use kubectl exec for {name}", options="it"
        )

    async def remove(self, ctx: StageContext, name: str, removal: RemovalOptions) -> RemovalResult:
        """Remove the objects that Container Kit created; Secrets and volume claims belong to the user and stay.

        Raises:
            StageFailure: `deployment.not_found` if Container Kit created nothing of this name, or a fault of the API.
        """
        object_name("name", name)
        removed = []
        async with self._connect() as api:
            namespace = self._namespace(api)
            selector = f"app.kubernetes.io/name={name},{_MANAGED_BY_LABEL}={MANAGED_BY}"
            for api_version, plural in _OWNED_KINDS:
                for obj in await list_objects(api, api_version, plural, namespace, labelSelector=selector):
                    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
                    path = f"{root}/namespaces/{namespace}/{plural}/{obj['metadata']['name']}"
                    await api.delete(path, uid=obj["metadata"].get("uid"))
                    removed.append(f"{plural.removesuffix('s')} {obj['metadata']['name']}")
            if not removed:
                listed = await list_objects(api, "apps/v1", "deployments", namespace)
                managed = [d for d in listed if dig(d, "metadata", "labels", _MANAGED_BY_LABEL) == MANAGED_BY]
                names = sorted(str(deployment["metadata"]["name"]) for deployment in managed)
                raise application_not_found(name, self._target.name, names)
        return RemovalResult(name=name, target=self._target.name, removed=tuple(removed))

    def _connect(self) -> AbstractAsyncContextManager[KubernetesApi]:
        return connect(self._target.context, self._kubeconfig)

    def _namespace(self, api: KubernetesApi) -> str:
        return self._target.namespace or api.namespace

    async def _find(self, api: KubernetesApi, name: str) -> tuple[Json, builtins.list[Json]]:
        """Return a Deployment and its ReplicaSets, the newest revision first."""
        namespace = self._namespace(api)
        listed = await list_objects(api, "apps/v1", "deployments", namespace)
        deployments = {str(deployment["metadata"]["name"]): deployment for deployment in listed}
        if name not in deployments:
            raise application_not_found(name, self._target.name, sorted(deployments))
        live = {"apiVersion": "apps/v1", "kind": "Deployment", **deployments[name]}
        revisions = await list_revisions(api, live)
        if not revisions:
            raise version_not_found(name, None, [])
        return live, revisions


def _version_name(replica_set: Json) -> str:
    return str(replica_set["metadata"]["name"])


def _image(replica_set: Json) -> str:
    return str(replica_set["spec"]["template"]["spec"]["containers"][0].get("image"))


def _select(name: str, version: str, replica_sets: Sequence[Json]) -> Json:
    """Return the ReplicaSet of a version: by its name, its revision, or its image."""
    for replica_set in replica_sets:
        if version in (_version_name(replica_set), str(revision_number(replica_set)), _image(replica_set)):
            return replica_set
    raise version_not_found(name, version, [_version_name(replica_set) for replica_set in replica_sets])


async def _replace_template(api: KubernetesApi, path: str, template: Json) -> Json:
    """Replace the whole pod template, as `kubectl rollout undo` does, and read it back.

    Merging it would leave what only the other version has, such as a second container.

    Raises:
        StageFailure: `kubernetes.superseded` if another template was found afterwards, or a fault of the API.
    """
    metadata = {key: value for key, value in template["metadata"].items() if value}
    value = {**template, "metadata": metadata}
    await api.patch(path, [{"op": "replace", "path": "/spec/template", "value": value}])
    live = await adopt_updates(api, path)
    if pod_template(live) != template:
        raise SUPERSEDED("another deployment replaced the pod template", evidence=[])
    return {"apiVersion": "apps/v1", "kind": "Deployment", **live}


def _application(deployment: Json, replica_sets: Sequence[Json], target: Target, hosts: Sequence[str]) -> Application:
    state = RolloutState(str(deployment["metadata"]["name"]), deployment=deployment)
    owned = sorted((item for item in replica_sets if is_owned(item, deployment)), key=revision_number, reverse=True)
    replicas = dig(deployment, "spec", "replicas")
    newest: State = "stopped" if replicas == 0 else "serving" if state.complete else "starting"
    versions = [
        Version(
            version=_version_name(replica_set),
            image=_image(replica_set),
            state=newest if replica_set is owned[0] else "kept",
            created=str(replica_set["metadata"].get("creationTimestamp") or ""),
        )
        for replica_set in owned
    ]
    return Application(
        name=state.name or "",
        target=target.name,
        url=f"https://{hosts[0]}/" if hosts else None,
        state="serving" if dig(deployment, "status", "availableReplicas") else "stopped",
        versions=tuple(versions),
    )


def _user_id(user: str, target: str) -> int:
    """Return a user as the number that a pod needs."""
    if not user.isdecimal():
        raise OPTION_UNSUPPORTED(f"user must be a number on {target}, a Kubernetes target", options="user")
    return int(user)


def _arguments(command: str, target: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        message = f"start_command cannot be split into arguments for {target}"
        raise OPTION_UNSUPPORTED(message, options="start_command") from None
