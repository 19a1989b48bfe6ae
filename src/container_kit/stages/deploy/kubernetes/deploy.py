"""Rolling an application out: check, apply, watch until it has proved itself, else go back and say why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import anyio

from container_kit.stages.artifacts.kubernetes import (
    Applied,
    Cluster,
    KubernetesDeployment,
    KubernetesOptions,
    Manifests,
)
from container_kit.stages.contract.fault import Evidence, Fault, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.kubernetes.apply.apply import Planned, apply_all, check, plan, undo
from container_kit.stages.deploy.kubernetes.apply.prune import obsolete
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import STABLE_SECONDS
from container_kit.stages.deploy.kubernetes.rollout.faults import ROLLOUT_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.watch import ROLLOUT_TIMEOUT, services_of, watch_rollouts

Json = dict[str, Any]

NOTHING_TO_APPLY = FaultCode(
    "kubernetes.nothing_to_apply",
    means="There is no object to apply.",
    hint="Put at least one object into the manifests.",
)
UNDO_INCOMPLETE = FaultCode(
    "kubernetes.undo_incomplete",
    means="Not everything that was there before could be restored.",
    hint="Restore by hand, or run the undo again: {objects}.",
    retryable=True,
)

_APPLY_AGAIN = NextAction(why="Mend in the manifests, or in what they name, what the hint says; then apply them again")
_UNDO_SECONDS = 30.0
_UNWATCHED = ("StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")


class DeployToKubernetes(Stage[KubernetesDeployment]):
    """Apply the manifests and watch the rollout; a failure says why, and what was there before is restored.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None takes that variable.
        stable_seconds: How long a complete rollout must stay so before it counts as a success.
    """

    faults = (
        ROLLOUT_TIMEOUT, NOTHING_TO_APPLY, UNDO_INCOMPLETE, *ROLLOUT_FAULTS, *API_FAULTS, *KUBECONFIG_FAULTS
    )  # fmt: skip

    def __init__(self, kubeconfig: str | None = None, *, stable_seconds: float = STABLE_SECONDS) -> None:
        self._kubeconfig = kubeconfig
        self._stable_seconds = stable_seconds

    async def validate(
        self, ctx: StageContext, manifests: Manifests, options: KubernetesOptions, cluster: Cluster
    ) -> None:
        """Have the API server check every object; nothing is changed.

        Raises:
            StageFailure: A fault of the API, `kubernetes.pod_security`, `kubernetes.nothing_to_apply`.
        """
        async with connect(cluster.context, self._kubeconfig) as api:
            await _checked_plan(api, manifests, options)

    async def execute(
        self, ctx: StageContext, manifests: Manifests, options: KubernetesOptions, cluster: Cluster
    ) -> KubernetesDeployment:
        """Roll out.

        Raises:
            StageFailure: Why the rollout failed. What was there before is restored then, as the message says.
        """
        started = time.monotonic()
        async with connect(cluster.context, self._kubeconfig) as api:
            planned = await _checked_plan(api, manifests, options)
            applied: list[Applied] = []
            try:
                since = api.server_time
                await apply_all(api, manifests, planned, applied, force=options.force_conflicts, tell=ctx.progress)
                await self._watch(ctx, api, manifests, options, since)
            except BaseException as error:
                left = await _go_back(api, applied, options)
                if isinstance(error, StageFailure):
                    raise StageFailure(_told_with(error.fault, applied, left, options)) from error
                raise
            ctx.progress("the rollout is complete and stable", 1.0)
            return await _deployment(api, manifests, options, applied, time.monotonic() - started)

    async def _watch(
        self, ctx: StageContext, api: KubernetesApi, manifests: Manifests, options: KubernetesOptions, since: Any
    ) -> None:
        fault = await watch_rollouts(
            api,
            manifests,
            since=since,
            seconds=options.rollout_timeout,
            stable_seconds=self._stable_seconds,
            on_progress=lambda line, share: ctx.progress(line, None if share is None else 0.3 + 0.6 * share),
        )
        if fault is not None:
            ctx.progress(f"failed: {fault.message}")
            if not fault.next_actions and not manifests.generated:
                fault = fault.model_copy(update={"next_actions": (_APPLY_AGAIN,)})
            raise StageFailure(fault)

    async def rollback(self, ctx: StageContext, made: KubernetesDeployment) -> None:
        """Re-apply what was recorded before this deployment, with the same field manager.

        Raises:
            StageFailure: `kubernetes.undo_incomplete`, or no connection.
        """
        async with connect(made.context, self._kubeconfig) as api:
            left = await undo(api, made.applied, made.on_first_failure)
        if left:
            evidence = [Evidence(kind="value", text=line) for line in left]
            raise UNDO_INCOMPLETE("not everything could be restored", evidence=evidence, objects="; ".join(left)[:500])

    async def preview(
        self, ctx: StageContext, manifests: Manifests, options: KubernetesOptions, cluster: Cluster
    ) -> Preview[KubernetesDeployment]:
        """The fields that would change, after the API server has checked them."""
        async with connect(cluster.context, self._kubeconfig) as api:
            planned = await _checked_plan(api, manifests, options)
            says = [line for one in planned for line in one.differences]
            gone = [f"{item['kind']}/{item['metadata']['name']}: removed" for item in await obsolete(api, manifests)]
        return Preview((*says, *gone) or ("nothing would change",))


async def _checked_plan(api: KubernetesApi, manifests: Manifests, options: KubernetesOptions) -> list[Planned]:
    if not manifests.objects:
        raise NOTHING_TO_APPLY("the manifests hold no object")
    planned = await plan(api, manifests.objects, manifests.namespace)
    await check(api, planned, force=options.force_conflicts)
    return planned


async def _go_back(api: KubernetesApi, applied: Sequence[Applied], options: KubernetesOptions) -> list[str]:
    """Undo, also when we are being cancelled; bounded, for the API may be what failed."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_UNDO_SECONDS):
        return await undo(api, applied, options.on_first_failure)
    return [f"the API did not answer within {_UNDO_SECONDS:g} s"]


def _told_with(fault: Fault, applied: Sequence[Applied], left: Sequence[str], options: KubernetesOptions) -> Fault:
    """The fault with what was restored, and what was not."""
    first = any(one.kind == "Deployment" and one.change == "created" for one in applied)
    restored = f"{options.on_first_failure} was done with the new objects" if first else "what was there is restored"
    told = [Evidence(kind="value", text=f"not undone: {line}") for line in left]
    if applied and not left:
        told = [Evidence(kind="value", text=restored)]
    return fault.model_copy(update={"evidence": (*fault.evidence, *told)})


async def _deployment(
    api: KubernetesApi, manifests: Manifests, options: KubernetesOptions, applied: list[Applied], seconds: float
) -> KubernetesDeployment:
    deployments = manifests.of_kind("Deployment")
    services = [name for found in deployments for name in services_of(manifests, found)]
    rules = [rule for found in manifests.of_kind("Ingress") for rule in found["spec"].get("rules") or []]
    unwatched = [f"{one.kind}/{one.name} was applied, but not watched" for one in applied if one.kind in _UNWATCHED]
    live = await api.find(await api.path(deployments[0], namespace=manifests.namespace)) if deployments else None
    return KubernetesDeployment(
        name=manifests.name,
        namespace=manifests.namespace,
        context=api.context,
        deployments=tuple(found["metadata"]["name"] for found in deployments),
        services=tuple(dict.fromkeys(services)),
        hosts=tuple(str(rule["host"]) for rule in rules if rule.get("host")),
        image=deployments[0]["spec"]["template"]["spec"]["containers"][0].get("image") if deployments else None,
        revision=(live or {}).get("metadata", {}).get("annotations", {}).get("deployment.kubernetes.io/revision"),
        seconds=round(seconds, 2),
        applied=tuple(applied),
        warnings=(*manifests.notes, *api.warnings, *unwatched),
        on_first_failure=options.on_first_failure,
    )
