"""Watch events in, verdict out: the first decisive fault of a rollout, or its success.

Rules look at the state as a whole and say which signs it bears. A sign is decisive when it has been seen without a
break for its grace; one that goes away has healed. Nothing here reads a clock: the caller says what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from container_kit.stages.contract.fault import Fault
from container_kit.stages.deploy.kubernetes.rollout.container import Json, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import PROGRESS_DEADLINE, ROLLOUT_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState
from container_kit.stages.deploy.kubernetes.rollout.symptoms.containers import (
    setup_signs,
    start_signs,
    termination_signs,
)
from container_kit.stages.deploy.kubernetes.rollout.symptoms.images import image_signs
from container_kit.stages.deploy.kubernetes.rollout.symptoms.pods import (
    deadline_signs,
    detect_creation_failures,
    endpoint_signs,
    eviction_signs,
    sandbox_signs,
    scheduling_signs,
    volume_signs,
)
from container_kit.stages.deploy.kubernetes.rollout.symptoms.probes import probe_signs
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import NEVER_DECISIVE, Rule, Symptom

RULES: tuple[Rule, ...] = (
    detect_creation_failures,
    scheduling_signs,
    image_signs,
    setup_signs,
    start_signs,
    volume_signs,
    sandbox_signs,
    termination_signs,
    probe_signs,
    eviction_signs,
    endpoint_signs,
    deadline_signs,
)

STABLE_SECONDS = 5.0
"""Enough to see a container that ends soon after its start."""

_RANK = {code.code: rank for rank, code in enumerate(ROLLOUT_FAULTS)}


@dataclass(frozen=True, slots=True)
class Failed:
    """The rollout will not succeed by itself."""

    at: float
    """Seconds, in the caller's time, when it was known."""
    fault: Fault


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every replica is new, available, and stayed so."""

    at: float


Verdict = Failed | Succeeded


class Diagnosis:
    """Watches one Deployment's rollout.

    Args:
        name: The Deployment's name; None takes the first that is seen.
        since: The server's time of the apply; what was last seen before it is not of this rollout.
        needs_endpoints: Services that must have a ready address before a rollout counts as a success.
        stable_seconds: How long a complete rollout must stay so where `minReadySeconds` asks for less.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        since: datetime | None = None,
        needs_endpoints: tuple[str, ...] = (),
        stable_seconds: float = STABLE_SECONDS,
    ) -> None:
        self.state = RolloutState(name, since)
        self.needs_endpoints = needs_endpoints
        self._least_stable = stable_seconds
        self._first_seen: dict[tuple[str, str], float] = {}
        self._signs: list[Symptom] = []
        self._complete_since: float | None = None
        self._restarts = 0
        self._looked_at = 0.0
        self.verdict: Verdict | None = None

    def observe(self, t: float, kind: str, found: Json, *, deleted: bool = False) -> Verdict | None:
        """Take in one watch event.

        Args:
            t: Seconds since the apply; it must not fall.
            kind: `Pod`, `Event`, `ReplicaSet`, `Deployment`, `EndpointSlice` or `Service`.
            found: The object as the API wrote it.
            deleted: True for the watch event DELETED.

        Returns:
            The verdict as soon as there is one; it does not change any more.
        """
        if self.advance(t) is None:
            self.state.store(kind, found, deleted=deleted)
            self._look(t)
            self.advance(t)
        return self.verdict

    def advance(self, t: float) -> Verdict | None:
        """Say that it is `t` now and nothing was seen meanwhile."""
        while self.verdict is None and (due := self.due) is not None and due <= t:
            self._decide(max(due, self._looked_at))
        return self.verdict

    @property
    def due(self) -> float | None:
        """When the next verdict falls if nothing more is seen; None where none would."""
        moments = [self._first_seen[sign.key] + sign.grace for sign in self._signs if sign.grace < NEVER_DECISIVE]
        if self._complete_since is not None and self._reached:
            moments.append(self._complete_since + self._stable_seconds)
        return min(moments, default=None)

    @property
    def suspicion(self) -> Symptom | None:
        """What is most likely wrong so far, decisive or not; None where nothing is."""
        blamed = (sign for sign in self._signs if not sign.within_budget)
        return min(blamed, key=lambda sign: _RANK[sign.code.code], default=None)

    def _look(self, t: float) -> None:
        self._looked_at = t
        self._signs = [sign for rule in RULES for sign in rule(self.state)]
        self._first_seen = {sign.key: self._first_seen.get(sign.key, t) for sign in self._signs}
        restarts = self.state.restarts()
        if not self.state.complete:
            self._complete_since = None
        elif self._complete_since is None or restarts > self._restarts:
            self._complete_since = t
        self._restarts = restarts

    def _decide(self, t: float) -> None:
        decisive = [sign for sign in self._signs if self._first_seen[sign.key] + sign.grace <= t]
        if not decisive:
            self.verdict = Succeeded(t)
            return
        told = min(decisive, key=lambda sign: _RANK[sign.code.code])
        if told.code is PROGRESS_DEADLINE:  # Kubernetes gave up: what was still being waited for is the cause
            told = self.suspicion or told
        self.verdict = Failed(t, told.failure().fault)

    @property
    def _stable_seconds(self) -> float:
        return max(self._least_stable, float(dig(self.state.deployment, "spec", "minReadySeconds") or 0))

    @property
    def _reached(self) -> bool:
        """Whether each Service that must be reachable has been seen with a ready address."""
        reached = {
            dig(found, "metadata", "labels", "kubernetes.io/service-name")
            for found in self.state.slices.values()
            for endpoint in found.get("endpoints") or []
            if dig(endpoint, "conditions", "ready") is not False
        }
        return reached.issuperset(self.needs_endpoints)
