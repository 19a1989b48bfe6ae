"""Pipelines: builders of plans, which reject stages that do not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from container_kit.pipelines.approval import Approval
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Listener
from container_kit.pipelines.execution.in_memory import run_in_memory
from container_kit.pipelines.plan import ConcurrencyKey, Condition, Kind, Plan, Step
from container_kit.pipelines.request import PipelineRequest, PipelineResponse
from container_kit.pipelines.retry import RetryPolicy
from container_kit.pipelines.wiring import Signature
from container_kit.stages.contract.fault import WiringError
from container_kit.stages.contract.stage import Stage
from container_kit.stages.contract.workspace import Workspace


def minutes(count: float) -> float:
    """Convert minutes to seconds, for `with_timeout`."""
    return count * 60


class Pipeline:
    """Stages in order, with groups that run in parallel. Use `AtomicPipeline` or `WorkflowPipeline`.

    The `add_…` and `with_…` methods change the pipeline and return it, so calls can be chained. Each rejects stages
    that do not fit together.

    Args:
        name: In kebab-case; unique in a catalog.
        inputs: The artifact types that a run starts from. A request may omit an artifact whose fields all have
            defaults. `PipelineRequest.input` holds the fields of all inputs, so no two inputs may share a field.
        summary: The purpose of the pipeline, in one sentence.

    Raises:
        WiringError: No earlier stage returns a required input, two stages return one type or have one name, or an
            annotation is missing.
    """

    kind: ClassVar[Kind]

    def __init__(
        self, name: str, *, inputs: type[BaseModel] | Sequence[type[BaseModel]] = (), summary: str = ""
    ) -> None:
        self.name = name
        self.inputs: tuple[type[BaseModel], ...] = (inputs,) if isinstance(inputs, type) else tuple(inputs)
        self.summary = summary
        self._retry = RetryPolicy()
        self._timeout: float | None = None
        self._groups: list[tuple[Step, ...]] = []
        self._approvals: dict[int, tuple[Approval, ...]] = {}
        self._concurrency_key: ConcurrencyKey | None = None
        self._reject_shared_fields()

    def plan(self) -> Plan:
        """Return the frozen form of the pipeline as it is now."""
        return Plan(
            name=self.name,
            kind=self.kind,
            inputs=self.inputs,
            summary=self.summary,
            groups=tuple(self._groups),
            approvals=MappingProxyType(dict(self._approvals)),
            retry=self._retry,
            timeout=self._timeout,
            concurrency_key=self._concurrency_key,
        )

    def add_stage(self, stage: Stage[Any], *, retry: RetryPolicy | None = None, timeout: float | None = None) -> Self:
        """Append a stage. `retry` and `timeout` (seconds for one attempt) override the pipeline's."""
        return self.add_steps(Step(stage, Signature.of(stage), None, retry, timeout))

    def with_stage(self, stage: Stage[Any]) -> Self:
        """Append a stage. The same as `add_stage`."""
        return self.add_stage(stage)

    def add_conditional_stage(self, stage: Stage[Any], when: Condition) -> Self:
        """Append a stage that runs only if `when` returns true. Stages that need its output take `X | None`."""
        return self.add_steps(Step(stage, Signature.of(stage), when))

    def add_parallel_stages(self, *stages: Stage[Any]) -> Self:
        """Append stages that run at the same time. If one fails, the others are cancelled."""
        if not stages:
            raise WiringError(f"pipeline {self.name!r}: a parallel group requires at least one stage")
        return self.add_steps(*(Step(stage, Signature.of(stage)) for stage in stages))

    def add_approval(
        self,
        name: str,
        question: Callable[[Artifacts], str],
        *,
        when: Condition | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Make a run wait here for the approval of a person. A rejection and a timeout are failures.

        Approval points at the same position are requested together; each needs its own decision.

        Args:
            name: Unique in the pipeline.
            question: Returns the question from the artifacts so far.
            when: Returns whether approval is needed.
            timeout: Seconds to wait; None means the run's deadline.
        """
        if name in {approval.name for points in self._approvals.values() for approval in points}:
            raise WiringError(f"pipeline {self.name!r}: an approval point named {name!r} exists")
        points = self._approvals.get(len(self._groups), ())
        self._approvals[len(self._groups)] = (*points, Approval(name, question, when, timeout))
        return self

    def with_concurrency_key(self, key: ConcurrencyKey) -> Self:
        """Set the key of runs that exclude each other: a durable run waits for an earlier one with the same key."""
        self._concurrency_key = key
        return self

    def with_retry(self, policy: RetryPolicy) -> Self:
        """Set the retry policy of all stages that have no own policy."""
        self._retry = policy
        return self

    def with_timeout(self, seconds: float) -> Self:
        """Set the time limit of a whole run, in seconds. Rollback does not count."""
        if seconds <= 0:
            raise WiringError(f"pipeline {self.name!r}: a timeout must be positive, not {seconds}")
        self._timeout = seconds
        return self

    def steps(self) -> Iterator[Step]:
        """Yield all steps in order."""
        for group in self._groups:
            yield from group

    def request(self, *inputs: BaseModel, id: str | None = None, **options: Any) -> PipelineRequest:  # noqa: A002
        """Create a request from artifacts. `options` are the fields of `PipelineOptions`."""
        return self.plan().request(*inputs, id=id, **options)

    async def run(
        self,
        *inputs: BaseModel,
        listeners: Sequence[Listener] = (),
        workspace: Workspace | None = None,
        **options: Any,
    ) -> PipelineResponse:
        """Run in this process, in memory.

        Args:
            inputs: The artifacts that the run starts from.
            listeners: Called with each event.
            workspace: The folders that stages may read. Defaults to the current folder.
            options: `timeout` in seconds, `dry_run`.
        """
        plan = self.plan()
        return await run_in_memory(plan, plan.request(*inputs, **options), listeners=listeners, workspace=workspace)

    def with_stages_replaced(self, stages: dict[str, Stage[Any]]) -> Self:
        """Return a copy in which the named stages do other work. Their positions and signatures stay."""
        copy = type(self)(self.name, inputs=self.inputs, summary=self.summary)
        copy._retry, copy._timeout, copy._concurrency_key = self._retry, self._timeout, self._concurrency_key
        copy._approvals = dict(self._approvals)
        copy._groups = [
            tuple(replace(step, stage=stages.get(step.name, step.stage)) for step in group) for group in self._groups
        ]
        return copy

    def add_steps(self, *group: Step) -> Self:
        """Append prepared steps, which run in parallel. The `add_…_stage` methods prepare steps from stages."""
        names = {step.name for step in self.steps()}
        producers = dict.fromkeys(self.inputs) | {
            step.signature.output: step for step in self.steps() if step.signature.output
        }
        for step in group:
            self._check(step, names, producers)
            names.add(step.name)
        outputs = [step.signature.output for step in group if step.signature.output]
        for kind in outputs:
            if kind in producers or outputs.count(kind) > 1:
                raise WiringError(f"pipeline {self.name!r}: {kind.__name__} is an input or the output of two stages")
        self._groups.append(group)
        return self

    def _check(self, step: Step, names: set[str], producers: dict[type[BaseModel], Step | None]) -> None:
        where = f"pipeline {self.name!r}, stage {step.name!r}"
        if step.name in names:
            raise WiringError(f"{where}: a stage with this name exists")
        signature = step.signature
        inputs = {item.parameter for item in signature.inputs}
        for item in (*signature.resolve, *signature.execute, *signature.validate, *signature.preview):
            if item.resolved:
                continue
            if item.parameter not in inputs:
                raise WiringError(f"{where}: {item.parameter} is not a parameter of execute or resolve")
            if item.optional:
                continue
            if item.kind not in producers:
                raise WiringError(f"{where}: no earlier stage returns {item.kind.__name__}")
            producer = producers[item.kind]
            if producer is not None and producer.when is not None:
                raise WiringError(
                    f"{where}: the conditional stage {producer.name!r} returns {item.kind.__name__}; "
                    f"take `{item.kind.__name__} | None`"
                )

    def _reject_shared_fields(self) -> None:
        owners: dict[str, str] = {}
        for kind in self.inputs:
            for field in kind.model_fields:
                if field in owners:
                    raise WiringError(
                        f"pipeline {self.name!r}: {owners[field]} and {kind.__name__} share the field {field!r}"
                    )
                owners[field] = kind.__name__


class AtomicPipeline(Pipeline):
    """All or nothing: a failure rolls back every completed stage, the last one first."""

    kind = "atomic"


class WorkflowPipeline(Pipeline):
    """Many steps: a failure keeps the completed stages, and the run can be retried from the failed stage."""

    kind = "workflow"
