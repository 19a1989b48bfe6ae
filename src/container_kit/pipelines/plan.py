"""The plan of a pipeline: its frozen form, which the driver and the runtimes execute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, JsonValue, ValidationError

from container_kit.pipelines.approval import Approval
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.request import PipelineOptions, PipelineRequest
from container_kit.pipelines.retry import RetryPolicy
from container_kit.pipelines.wiring import Signature
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import Stage

Kind = Literal["atomic", "workflow"]
Condition = Callable[[Artifacts], bool]
"""Returns from the artifacts whether a stage runs. It must be free of side effects."""
ConcurrencyKey = Callable[[Artifacts], str | None]
"""Returns from the inputs the name of the object that a run changes; None if runs do not exclude each other."""

REQUEST_INVALID = FaultCode(
    "request.invalid",
    means="The input does not match the inputs of the pipeline.",
    hint="Correct the fields named in the evidence: {fields}.",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a plan, with its condition and its limits."""

    stage: Stage[Any]
    signature: Signature
    when: Condition | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None
    """Seconds for one attempt."""

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self.stage.name


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline that can no longer change: safe to cache, and to share between runs."""

    name: str
    kind: Kind
    inputs: tuple[type[BaseModel], ...]
    summary: str
    groups: tuple[tuple[Step, ...], ...]
    """The steps in order. The steps of one group run in parallel."""
    approvals: Mapping[int, tuple[Approval, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Approval points by the number of the group that they precede."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float | None = None
    """Seconds for a whole run, without its rollback."""
    concurrency_key: ConcurrencyKey | None = None

    def steps(self) -> Iterator[Step]:
        """Yield all steps in order."""
        for group in self.groups:
            yield from group

    @property
    def read_only(self) -> bool:
        """Whether no stage changes anything."""
        return all(step.stage.read_only for step in self.steps())

    def request(self, *inputs: BaseModel, id: str | None = None, **options: Any) -> PipelineRequest:  # noqa: A002
        """Create a request from artifacts. `options` are the fields of `PipelineOptions`."""
        fields: dict[str, JsonValue] = {}
        for artifact in inputs:
            fields.update(artifact.model_dump(mode="json", exclude_unset=True))
        request = PipelineRequest(type=self.name, input=fields, options=PipelineOptions(**options))
        return request if id is None else request.model_copy(update={"id": id})

    def parse_input(self, request: PipelineRequest) -> tuple[BaseModel, ...]:
        """Return the artifacts in a request's input.

        Raises:
            StageFailure: `request.invalid`, with one piece of evidence per field.
        """
        fields = dict(request.input)
        problems: list[tuple[str, str]] = []
        artifacts = []
        for kind in self.inputs:
            own = {name: fields.pop(name) for name in kind.model_fields if name in fields}
            try:
                artifacts.append(kind.model_validate(own))
            except ValidationError as error:
                problems += [(".".join(map(str, detail["loc"])), detail["msg"]) for detail in error.errors()]
        problems += [(name, "no such field") for name in fields]
        if problems:
            text = "; ".join(f"{field}: {problem}" for field, problem in problems)
            raise REQUEST_INVALID(
                f"the input does not match pipeline {self.name!r}: {text}",
                evidence=[Evidence(kind="value", where=field, text=problem) for field, problem in problems],
                fields=", ".join(field for field, _ in problems),
            )
        return tuple(artifacts)
