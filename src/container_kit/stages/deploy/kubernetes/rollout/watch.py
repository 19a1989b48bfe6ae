"""Watches rollouts in a cluster until each has succeeded or one has failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from container_kit.stages.artifacts.kubernetes import Manifests
from container_kit.stages.contract.fault import Evidence, Fault, FaultCode, StageFailure
from container_kit.stages.deploy.kubernetes.apply.managed_fields import last_change
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Diagnosis, Failed
from container_kit.stages.deploy.kubernetes.rollout.list_watch import WatchEvent, follow
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState, pod_template

Json = dict[str, Any]

_WATCHED = (
    ("apps/v1", "deployments", "Deployment"),
    ("apps/v1", "replicasets", "ReplicaSet"),
    ("v1", "pods", "Pod"),
    ("v1", "events", "Event"),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
)


ROLLOUT_TIMEOUT = FaultCode(
    "kubernetes.rollout_timeout",
    means="The rollout neither succeeded nor certainly failed within its time limit.",
    hint="Raise rollout_timeout above {seconds:g} if a start can take that long; the evidence has the rollout's state.",
    retryable=True,
)

SUPERSEDED = FaultCode(
    "kubernetes.superseded",
    means="Another deployment replaced the pods of this one during its rollout.",
    hint="See which deployment won with list-deployments, and deploy again if this one should.",
)
DEPLOYMENT_DELETED = FaultCode(
    "kubernetes.deployment_deleted",
    means="The Deployment was deleted during its rollout.",
    hint="Find out who deleted Deployment {deployment}, then deploy again.",
)
PAUSED = FaultCode(
    "kubernetes.paused",
    means="The Deployment is paused, so it rolls nothing out.",
    hint="Run `kubectl rollout resume deployment/{deployment}`, then deploy again.",
)
WATCH_FAULTS = (ROLLOUT_TIMEOUT, SUPERSEDED, DEPLOYMENT_DELETED, PAUSED)

_MAX_PREFIX = 50
"""Pod names contain only this many characters of the ReplicaSet's name."""

_Observation = WatchEvent | StageFailure


class RolloutWatch:
    """The rollouts of some Deployments of one namespace.

    Args:
        api: The connection.
        namespace: Their namespace.
        deployments: Their names.
        services: For each Deployment, the Services that must reach its pods.
        expected: The Deployments as they were applied.
        since: The server's time of the apply.
        stable_seconds: How long a rollout must stay complete.
        on_progress: Called with a line and a fraction as the rollouts progress.
    """

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        deployments: Sequence[str],
        *,
        services: dict[str, tuple[str, ...]],
        expected: Sequence[Json],
        since: datetime,
        stable_seconds: float,
        on_progress: Callable[[str, float | None], None],
    ) -> None:
        self._api = api
        self._expected = {str(deployment["metadata"]["name"]): deployment for deployment in expected}
        self._lost: dict[str, StageFailure] = {}
        self._namespace = namespace
        self._on_progress = on_progress
        self._reported = ""
        self.diagnoses = {
            name: Diagnosis(name, since=since, needs_endpoints=services.get(name, ()), stable_seconds=stable_seconds)
            for name in deployments
        }

    async def wait_for_verdict(self, seconds: float) -> Fault | None:
        """Watch until every rollout has succeeded (None), one has failed, or the time limit is reached.

        Raises:
            StageFailure: The API rejected a watch, or did not respond.
        """
        with anyio.move_on_after(seconds):
            return await self._watch()
        return self._timed_out(seconds)

    def _timed_out(self, seconds: float) -> Fault:
        """Return the fault of a rollout without a verdict in time, with its most likely symptoms."""
        if self._lost:
            return next(iter(self._lost.values())).fault
        suspicions = [s for diagnosis in self.diagnoses.values() if (s := diagnosis.suspicion) is not None]
        evidence = [item for suspicion in suspicions for item in suspicion.evidence]
        state = Evidence(kind="value", text=self._reported or "no pod was observed")
        cause = f": {suspicions[0].message}" if suspicions else ""
        message = f"not complete after {seconds:g} s{cause}"
        return ROLLOUT_TIMEOUT(message, evidence=[state, *evidence], seconds=seconds).fault

    async def _watch(self) -> Fault | None:
        send, receive = anyio.create_memory_object_stream[_Observation](1000)
        outcome: Fault | StageFailure | None = None
        async with anyio.create_task_group() as tasks, receive:
            for group, plural, kind in _WATCHED:
                tasks.start_soon(self._feed, group, plural, kind, send.clone())
            send.close()
            outcome = await self._decide(receive)
            tasks.cancel_scope.cancel()
        if isinstance(outcome, StageFailure):  # raised here, because a task group would wrap it
            raise outcome
        return outcome

    async def _feed(self, group: str, plural: str, kind: str, send: MemoryObjectSendStream[_Observation]) -> None:
        root = "/api/v1" if group == "v1" else f"/apis/{group}"
        async with send:
            try:
                path = f"{root}/namespaces/{self._namespace}/{plural}"
                lost = partial(self._lost.__setitem__, kind)
                async with aclosing(follow(self._api, path, kind, on_lost=lost)) as changes:
                    async for event in changes:
                        self._lost.pop(kind, None)
                        await send.send(event)
            except StageFailure as failure:
                await send.send(failure)

    async def _decide(self, receive: MemoryObjectReceiveStream[_Observation]) -> Fault | StageFailure | None:
        start = anyio.current_time()
        while True:
            undecided = [diagnosis for diagnosis in self.diagnoses.values() if diagnosis.verdict is None]
            if not undecided:
                return None
            due = min((diagnosis.due for diagnosis in undecided if diagnosis.due is not None), default=None)
            observed = await _next(receive, None if due is None else start + due - anyio.current_time())
            if isinstance(observed, StageFailure):
                return observed
            if observed is not None and (fault := self._interruption(observed)) is not None:
                return fault
            t = anyio.current_time() - start
            for diagnosis in undecided:
                verdict = diagnosis.advance(t)
                if observed is not None and verdict is None and _is_relevant(diagnosis, observed):
                    verdict = diagnosis.observe(t, observed.kind, observed.obj, deleted=observed.deleted)
                if isinstance(verdict, Failed):
                    return await self._with_logs(verdict.fault)
            self._report()

    def _interruption(self, event: WatchEvent) -> Fault | None:
        """Return the fault of a Deployment that somebody else deleted, paused or replaced."""
        name = str(dig(event.obj, "metadata", "name"))
        expected = self._expected.get(name)
        if event.kind != "Deployment" or expected is None:
            return None
        evidence = [Evidence(kind="condition", text=last_change(event.obj), where=f"Deployment/{name}")]
        if event.deleted:
            return DEPLOYMENT_DELETED(f"Deployment/{name} was deleted", evidence=evidence, deployment=name).fault
        if dig(event.obj, "spec", "paused"):
            return PAUSED(f"Deployment/{name} is paused", evidence=evidence, deployment=name).fault
        newer = int(dig(event.obj, "metadata", "generation") or 0) > int(dig(expected, "metadata", "generation") or 0)
        if newer and pod_template(event.obj) != pod_template(expected):
            return SUPERSEDED(f"Deployment/{name} was replaced by another deployment", evidence=evidence).fault
        return None

    def _report(self) -> None:
        """Report the progress of the rollouts if it changed."""
        states = [diagnosis.state for diagnosis in self.diagnoses.values()]
        ready = [_ready(state) for state in states]
        line = ", ".join(f"{s.name}: {r} of {d} replicas ready" for s, (r, d) in zip(states, ready, strict=True))
        if line != self._reported:
            self._reported = line
            desired = sum(d for _, d in ready)
            self._on_progress(line, sum(min(r, d) for r, d in ready) / desired if desired else None)

    async def _with_logs(self, fault: Fault) -> Fault:
        """Add the end of the container's log before the undo; a termination message often has only a part of it."""
        where = next((e.where for e in fault.evidence if e.where and " container/" in e.where), None)
        if where is None or any(evidence.kind == "log" for evidence in fault.evidence):
            return fault
        pod, container = (part.partition("/")[2] for part in where.split(" "))
        text = ""
        with anyio.move_on_after(5):
            for previous in (False, True):
                text = text or await self._api.logs(self._namespace, pod, container, previous=previous)
        if not text.strip():
            return fault
        log = Evidence(kind="log", text=text.strip()[-4000:], where=where)
        return fault.model_copy(update={"evidence": (*fault.evidence, log)})


async def _next(receive: MemoryObjectReceiveStream[_Observation], within: float | None) -> _Observation | None:
    """Return the next observation of a watch; None if it does not arrive in time."""
    if within is None:
        return await receive.receive()
    with anyio.move_on_after(max(0.0, within)):
        return await receive.receive()
    return None


def _is_relevant(diagnosis: Diagnosis, event: WatchEvent) -> bool:
    """Return whether an event is about the rollout, and not about another application of the namespace."""
    if event.kind == "EndpointSlice":
        return dig(event.obj, "metadata", "labels", "kubernetes.io/service-name") in diagnosis.needs_endpoints
    about = "involvedObject" if event.kind == "Event" else "metadata"
    name, deployment = str(dig(event.obj, about, "name") or ""), str(diagnosis.state.name)
    if event.kind == "Deployment" or name == deployment:
        return name == deployment
    return name.startswith(f"{deployment}-"[:_MAX_PREFIX])


def _ready(state: RolloutState) -> tuple[int, int]:
    desired = dig(state.deployment, "spec", "replicas")
    ready = sum(
        any(c.get("type") == "Ready" and c.get("status") == "True" for c in dig(pod, "status", "conditions") or [])
        for pod in state.current_pods()
    )
    return ready, 1 if desired is None else int(desired)


async def watch_rollouts(
    api: KubernetesApi,
    manifests: Manifests,
    *,
    expected: Sequence[Json],
    since: datetime,
    seconds: float,
    stable_seconds: float,
    on_progress: Callable[[str, float | None], None],
) -> Fault | None:
    """Watch every Deployment of the manifests; return the first fault, or None if all succeeded.

    Args:
        api: The connection.
        manifests: The objects of the application.
        expected: The Deployments as they were applied.
        since: The server's time of the apply.
        seconds: The time limit.
        stable_seconds: How long a rollout must stay complete.
        on_progress: Called with a line and a fraction as the rollouts progress.

    Raises:
        StageFailure: The API rejected a watch, or did not respond.
    """
    by_namespace: dict[str, list[Json]] = {}
    for deployment in manifests.of_kind("Deployment"):
        by_namespace.setdefault(deployment["metadata"].get("namespace") or manifests.namespace, []).append(deployment)
    for namespace, deployments in by_namespace.items():
        watch = RolloutWatch(
            api,
            namespace,
            [deployment["metadata"]["name"] for deployment in deployments],
            services={item["metadata"]["name"]: matching_services(manifests, item) for item in deployments},
            expected=[item for item in expected if item["metadata"].get("namespace") == namespace],
            since=since,
            stable_seconds=stable_seconds,
            on_progress=on_progress,
        )
        if (fault := await watch.wait_for_verdict(seconds)) is not None:
            return fault
    return None


def matching_services(manifests: Manifests, deployment: Json) -> tuple[str, ...]:
    """Return the Services of the manifests whose selector matches the pods of a Deployment."""
    labels = dig(deployment, "spec", "template", "metadata", "labels") or {}
    names = []
    for service in manifests.of_kind("Service"):
        selector = dig(service, "spec", "selector") or {}
        if selector and selector.items() <= labels.items():
            names.append(str(service["metadata"]["name"]))
    return tuple(names) if dig(deployment, "spec", "replicas") != 0 else ()
