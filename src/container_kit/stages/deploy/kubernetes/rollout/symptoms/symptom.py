"""A sign: one thing seen in a rollout that, if it lasts, is the reason why the rollout fails."""

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
"""Seconds by which one watch may be behind another: what only sums up waits for the cause that it sums up."""
PERSISTENT = 5.0
"""Seconds after which something that may heal by a retry of the kubelet counts as decided."""
TRANSIENT = 10.0
"""The same for what usually heals: a cache that is not filled yet, a webhook that starts."""
SCHEDULING = 10.0
"""Seconds in which a cluster autoscaler, which looks every 10 s, says whether it will add a node."""
SANDBOX = 30.0
"""Seconds in which a node that has just joined may still lack its network."""
SCALE_UP = 300.0
"""Seconds that a node which was ordered may take."""
OLD_POD_DRAIN = 45.0
"""Seconds in which pods of the old revision, which get 30 s to end, leave their place to new ones."""
STARTING = 60.0
"""Seconds in which a program may refuse connections or answer 5xx because it still starts."""
NEVER_DECISIVE = math.inf
"""Never decisive by itself; it names the cause when the progress deadline passes."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """A possible reason for the failure."""

    code: FaultCode
    where: str
    """`pod/NAME container/NAME`, `replicaset/NAME`, `service/NAME`."""
    message: str
    grace: float = IMMEDIATE
    """Seconds for which it must be seen without a break until it is decisive."""
    evidence: tuple[Evidence, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    """Values for the placeholders of the code's hint."""
    repair: tuple[NextAction, ...] = ()
    within_budget: bool = False
    """True while what was seen is still allowed for; it is not blamed then when the progress deadline passes."""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same sign when it is seen again."""
        return self.code.code, self.where

    def failure(self) -> StageFailure:
        """The fault to raise."""
        return self.code(self.message, evidence=self.evidence, next_actions=self.repair, **self.facts)


Rule = Callable[[RolloutState], Iterator[Symptom]]


def event_evidence(event: PodEvent | None, where: str) -> tuple[Evidence, ...]:
    """An event as evidence."""
    if event is None:
        return ()
    times = f" (x{event.count})" if event.count > 1 else ""
    return (Evidence(kind="condition", text=f"{event.reason}: {event.message[:2000]}{times}", where=where),)


def repair(why: str, **arguments: Any) -> tuple[NextAction, ...]:
    """One proposed call; `arguments` are fields of the Kubernetes options."""
    return (NextAction(why=why, arguments=arguments),)
