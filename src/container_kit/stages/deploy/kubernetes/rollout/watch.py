"""Watching rollouts in a cluster until each has succeeded or one has failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from container_kit.stages.artifacts.kubernetes import Manifests
from container_kit.stages.contract.fault import Evidence, Fault, FaultCode, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Diagnosis, Failed
from container_kit.stages.deploy.kubernetes.rollout.list_watch import WatchEvent, follow
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState

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
    means="The rollout was neither a success nor a certain failure within the time that it was given.",
    hint="Give it more than rollout_timeout={seconds:g}, if a start may take that long; the evidence has its state.",
    retryable=True,
)

_LONGEST_PREFIX = 50
"""The API shortens the name of a ReplicaSet from which it makes those of pods."""

_Told = WatchEvent | StageFailure


class RolloutWatch:
    """The rollouts of some Deployments of one namespace.

    Args:
        api: The connection.
        namespace: Where they are.
        deployments: Their names.
        services: By Deployment, the Services that must reach its pods.
        since: The server's time of the apply.
        stable_seconds: How long a complete rollout must stay so at least.
        on_progress: Told a line and a fraction as the rollouts go on.
    """

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        deployments: Sequence[str],
        *,
        services: dict[str, tuple[str, ...]],
        since: datetime,
        stable_seconds: float,
        on_progress: Callable[[str, float | None], None],
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._tell = on_progress
        self._told = ""
        self.diagnoses = {
            name: Diagnosis(name, since=since, needs_endpoints=services.get(name, ()), stable_seconds=stable_seconds)
            for name in deployments
        }

    async def wait_for_verdict(self, seconds: float) -> Fault | None:
        """Watch until every rollout has succeeded (None), one has failed, or the time is over.

        Raises:
            StageFailure: The API refused a watch, or did not answer.
        """
        with anyio.move_on_after(seconds):
            return await self._until_decided()
        return self._timed_out(seconds)

    def _timed_out(self, seconds: float) -> Fault:
        """The fault of a rollout that was not decided in time, with what looked wrong when it was over."""
        suspicions = [s for diagnosis in self.diagnoses.values() if (s := diagnosis.suspicion) is not None]
        evidence = [found for suspicion in suspicions for found in suspicion.evidence]
        state = Evidence(kind="value", text=self._told or "no pod was seen")
        cause = f": {suspicions[0].message}" if suspicions else ""
        message = f"not complete after {seconds:g} s{cause}"
        return ROLLOUT_TIMEOUT(message, evidence=[state, *evidence], seconds=seconds).fault

    async def _until_decided(self) -> Fault | None:
        send, receive = anyio.create_memory_object_stream[_Told](1000)
        outcome: Fault | StageFailure | None = None
        async with anyio.create_task_group() as tasks, receive:
            for group, plural, kind in _WATCHED:
                tasks.start_soon(self._feed, group, plural, kind, send.clone())
            send.close()
            outcome = await self._decide(receive)
            tasks.cancel_scope.cancel()
        if isinstance(outcome, StageFailure):  # raised out here: a task group would wrap it
            raise outcome
        return outcome

    async def _feed(self, group: str, plural: str, kind: str, send: MemoryObjectSendStream[_Told]) -> None:
        root = "/api/v1" if group == "v1" else f"/apis/{group}"
        async with send:
            try:
                path = f"{root}/namespaces/{self._namespace}/{plural}"
                async with aclosing(follow(self._api, path, kind)) as changes:
                    async for seen in changes:
                        await send.send(seen)
            except StageFailure as failure:
                await send.send(failure)

    async def _decide(self, receive: MemoryObjectReceiveStream[_Told]) -> Fault | StageFailure | None:
        start = anyio.current_time()
        while True:
            undecided = [diagnosis for diagnosis in self.diagnoses.values() if diagnosis.verdict is None]
            if not undecided:
                return None
            due = min((diagnosis.due for diagnosis in undecided if diagnosis.due is not None), default=None)
            seen = await _next(receive, None if due is None else start + due - anyio.current_time())
            if isinstance(seen, StageFailure):
                return seen
            t = anyio.current_time() - start
            for diagnosis in undecided:
                verdict = diagnosis.advance(t)
                if seen is not None and verdict is None and _matters(diagnosis, seen):
                    verdict = diagnosis.observe(t, seen.kind, seen.found, deleted=seen.deleted)
                if isinstance(verdict, Failed):
                    return await self._with_logs(verdict.fault)
            self._report()

    def _report(self) -> None:
        """Tell how far the rollouts are, when that has changed."""
        states = [diagnosis.state for diagnosis in self.diagnoses.values()]
        ready = [_ready(state) for state in states]
        words = ", ".join(f"{s.name}: {r} of {w} replicas ready" for s, (r, w) in zip(states, ready, strict=True))
        if words != self._told:
            self._told = words
            wanted = sum(w for _, w in ready)
            self._tell(words, sum(min(r, w) for r, w in ready) / wanted if wanted else None)

    async def _with_logs(self, fault: Fault) -> Fault:
        """Add what the container printed last, before anything is undone; its end's message is often only a part."""
        where = next((e.where for e in fault.evidence if e.where and " container/" in e.where), None)
        if where is None or any(evidence.kind == "log" for evidence in fault.evidence):
            return fault
        pod, container = (part.partition("/")[2] for part in where.split(" "))
        printed = ""
        with anyio.move_on_after(5):
            for previous in (False, True):
                printed = printed or await self._api.logs(self._namespace, pod, container, previous=previous)
        if not printed.strip():
            return fault
        log = Evidence(kind="log", text=printed.strip()[-4000:], where=where)
        return fault.model_copy(update={"evidence": (*fault.evidence, log)})


async def _next(receive: MemoryObjectReceiveStream[_Told], within: float | None) -> _Told | None:
    """What a watch told next; None where nothing came in time."""
    if within is None:
        return await receive.receive()
    with anyio.move_on_after(max(0.0, within)):
        return await receive.receive()
    return None


def _matters(diagnosis: Diagnosis, seen: WatchEvent) -> bool:
    """A namespace may be full of others' objects; slices of other Services would look like our own."""
    if seen.kind == "EndpointSlice":
        return dig(seen.found, "metadata", "labels", "kubernetes.io/service-name") in diagnosis.needs_endpoints
    about = "involvedObject" if seen.kind == "Event" else "metadata"
    name, ours = str(dig(seen.found, about, "name") or ""), str(diagnosis.state.name)
    if seen.kind == "Deployment" or name == ours:
        return name == ours
    return name.startswith(f"{ours}-"[:_LONGEST_PREFIX])


def _ready(state: RolloutState) -> tuple[int, int]:
    wanted = dig(state.deployment, "spec", "replicas")
    ready = sum(
        any(c.get("type") == "Ready" and c.get("status") == "True" for c in dig(pod, "status", "conditions") or [])
        for pod in state.current_pods()
    )
    return ready, 1 if wanted is None else int(wanted)


async def watch_rollouts(
    api: KubernetesApi,
    manifests: Manifests,
    *,
    since: datetime,
    seconds: float,
    stable_seconds: float,
    on_progress: Callable[[str, float | None], None],
) -> Fault | None:
    """Watch every Deployment of the manifests; the first fault of any, None where all have succeeded.

    Raises:
        StageFailure: The API refused a watch, or did not answer.
    """
    by_namespace: dict[str, list[Json]] = {}
    for found in manifests.of_kind("Deployment"):
        by_namespace.setdefault(found["metadata"].get("namespace") or manifests.namespace, []).append(found)
    for namespace, deployments in by_namespace.items():
        watch = RolloutWatch(
            api,
            namespace,
            [found["metadata"]["name"] for found in deployments],
            services={found["metadata"]["name"]: services_of(manifests, found) for found in deployments},
            since=since,
            stable_seconds=stable_seconds,
            on_progress=on_progress,
        )
        if (fault := await watch.wait_for_verdict(seconds)) is not None:
            return fault
    return None


def services_of(manifests: Manifests, deployment: Json) -> tuple[str, ...]:
    """The Services of the manifests whose selector takes the pods of a Deployment."""
    labels = dig(deployment, "spec", "template", "metadata", "labels") or {}
    found = []
    for service in manifests.of_kind("Service"):
        selector = dig(service, "spec", "selector") or {}
        if selector and selector.items() <= labels.items():
            found.append(str(service["metadata"]["name"]))
    return tuple(found) if dig(deployment, "spec", "replicas") != 0 else ()
