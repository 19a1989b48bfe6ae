"""The rollout stage: check, apply, watch until the rollout is stable; undo and diagnose a failure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import anyio

from container_kit.stages.artifacts.kubernetes import (
    Applied,
    Cluster,
    KubernetesDeployment,
    KubernetesOptions,
    Manifests,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import Evidence, Fault, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.faults import OPTION_INVALID, OVER_LIMIT
from container_kit.stages.deploy.kubernetes import object_policy
from container_kit.stages.deploy.kubernetes.apply.apply import Planned, apply_all, check, plan, undo
from container_kit.stages.deploy.kubernetes.apply.prune import find_obsolete
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import STABLE_SECONDS
from container_kit.stages.deploy.kubernetes.rollout.faults import ROLLOUT_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.watch import ROLLOUT_TIMEOUT, matching_services, watch_rollouts

NOTHING_TO_APPLY = FaultCode(
    "kubernetes.nothing_to_apply",
    means="The manifests contain no objects.",
    hint="Add at least one object to the manifests.",
)
UNDO_INCOMPLETE = FaultCode(
    "kubernetes.undo_incomplete",
    means="Not all previous objects could be restored.",
    hint="Restore these by hand, or run the undo again: {objects}.",
    retryable=True,
)

_APPLY_AGAIN = NextAction(why="Fix the manifests as the hint says, then apply them again")
_UNDO_SECONDS = 30.0
_UNWATCHED = ("StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The planned changes of a rollout, checked by the API server."""

    manifests: Manifests
    options: KubernetesOptions
    cluster: Cluster
    objects: tuple[Planned, ...]
    server_time: datetime
    """The API server's clock when the plan was made."""


class DeployToKubernetes(Stage[KubernetesDeployment]):
    """Apply the manifests and watch the rollout; a failure is diagnosed and undone.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None reads that variable.
        stable_seconds: How long a rollout must stay complete to count as a success.
    """

    faults = (
        ROLLOUT_TIMEOUT, NOTHING_TO_APPLY, UNDO_INCOMPLETE, OPTION_INVALID, OVER_LIMIT, *object_policy.FAULTS,
        *ROLLOUT_FAULTS, *API_FAULTS, *KUBECONFIG_FAULTS,
    )  # fmt: skip

    def __init__(self, kubeconfig: str | None = None, *, stable_seconds: float = STABLE_SECONDS) -> None:
        self._kubeconfig = kubeconfig
        self._stable_seconds = stable_seconds

    async def resolve(
        self,
        ctx: StageContext,
        manifests: Manifests,
        options: KubernetesOptions,
        cluster: Cluster,
        target: Target | None = None,
    ) -> RolloutPlan:
        """Plan the changes, and let the API server check every object without changing anything.

        Raises:
            StageFailure: A fault of the API, of the target's rules, `kubernetes.pod_security`,
                `kubernetes.nothing_to_apply`.
        """
        if not manifests.objects:
            raise NOTHING_TO_APPLY("the manifests contain no objects")
        async with connect(cluster.context, self._kubeconfig) as api:
            await object_policy.check_objects(api, manifests, target)
            objects = await plan(api, manifests.objects, manifests.namespace)
            await check(api, objects, force=options.force_conflicts)
            return RolloutPlan(manifests, options, cluster, tuple(objects), api.server_time)

    async def execute(self, ctx: StageContext, plan: RolloutPlan) -> KubernetesDeployment:
        """Roll out.

        Raises:
            StageFailure: The reason why the rollout failed. The previous objects are then restored.
        """
        started = time.monotonic()
        manifests, options = plan.manifests, plan.options
        async with connect(plan.cluster.context, self._kubeconfig) as api:
            applied: list[Applied] = []
            try:
                await apply_all(
                    api, manifests, plan.objects, applied, force=options.force_conflicts, on_progress=ctx.progress
                )
                await self._watch(ctx, api, plan)
            except BaseException as error:
                failures = await _undo(api, applied, options)
                if isinstance(error, StageFailure):
                    raise StageFailure(_with_undo_result(error.fault, applied, failures, options)) from error
                raise
            ctx.progress("the rollout is complete and stable", 1.0)
            return await _deployment(api, manifests, options, applied, time.monotonic() - started)

    async def _watch(self, ctx: StageContext, api: KubernetesApi, plan: RolloutPlan) -> None:
        fault = await watch_rollouts(
            api,
            plan.manifests,
            since=plan.server_time,
            seconds=plan.options.rollout_timeout,
            stable_seconds=self._stable_seconds,
            on_progress=lambda line, done: ctx.progress(line, None if done is None else 0.3 + 0.6 * done),
        )
        if fault is not None:
            ctx.progress(f"failed: {fault.message}")
            if not fault.next_actions and not plan.manifests.generated:
                fault = fault.model_copy(update={"next_actions": (_APPLY_AGAIN,)})
            raise StageFailure(fault)

    async def rollback(self, ctx: StageContext, made: KubernetesDeployment) -> None:
        """Apply the objects recorded before this deployment again, with the same field manager.

        Raises:
            StageFailure: `kubernetes.undo_incomplete`, or a fault of the API.
        """
        async with connect(made.context, self._kubeconfig) as api:
            failures = await undo(api, made.applied, made.on_first_failure)
        if failures:
            evidence = [Evidence(kind="value", text=line) for line in failures]
            listing = "; ".join(failures)[:500]
            raise UNDO_INCOMPLETE("not all objects could be restored", evidence=evidence, objects=listing)

    async def preview(self, ctx: StageContext, plan: RolloutPlan) -> Preview[KubernetesDeployment]:
        """Describe the fields that would change."""
        async with connect(plan.cluster.context, self._kubeconfig) as api:
            obsolete = await find_obsolete(api, plan.manifests)
        lines = [line for item in plan.objects for line in item.differences]
        pruned = [f"{obj['kind']}/{obj['metadata']['name']}: removed" for obj in obsolete]
        return Preview((*lines, *pruned) or ("nothing would change",))


async def _undo(api: KubernetesApi, applied: Sequence[Applied], options: KubernetesOptions) -> list[str]:
    """Undo, also during a cancellation; with a time limit, because the API may be the cause of the failure."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_UNDO_SECONDS):
        return await undo(api, applied, options.on_first_failure)
    return [f"the API did not answer within {_UNDO_SECONDS:g} s"]


def _with_undo_result(
    fault: Fault, applied: Sequence[Applied], failures: Sequence[str], options: KubernetesOptions
) -> Fault:
    """Add the result of the undo to a fault."""
    first = any(item.kind == "Deployment" and item.change == "created" for item in applied)
    result = f"new objects: {options.on_first_failure}" if first else "the previous objects were restored"
    evidence = [Evidence(kind="value", text=f"not undone: {line}") for line in failures]
    if applied and not failures:
        evidence = [Evidence(kind="value", text=result)]
    return fault.model_copy(update={"evidence": (*fault.evidence, *evidence)})


async def _deployment(
    api: KubernetesApi, manifests: Manifests, options: KubernetesOptions, applied: list[Applied], seconds: float
) -> KubernetesDeployment:
    deployments = manifests.of_kind("Deployment")
    services = [name for deployment in deployments for name in matching_services(manifests, deployment)]
    rules = [rule for ingress in manifests.of_kind("Ingress") for rule in ingress["spec"].get("rules") or []]
    unwatched = [f"{item.kind}/{item.name} was applied, but not watched" for item in applied if item.kind in _UNWATCHED]
    live = await api.find(await api.path(deployments[0], namespace=manifests.namespace)) if deployments else None
    return KubernetesDeployment(
        name=manifests.name,
        namespace=manifests.namespace,
        context=api.context,
        deployments=tuple(deployment["metadata"]["name"] for deployment in deployments),
        services=tuple(dict.fromkeys(services)),
        hosts=tuple(str(rule["host"]) for rule in rules if rule.get("host")),
        image=deployments[0]["spec"]["template"]["spec"]["containers"][0].get("image") if deployments else None,
        revision=(live or {}).get("metadata", {}).get("annotations", {}).get("deployment.kubernetes.io/revision"),
        seconds=round(seconds, 2),
        applied=tuple(applied),
        warnings=(*manifests.notes, *api.warnings, *unwatched),
        on_first_failure=options.on_first_failure,
    )
