"""Turns watch events into a verdict: the first decisive fault of a rollout, or its success.

Rules detect symptoms in the whole state. A symptom is decisive when it was present without interruption for its grace
period; a symptom that disappears has recovered. This module reads no clock: the caller gives the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from container_kit.stages.contract.fault import Fault
from container_kit.stages.deploy.kubernetes.rollout.container import Json, dig
from container_kit.stages.deploy.kubernetes.rollout.faults import PROGRESS_DEADLINE, ROLLOUT_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState
from container_kit.stages.deploy.kubernetes.rollout.symptoms.containers import (
    detect_setup_failures,
    detect_start_failures,
    detect_terminations,
)
from container_kit.stages.deploy.kubernetes.rollout.symptoms.images import detect_image_failures
from container_kit.stages.deploy.kubernetes.rollout.symptoms.pods import (
    detect_creation_failures,
    detect_evictions,
    detect_missing_endpoints,
    detect_progress_deadline,
    detect_sandbox_failures,
    detect_scheduling_failures,
    detect_volume_failures,
)
from container_kit.stages.deploy.kubernetes.rollout.symptoms.probes import detect_probe_failures
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import NEVER_DECISIVE, Rule, Symptom

RULES: tuple[Rule, ...] = (
    detect_creation_failures,
    detect_scheduling_failures,
    detect_image_failures,
    detect_setup_failures,
    detect_start_failures,
    detect_volume_failures,
    detect_sandbox_failures,
    detect_terminations,
    detect_probe_failures,
    detect_evictions,
    detect_missing_endpoints,
    detect_progress_deadline,
)

STABLE_SECONDS = 5.0
"""Long enough to notice a container that exits soon after its start."""

_RANK = {code.code: rank for rank, code in enumerate(ROLLOUT_FAULTS)}


@dataclass(frozen=True, slots=True)
class Failed:
    """The rollout will not succeed without a change."""

    at: float
    """When it was decided, in seconds of the caller's time."""
    fault: Fault


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every replica is new and available, and stayed so."""

    at: float


Verdict = Failed | Succeeded


class Diagnosis:
    """Diagnoses the rollout of one Deployment.

    Args:
        name: The Deployment's name; None uses the first one observed.
        since: The server's time of the apply; older events are ignored.
        needs_endpoints: Services that must have a ready address before a rollout is a success.
        stable_seconds: How long a rollout must stay complete, unless `minReadySeconds` is higher.
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
        self._min_stable_seconds = stable_seconds
        self._first_seen: dict[tuple[str, str], float] = {}
        self._symptoms: list[Symptom] = []
        self._complete_since: float | None = None
        self._restarts = 0
        self._evaluated_at = 0.0
        self.verdict: Verdict | None = None

    def observe(self, t: float, kind: str, obj: Json, *, deleted: bool = False) -> Verdict | None:
        """Process one watch event.

        Args:
            t: Seconds since the apply; it must not decrease.
            kind: `Pod`, `Event`, `ReplicaSet`, `Deployment`, `EndpointSlice` or `Service`.
            obj: The object of the event.
            deleted: True for the watch event DELETED.

        Returns:
            The verdict as soon as there is one; it is final.
        """
        if self.advance(t) is None:
            self.state.store(kind, obj, deleted=deleted)
            self._evaluate(t)
            self.advance(t)
        return self.verdict

    def advance(self, t: float) -> Verdict | None:
        """Advance the time to `t` without an event."""
        while self.verdict is None and (due := self.due) is not None and due <= t:
            self._decide(max(due, self._evaluated_at))
        return self.verdict

    @property
    def due(self) -> float | None:
        """When the next verdict is due without further events; None if none is."""
        moments = [self._first_seen[s.key] + s.grace for s in self._symptoms if s.grace < NEVER_DECISIVE]
        if self._complete_since is not None and self._reached:
            moments.append(self._complete_since + self._stable_seconds)
        return min(moments, default=None)

    @property
    def suspicion(self) -> Symptom | None:
        """The most likely symptom so far, decisive or not; None without symptoms."""
        candidates = (symptom for symptom in self._symptoms if not symptom.within_budget)
        return min(candidates, key=lambda symptom: _RANK[symptom.code.code], default=None)

    def _evaluate(self, t: float) -> None:
        self._evaluated_at = t
        self._symptoms = [symptom for rule in RULES for symptom in rule(self.state)]
        self._first_seen = {symptom.key: self._first_seen.get(symptom.key, t) for symptom in self._symptoms}
        restarts = self.state.restarts()
        if not self.state.complete:
            self._complete_since = None
        elif self._complete_since is None or restarts > self._restarts:
            self._complete_since = t
        self._restarts = restarts

    def _decide(self, t: float) -> None:
        decisive = [symptom for symptom in self._symptoms if self._first_seen[symptom.key] + symptom.grace <= t]
        if not decisive:
            self.verdict = Succeeded(t)
            return
        cause = min(decisive, key=lambda symptom: _RANK[symptom.code.code])
        if cause.code is PROGRESS_DEADLINE:  # Kubernetes stopped waiting: the symptom that it waited for is the cause
            cause = self.suspicion or cause
        self.verdict = Failed(t, cause.to_failure().fault)

    @property
    def _stable_seconds(self) -> float:
        return max(self._min_stable_seconds, float(dig(self.state.deployment, "spec", "minReadySeconds") or 0))

    @property
    def _reached(self) -> bool:
        """Whether each required Service has a ready address."""
        reached = {
            dig(endpoint_slice, "metadata", "labels", "kubernetes.io/service-name")
            for endpoint_slice in self.state.slices.values()
            for endpoint in endpoint_slice.get("endpoints") or []
            if dig(endpoint, "conditions", "ready") is not False
        }
        return reached.issuperset(self.needs_endpoints)
