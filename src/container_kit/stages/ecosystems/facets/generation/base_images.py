"""Base images: which are usual, what they hold, and which of them a host can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import Field

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.data.end_of_life import of_image

Family = Literal["debian", "alpine"]
Probe = Literal["python", "node", "bash", "wget", "bun", "deno"]


class BasePolicy(Artifact):
    """What an operator decides about base images."""

    images: dict[str, str] = Field(default_factory=dict)
    """From a usual reference, for example `golang:1.25-alpine`, to the one to use in its place."""
    mirror: str | None = None
    """A registry, with a path where it has one, that holds the usual images: `registry.example:5000/hub`."""
    pin: bool = True
    """Add the digest if a registry returns it."""

    def apply(self, reference: str) -> str:
        """Return the reference that this policy uses for a usual one."""
        if reference in self.images:
            return self.images[reference]
        return f"{self.mirror.rstrip('/')}/{reference}" if self.mirror else reference


@dataclass(frozen=True, slots=True)
class Base:
    """A base image and what a generator may rely on inside it."""

    reference: str
    family: Family = "debian"
    probe: Probe = "bash"
    """The program for the health check."""
    usual: str = ""
    """The reference before the policy changed it; empty for a candidate that was not chosen yet."""
    version: str = ""
    """The language's version, if a recipe has to know which one it got."""
    user: str | None = None
    """The numeric `user:group` that the image runs as; None for root, then a user is created."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Which images a host can have.

    Attributes:
        present: References that the engine holds.
        digests: From the references that a registry has to their digests.
        known: False if no engine answered, so that nothing can be said.
    """

    present: frozenset[str] = frozenset()
    digests: Mapping[str, str] = field(default_factory=dict)
    known: bool = False


class Bases:
    """Chooses base images by policy and availability, and remembers why."""

    def __init__(self, policy: BasePolicy, availability: Availability) -> None:
        self._policy = policy
        self._availability = availability
        self.choices: list[tuple[str, ...]] = []
        """The candidates of each choice, in the words of the policy."""
        self.reasons: list[Reason] = []

    def pick(self, *candidates: Base, rationale: str) -> Base:
        """Return the first candidate that the host can have, its reference made by the policy.

        Args:
            candidates: The usual one first; the others for hosts that do not have it.
            rationale: Why the first is the usual one.
        """
        self.choices.append(tuple(self._policy.apply(base.reference) for base in candidates))
        chosen = next((base for base in candidates if self._can_have(base)), candidates[0])
        reference = self._policy.apply(chosen.reference)
        self._explain(reference, chosen, candidates[0], rationale)
        digest = self._availability.digests.get(reference) if self._policy.pin else None
        pinned = f"{reference}@{digest}" if digest and "@" not in reference else reference
        return replace(chosen, reference=pinned, usual=chosen.reference)

    def _can_have(self, base: Base) -> bool:
        reference = self._policy.apply(base.reference)
        return (
            base.reference in self._policy.images
            or reference in self._availability.present
            or reference in self._availability.digests
        )

    def _explain(self, reference: str, chosen: Base, usual: Base, rationale: str) -> None:
        if chosen is not usual:
            rationale = f"{self._policy.apply(usual.reference)} is neither on the engine nor in a registry that answers"
        elif reference != chosen.reference:
            rationale = f"{rationale}; the policy maps {chosen.reference} to it"
        elif self._availability.known and not self._can_have(chosen):
            rationale = f"{rationale}; it is not on the engine and no registry answers, so load it before building"
        ended = of_image(chosen.reference)
        reason = Reason(
            decision=f"base image {reference}", rationale=f"{rationale}; {ended}: move on" if ended else rationale
        )
        if reason not in self.reasons:
            self.reasons.append(reason)
