"""Pipelines: stages in an order that is proved to fit when it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, JsonValue, ValidationError

from container_kit.pipelines.approval import Approval
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Listener
from container_kit.pipelines.request import PipelineOptions, PipelineRequest, PipelineResponse
from container_kit.pipelines.retry import RetryPolicy
from container_kit.pipelines.wiring import Signature
from container_kit.stages.contract.fault import Evidence, FaultCode, WiringError
from container_kit.stages.contract.stage import Stage
from container_kit.stages.contract.workspace import Workspace

Kind = Literal["atomic", "workflow"]
Condition = Callable[[Artifacts], bool]
"""Decides from the artifacts alone whether a stage runs; it must be free of side effects."""

ConcurrencyKey = Callable[[Artifacts], str | None]
"""Names what a run changes, from the given artifacts; None where it changes nothing that others may change."""

REQUEST_INVALID = FaultCode(
    "request.invalid",
    means="The input does not fit the artifacts that the pipeline is given.",
    hint="Correct the fields named in the evidence: {fields}.",
)


def minutes(count: float) -> float:
    """Seconds in so many minutes, for `with_timeout`."""
    return count * 60


@dataclass(frozen=True, slots=True)
class Step:
    """One stage in its place."""

    stage: Stage[Any]
    signature: Signature
    when: Condition | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name


class Pipeline:
    """Stages in order, groups of them in parallel. Use `AtomicPipeline` or `WorkflowPipeline`.

    The `add_…` and `with_…` methods change the pipeline and return it, so that they chain. Each refuses at once what
    cannot work.

    Args:
        name: In kebab-case; unique in a catalog.
        inputs: The artifact types that a run starts from. One whose fields all have defaults may be left out of a
            request. Their fields stand side by side in `PipelineRequest.input`, so no two may share a field.
        summary: One sentence that says what the pipeline is for.

    Raises:
        WiringError: A need is not made by anything earlier, two stages make one type or bear one name, an annotation
            is missing.
    """

    kind: ClassVar[Kind]

    def __init__(
        self, name: str, *, inputs: type[BaseModel] | Sequence[type[BaseModel]] = (), summary: str = ""
    ) -> None:
        self.name = name
        self.inputs: tuple[type[BaseModel], ...] = (inputs,) if isinstance(inputs, type) else tuple(inputs)
        self.summary = summary
        self.retry = RetryPolicy()
        self.timeout: float | None = None
        self.groups: list[tuple[Step, ...]] = []
        """Steps in order; a group of several runs in parallel."""
        self.approvals: dict[int, tuple[Approval, ...]] = {}
        """Approval points, by the number of the group that they stand before."""
        self.target: ConcurrencyKey | None = None
        self._refuse_shared_fields()

    def add_stage(self, stage: Stage[Any], *, retry: RetryPolicy | None = None, timeout: float | None = None) -> Self:
        """Append a stage; `retry` and `timeout` (seconds for one attempt) take the place of the pipeline's."""
        return self._append(Step(stage, Signature.of(stage), None, retry, timeout))

    def with_stage(self, stage: Stage[Any]) -> Self:
        """Append a stage; the same as `add_stage`."""
        return self.add_stage(stage)

    def add_conditional_stage(self, stage: Stage[Any], when: Condition) -> Self:
        """Append a stage that runs only where `when` says so; those that need its product take `X | None`."""
        return self._append(Step(stage, Signature.of(stage), when))

    def add_parallel_stages(self, *stages: Stage[Any]) -> Self:
        """Append stages that run at the same time. If one fails the others are cancelled."""
        if not stages:
            raise WiringError(f"pipeline {self.name!r}: a parallel group needs at least one stage")
        return self._append(*(Step(stage, Signature.of(stage)) for stage in stages))

    def add_approval(
        self,
        name: str,
        question: Callable[[Artifacts], str],
        *,
        when: Condition | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Let a run wait here until somebody consents; a refusal or no answer is a failure.

        Several points at one place are asked about together, and each needs its own consent.

        Args:
            name: Unique in the pipeline.
            question: The question to put, from the artifacts so far.
            when: Whether consent is needed at all.
            timeout: Seconds to wait; None means the run's deadline.
        """
        if name in {approval.name for here in self.approvals.values() for approval in here}:
            raise WiringError(f"pipeline {self.name!r}: there is an approval point named {name!r}")
        here = self.approvals.get(len(self.groups), ())
        self.approvals[len(self.groups)] = (*here, Approval(name, question, when, timeout))
        return self

    def with_concurrency_key(self, target: ConcurrencyKey) -> Self:
        """Say what a run changes, so that two durable runs with one target never run at once: the second waits."""
        self.target = target
        return self

    def with_retry(self, policy: RetryPolicy) -> Self:
        """Set the policy for all stages that have none of their own."""
        self.retry = policy
        return self

    def with_timeout(self, seconds: float) -> Self:
        """Set how long a whole run may take, in seconds; undoing is not counted."""
        if seconds <= 0:
            raise WiringError(f"pipeline {self.name!r}: a timeout must be positive, not {seconds}")
        self.timeout = seconds
        return self

    def steps(self) -> Iterator[Step]:
        """All steps in order."""
        for group in self.groups:
            yield from group

    def request(self, *given: BaseModel, id: str | None = None, **options: Any) -> PipelineRequest:  # noqa: A002
        """Make a request from artifacts; `options` are the fields of `PipelineOptions`."""
        fields: dict[str, JsonValue] = {}
        for artifact in given:
            fields.update(artifact.model_dump(mode="json", exclude_unset=True))
        made = PipelineRequest(type=self.name, input=fields, options=PipelineOptions(**options))
        return made if id is None else made.model_copy(update={"id": id})

    async def run(
        self,
        *given: BaseModel,
        listeners: Sequence[Listener] = (),
        workspace: Workspace | None = None,
        **options: Any,
    ) -> PipelineResponse:
        """Run in this process, in memory.

        Args:
            given: The artifacts that the run starts from.
            listeners: Called with each event.
            workspace: The folders that stages may read; by default the current directory.
            options: `timeout` in seconds, `dry_run`.
        """
        from container_kit.pipelines.execution.in_memory import run_in_memory

        return await run_in_memory(self, self.request(*given, **options), listeners=listeners, workspace=workspace)

    def parse_input(self, request: PipelineRequest) -> tuple[BaseModel, ...]:
        """Make the given artifacts from a request's input.

        Raises:
            StageFailure: `request.invalid`, with a piece of evidence for each field.
        """
        left = dict(request.input)
        problems: list[tuple[str, str]] = []
        artifacts = []
        for kind in self.inputs:
            fields = {name: left.pop(name) for name in kind.model_fields if name in left}
            try:
                artifacts.append(kind.model_validate(fields))
            except ValidationError as error:
                problems += [(".".join(map(str, detail["loc"])), detail["msg"]) for detail in error.errors()]
        problems += [(name, "no such field") for name in left]
        if problems:
            raise REQUEST_INVALID(
                f"the input does not fit pipeline {self.name!r}: "
                + "; ".join(f"{field}: {problem}" for field, problem in problems),
                evidence=[Evidence(kind="value", where=field, text=problem) for field, problem in problems],
                fields=", ".join(field for field, _ in problems),
            )
        return tuple(artifacts)

    def with_stages_replaced(self, stages: dict[str, Stage[Any]]) -> Self:
        """A copy with some stages' work replaced by name, their places and signatures kept."""
        copy = type(self)(self.name, inputs=self.inputs, summary=self.summary)
        copy.retry, copy.timeout, copy.target = self.retry, self.timeout, self.target
        copy.approvals = dict(self.approvals)
        copy.groups = [
            tuple(replace(step, stage=stages.get(step.name, step.stage)) for step in group) for group in self.groups
        ]
        return copy

    def _append(self, *group: Step) -> Self:
        names = {step.name for step in self.steps()}
        makers = dict.fromkeys(self.inputs) | {
            step.signature.makes: step for step in self.steps() if step.signature.makes
        }
        for step in group:
            self._check(step, names, makers)
            names.add(step.name)
        made = [step.signature.makes for step in group if step.signature.makes]
        for kind in made:
            if kind in makers or made.count(kind) > 1:
                raise WiringError(f"pipeline {self.name!r}: two stages make {kind.__name__}, or it is given too")
        self.groups.append(group)
        return self

    def _check(self, step: Step, names: set[str], makers: dict[type[BaseModel], Step | None]) -> None:
        where = f"pipeline {self.name!r}, stage {step.name!r}"
        if step.name in names:
            raise WiringError(f"{where}: the name is taken")
        signature = step.signature
        inputs = {need.parameter for need in signature.inputs}
        for need in (*signature.resolve, *signature.execute, *signature.validate, *signature.preview):
            if need.resolved:
                continue
            if need.parameter not in inputs:
                raise WiringError(f"{where}: {need.parameter} is not a parameter of execute or resolve")
            if need.optional:
                continue
            if need.kind not in makers:
                raise WiringError(f"{where}: nothing earlier makes {need.kind.__name__}")
            maker = makers[need.kind]
            if maker is not None and maker.when is not None:
                raise WiringError(
                    f"{where}: {need.kind.__name__} is made by {maker.name!r} only on a condition; "
                    f"take `{need.kind.__name__} | None`"
                )

    def _refuse_shared_fields(self) -> None:
        owner: dict[str, str] = {}
        for kind in self.inputs:
            for field in kind.model_fields:
                if field in owner:
                    raise WiringError(
                        f"pipeline {self.name!r}: {owner[field]} and {kind.__name__} share the field {field!r}"
                    )
                owner[field] = kind.__name__


class AtomicPipeline(Pipeline):
    """All or nothing, for one responsibility: a failure undoes every stage that is done, the last one first."""

    kind = "atomic"


class WorkflowPipeline(Pipeline):
    """Many steps: a failure keeps what is done and says where it can be taken up again."""

    kind = "workflow"
