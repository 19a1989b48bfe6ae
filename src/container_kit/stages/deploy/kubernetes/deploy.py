"""The rollout stage: check, apply, watch until the rollout is stable; undo and diagnose a failure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from container_kit.stages.deploy.kubernetes.apply.apply import Planned, apply_all, check, plan
from container_kit.stages.deploy.kubernetes.apply.prune import find_obsolete
from container_kit.stages.deploy.kubernetes.apply.undo import UNDO_SECONDS, UndoResult, find_changed, undo
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import STABLE_SECONDS
from container_kit.stages.deploy.kubernetes.rollout.faults import ROLLOUT_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.revisions import delete_failed_revisions, mark_healthy_revisions
from container_kit.stages.deploy.kubernetes.rollout.watch import (
    PAUSED,
    SUPERSEDED,
    WATCH_FAULTS,
    matching_services,
    watch_rollouts,
)

NOTHING_TO_APPLY = FaultCode(
    "kubernetes.nothing_to_apply",
    means="The manifests contain no objects.",
    hint="Add at least one object to the manifests.",
)
UNDO_INCOMPLETE = FaultCode(
    "kubernetes.undo_incomplete",
    means="Not all previous objects could be restored.",
    hint="Roll the run back again, or restore these by hand: {objects}.",
    retryable=True,
)
CHANGED_SINCE = FaultCode(
    "run.superseded",
    means="Something that the run deployed was changed since, by a newer run or by somebody else.",
    hint="Roll back the newer run first, or deploy the version that should run: {changed}.",
)

_APPLY_AGAIN = NextAction(why="Fix the manifests as the hint says, then apply them again")
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
        undo_seconds: How long an undo waits for an API server that is away.
    """

    rollback_timeout = UNDO_SECONDS + 60
    faults = (
        NOTHING_TO_APPLY, UNDO_INCOMPLETE, CHANGED_SINCE, OPTION_INVALID, OVER_LIMIT, *object_policy.FAULTS,
        *WATCH_FAULTS, *ROLLOUT_FAULTS, *API_FAULTS, *KUBECONFIG_FAULTS,
    )  # fmt: skip

    def __init__(
        self,
        kubeconfig: str | None = None,
        *,
        stable_seconds: float = STABLE_SECONDS,
        undo_seconds: float = UNDO_SECONDS,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._stable_seconds = stable_seconds
        self._undo_seconds = undo_seconds

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
            _reject_paused(objects)
            if manifests.generated and options.replicas is None:
                objects = [item.with_live_replicas() for item in objects]
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
            await mark_healthy_revisions(api, plan.manifests)
            try:
                results = await apply_all(
                    api, manifests, plan.objects, applied, force=options.force_conflicts, on_progress=ctx.progress
                )
                await self._watch(ctx, api, plan, results)
            except BaseException as error:
                result = await self._undo(api, plan, applied, error)
                if not isinstance(error, StageFailure) and not result.failures:
                    raise
                fault = error.fault if isinstance(error, StageFailure) else _incomplete(result).fault
                leftover = _deployment(api, plan, applied, started) if result.failures else None
                raise StageFailure(_with_undo_result(fault, applied, result, options), leftover) from error
            await mark_healthy_revisions(api, manifests, run_id=ctx.run_id)
            ctx.progress("the rollout is complete and stable", 1.0)
            deployment = _deployment(api, plan, applied, started)
            return deployment.model_copy(update={"revision": await _revision(api, manifests)})

    async def _undo(
        self, api: KubernetesApi, plan: RolloutPlan, applied: Sequence[Applied], error: BaseException
    ) -> UndoResult:
        """Undo a failed or cancelled rollout; nothing if another deployment replaced it."""
        if isinstance(error, StageFailure) and error.fault.code == SUPERSEDED.code:
            return UndoResult()
        with anyio.CancelScope(shield=True):
            result = await undo(api, applied, plan.options.on_first_failure, seconds=self._undo_seconds)
            if not result.failures:
                await delete_failed_revisions(api, plan.manifests, since=plan.server_time)
        return result

    async def _watch(
        self, ctx: StageContext, api: KubernetesApi, plan: RolloutPlan, results: Sequence[dict[str, Any]]
    ) -> None:
        fault = await watch_rollouts(
            api,
            plan.manifests,
            expected=[result for result in results if result["kind"] == "Deployment"],
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

    async def rollback(self, ctx: StageContext, output: KubernetesDeployment) -> Sequence[str]:
        """Restore the objects recorded before this deployment, if nobody has changed them since.

        Returns:
            What stays, such as volume claims.

        Raises:
            StageFailure: `run.superseded`, `kubernetes.undo_incomplete`, or a fault of the API.
        """
        async with connect(output.context, self._kubeconfig) as api:
            if changed := await find_changed(api, output.applied):
                evidence = [Evidence(kind="condition", text=line) for line in changed]
                raise CHANGED_SINCE("changed since: " + ", ".join(changed)[:300], evidence=evidence, changed=changed[0])
            result = await undo(api, output.applied, output.on_first_failure, seconds=self._undo_seconds)
        if result.failures:
            raise _incomplete(result)
        return result.kept

    async def preview(self, ctx: StageContext, plan: RolloutPlan) -> Preview[KubernetesDeployment]:
        """Describe the fields that would change."""
        async with connect(plan.cluster.context, self._kubeconfig) as api:
            obsolete = await find_obsolete(api, plan.manifests)
        lines = [line for item in plan.objects for line in item.differences]
        pruned = [f"{obj['kind']}/{obj['metadata']['name']}: removed" for obj in obsolete]
        return Preview((*lines, *pruned) or ("nothing would change",))


def _reject_paused(objects: Sequence[Planned]) -> None:
    """Reject a Deployment that is paused and stays so: its rollout would not begin."""
    for item in objects:
        live = (item.live or {}).get("spec") or {}
        if item.desired["kind"] == "Deployment" and {**live, **(item.desired.get("spec") or {})}.get("paused"):
            name = item.desired["metadata"]["name"]
            evidence = [Evidence(kind="condition", text="spec.paused is true", where=item.label)]
            raise PAUSED(f"{item.label} is paused", evidence=evidence, deployment=name)


def _incomplete(result: UndoResult) -> StageFailure:
    evidence = [Evidence(kind="value", text=line) for line in result.failures]
    listing = "; ".join(result.failures)[:500]
    return UNDO_INCOMPLETE("not all objects could be restored", evidence=evidence, objects=listing)


def _with_undo_result(
    fault: Fault, applied: Sequence[Applied], result: UndoResult, options: KubernetesOptions
) -> Fault:
    """Add the result of the undo to a fault."""
    if fault.code == SUPERSEDED.code:
        lines = ["nothing was undone"]
    else:
        first = any(item.kind == "Deployment" and item.change == "created" for item in applied)
        restored = f"new objects: {options.on_first_failure}" if first else "the previous objects were restored"
        lines = [*(f"not undone: {line}" for line in result.failures), *result.kept]
        lines = [restored, *lines] if applied and not result.failures else lines
    evidence = [Evidence(kind="value", text=line) for line in lines]
    return fault.model_copy(update={"evidence": (*fault.evidence, *evidence)})


async def _revision(api: KubernetesApi, manifests: Manifests) -> str | None:
    """Return the revision of the first Deployment."""
    deployments = manifests.of_kind("Deployment")
    live = await api.find(await api.path(deployments[0], namespace=manifests.namespace)) if deployments else None
    revision = ((live or {}).get("metadata") or {}).get("annotations", {}).get("deployment.kubernetes.io/revision")
    return None if revision is None else str(revision)


def _deployment(
    api: KubernetesApi, plan: RolloutPlan, applied: Sequence[Applied], started: float
) -> KubernetesDeployment:
    manifests = plan.manifests
    deployments = manifests.of_kind("Deployment")
    services = [name for deployment in deployments for name in matching_services(manifests, deployment)]
    rules = [rule for ingress in manifests.of_kind("Ingress") for rule in ingress["spec"].get("rules") or []]
    unwatched = [f"{item.kind}/{item.name} was applied, but not watched" for item in applied if item.kind in _UNWATCHED]
    return KubernetesDeployment(
        name=manifests.name,
        namespace=manifests.namespace,
        context=api.context,
        deployments=tuple(deployment["metadata"]["name"] for deployment in deployments),
        services=tuple(dict.fromkeys(services)),
        hosts=tuple(str(rule["host"]) for rule in rules if rule.get("host")),
        image=deployments[0]["spec"]["template"]["spec"]["containers"][0].get("image") if deployments else None,
        seconds=round(time.monotonic() - started, 2),
        applied=tuple(applied),
        warnings=(*manifests.notes, *api.warnings, *unwatched),
        on_first_failure=plan.options.on_first_failure,
    )
