"""Claims: what detectors say about a module, and how claims that disagree become one finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from container_kit.stages.artifacts.analysis import Alternative, Finding, KnownBy, Role
from container_kit.stages.ecosystems.facets.detection.calibration import calibrated

T = TypeVar("T")

TRUST: dict[KnownBy, float] = {"declared": 0.98, "code": 0.9, "configuration": 0.85, "framework": 0.6, "guess": 0.35}
"""The confidence of each provenance unless a claim sets another."""

MAX_PLACES = 3
MAX_ALTERNATIVES = 3


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """One statement by one detector."""

    value: T
    provenance: KnownBy
    locations: tuple[str, ...]
    confidence: float


class Claims(Generic[T]):
    """All that was said to one question."""

    __slots__ = ("_claims", "question")

    def __init__(self, question: str = "") -> None:
        self._claims: list[Claim[T]] = []
        self.question = question
        """What to ask a person when nobody claimed anything; empty if there is nothing to ask."""

    def add(
        self, value: T | None, provenance: KnownBy, *locations: str | None, confidence: float | None = None
    ) -> None:
        """Add a claim with the places that show it; ignore None."""
        if value is not None and value != "":
            trust = TRUST[provenance] if confidence is None else confidence
            self._claims.append(Claim(value, provenance, tuple(p for p in locations if p), trust))

    def __bool__(self) -> bool:
        return bool(self._claims)

    @property
    def best(self) -> Claim[T] | None:
        """The most trusted claim; of equals the first."""
        return max(self._claims, key=lambda claim: claim.confidence, default=None)

    @property
    def value(self) -> T | None:
        """The value of the best claim."""
        return self.best.value if self.best else None

    def drop(self) -> None:
        """Forget all claims, if a later fact makes the question pointless."""
        self._claims.clear()
        self.question = ""

    def finding(self, field: str = "") -> Finding[T]:
        """Return the best claim, the places of all that agree with it, and the others as alternatives."""
        best = self.best
        if best is None:
            return Finding(question=self.question or None)
        agreeing = [claim for claim in self._claims if claim.value == best.value]
        others = {c.value: c for c in sorted(self._claims, key=lambda c: c.confidence) if c.value != best.value}
        return Finding(
            value=best.value,
            confidence=calibrated(field, best.confidence),
            provenance=best.provenance,
            locations=_unique([*best.locations, *(p for claim in agreeing for p in claim.locations)]),
            alternatives=tuple(
                Alternative(value=c.value, provenance=c.provenance, locations=c.locations[:1])
                for c in list(reversed(others.values()))[:MAX_ALTERNATIVES]
            ),
        )


def _unique(locations: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(locations))[:MAX_PLACES]


@dataclass(slots=True)
class ModuleDraft:
    """What is known so far of one module, read by one ecosystem."""

    ecosystem: str
    name: str = ""
    role: Claims[Role] = field(default_factory=Claims)
    language: Claims[str] = field(default_factory=Claims)
    version: Claims[str] = field(default_factory=Claims)
    framework: Claims[str] = field(default_factory=Claims)
    package_manager: Claims[str] = field(default_factory=Claims)
    build: Claims[str] = field(default_factory=Claims)
    start: Claims[str] = field(default_factory=Claims)
    program: Claims[str] = field(default_factory=Claims)
    release: Claims[str] = field(default_factory=Claims)
    entrypoint: Claims[str] = field(default_factory=Claims)
    port: Claims[int] = field(default_factory=Claims)
    health: Claims[str] = field(default_factory=Claims)
    output: Claims[str] = field(default_factory=Claims)
    dependencies: dict[str, str] = field(default_factory=dict)
    """Runtime dependencies by exact name (lower case), each with the place that declares it."""
    tools: dict[str, str] = field(default_factory=dict)
    """Dependencies of development and build, likewise."""
    scripts: list[str] = field(default_factory=list)
    """Commands that an installed package offers."""
    manifests: list[str] = field(default_factory=list)
    """Manifests and lockfiles, relative to the root of the tree."""
    locked: bool = False
    """True if a lockfile or a checksum file pins the dependencies."""
    broken: dict[str, str] = field(default_factory=dict)
    """What the manifest names that is not there, as a sentence, with its place."""
    private: bool = False
    """True if the manifest says that the module is not for publishing."""


def claim_program(draft: ModuleDraft, start: str, runs: str, builds: str, place: str) -> None:
    """Claim what starts the program that was built, what builds and runs it immediately, and what builds it."""
    draft.start.add(start, "declared", place, confidence=0.8)
    draft.start.add(runs, "framework", place, confidence=0.5)
    draft.build.add(builds, "framework", place, confidence=0.85)
