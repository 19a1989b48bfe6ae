"""A symptom: an observation that, if it persists, is the reason why a rollout fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.deploy.kubernetes.rollout.container import PodEvent
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState

IMMEDIATE = 0.0
WATCH_SKEW = 0.5
"""Seconds that one watch may lag behind another: a summary waits for its cause."""
PERSISTENT = 5.0
"""Seconds after which a symptom that a retry of the kubelet may resolve is decisive."""
TRANSIENT = 10.0
"""The same for symptoms that usually resolve: an empty cache, a webhook that starts."""
SCHEDULING = 10.0
"""Seconds in which a cluster autoscaler, which runs every 10 s, reports whether it adds a node."""
SANDBOX = 30.0
"""Seconds in which a new node may still be without its network."""
SCALE_UP = 300.0
"""Seconds that a new node may take."""
OLD_POD_DRAIN = 45.0
"""Seconds in which pods of the old revision, which get 30 s to exit, release their resources."""
STARTING = 60.0
"""Seconds in which a starting program may refuse connections or answer 5xx."""
NEVER_DECISIVE = math.inf
"""Never decisive; it only names the cause when the progress deadline passes."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """A possible reason for the failure."""

    code: FaultCode
    where: str
    """`pod/NAME container/NAME`, `replicaset/NAME`, `service/NAME`."""
    message: str
    grace: float = IMMEDIATE
    """Seconds without interruption until it is decisive."""
    evidence: tuple[Evidence, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    """Values for the placeholders of the code's hint."""
    repair: tuple[NextAction, ...] = ()
    within_budget: bool = False
    """True while it is still within a probe's budget; it is then not the cause when the progress deadline passes."""

    @property
    def key(self) -> tuple[str, str]:
        """Identifies the symptom across observations."""
        return self.code.code, self.where

    def to_failure(self) -> StageFailure:
        """Return the fault to raise."""
        return self.code(self.message, evidence=self.evidence, next_actions=self.repair, **self.facts)


Rule = Callable[[RolloutState], Iterator[Symptom]]


def event_evidence(event: PodEvent | None, where: str) -> tuple[Evidence, ...]:
    """Return an event as evidence."""
    if event is None:
        return ()
    times = f" (x{event.count})" if event.count > 1 else ""
    return (Evidence(kind="condition", text=f"{event.reason}: {event.message[:2000]}{times}", where=where),)


def repair(why: str, **arguments: Any) -> tuple[NextAction, ...]:
    """Return one proposed call; `arguments` are Kubernetes options."""
    return (NextAction(why=why, arguments=arguments),)
