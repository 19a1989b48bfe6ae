"""The artifacts of a run, by their type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydantic import BaseModel

from container_kit.stages.contract.artifact import Artifact

A = TypeVar("A", bound=BaseModel)


class Artifacts:
    """The inputs and outputs of a run: at most one artifact of each type."""

    __slots__ = ("_by_type",)

    def __init__(self, artifacts: Iterable[BaseModel] = ()) -> None:
        self._by_type: dict[type[BaseModel], BaseModel] = {type(artifact): artifact for artifact in artifacts}

    def __getitem__(self, kind: type[A]) -> A:
        return self._by_type[kind]  # type: ignore[return-value]  # keyed by its own type

    def get(self, kind: type[A]) -> A | None:
        """Return the artifact of a type; None if there is no such artifact."""
        return self._by_type.get(kind)  # type: ignore[return-value]  # keyed by its own type

    def __contains__(self, kind: type[BaseModel]) -> bool:
        return kind in self._by_type

    def __iter__(self) -> Iterator[BaseModel]:
        return iter(self._by_type.values())

    def run_subject(self) -> dict[str, str]:
        """Return what a run with these inputs is about."""
        subject: dict[str, str] = {}
        for artifact in self:
            subject |= artifact.run_subject() if isinstance(artifact, Artifact) else {}
        return subject

    def add(self, artifact: BaseModel) -> None:
        """Add the output of a stage."""
        self._by_type[type(artifact)] = artifact
