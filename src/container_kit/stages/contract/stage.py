"""The contract between stages and the engine: Stage, StageContext and Preview."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.log import logger
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.workspace import Workspace

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Artifacts = TypeVar("Artifacts")


@dataclass(frozen=True, slots=True)
class StageContext:
    """The run as a stage sees it. The engine creates one context per attempt."""

    run_id: str
    pipeline: str
    stage: str
    attempt: int
    """Starts at 1."""
    dry_run: bool
    workspace: Workspace
    """The folders that a run may read. Every path from a caller is resolved with it."""
    redact: Redactor
    """Removes known secrets from a text. Events and faults pass through it automatically."""
    on_progress: Callable[[str, float | None], None] = field(repr=False)
    on_output: Callable[[str], None] = field(repr=False)

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Report progress in one line that a person understands.

        Never blocks. Call it on the event loop; from a worker thread use `anyio.from_thread.run_sync`.

        Args:
            message: The current activity, for example `step 3/7: RUN pip install`.
            fraction: The completed part of this stage, 0 to 1, if known.
        """
        self.on_progress(message, fraction)

    def output(self, line: str) -> None:
        """Append one raw line of program output to the stage's log. Never blocks."""
        self.on_output(line)

    @property
    def log(self) -> FilteringBoundLogger:
        """The structlog logger with run and stage bound; it writes to stderr."""
        bound: FilteringBoundLogger = logger("container_kit.stage").bind(
            run=self.run_id, pipeline=self.pipeline, stage=self.stage
        )
        return bound


@dataclass(frozen=True, slots=True)
class Preview(Generic[Artifacts]):
    """The changes that a stage would make, for a dry run."""

    changes: tuple[str, ...]
    """One line per change."""
    output: Artifacts | None = None
    """The predicted return value of `execute`. None makes later stages that need it indeterminate."""


class Stage(ABC, Generic[Artifacts]):
    """One unit of work. Its inputs are the parameters of `execute`, its output is the return type.

    `validate`, `execute` and `preview` take the context first, then any inputs of the pipeline and any outputs of
    earlier stages. The engine reads their types from the signature. `X | None` accepts the output of a stage that may
    not run. A stage keeps no state between calls: one object serves many concurrent runs.
    """

    name: ClassVar[str]
    """Unique in a pipeline. Defaults to the class name in kebab-case."""
    read_only: ClassVar[bool] = False
    """Whether `execute` changes nothing outside the run. A dry run executes read-only stages."""
    timeout: ClassVar[float | None] = None
    """Seconds for one attempt; None means only the pipeline's deadline applies."""
    rollback_timeout: ClassVar[float] = 120.0
    """Seconds for one attempt of a rollback."""
    faults: ClassVar[tuple[FaultCode, ...]] = ()
    """The fault codes that this stage can raise."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    async def resolve(self, ctx: StageContext, *inputs: Any, **named_inputs: Any) -> Any:
        """Resolve the inputs, once for each attempt; optional, and read-only.

        An override must declare its return type. `validate`, `execute` and `preview` then receive the result in their
        parameter of that type, next to the inputs that they take themselves.

        Raises:
            StageFailure: The only exception that leaves a stage.
        """

    async def validate(self, ctx: StageContext, *needs: Any, **named_needs: Any) -> None:
        """Check the inputs before anything changes.

        The engine calls it after `resolve`, before `execute` and in a dry run. It must not change anything.

        Raises:
            StageFailure: The stage cannot succeed.
        """

    @abstractmethod
    async def execute(self, ctx: StageContext, *needs: Any, **named_needs: Any) -> Artifacts:
        """Do the work.

        If it raises or is cancelled, it leaves nothing behind (clean-up is shielded from cancellation). It may run
        again after a crash: it finds objects of the earlier attempt by the labels of `stages.docker.labels.run_labels`
        and reuses or removes them.

        Raises:
            StageFailure: The only exception that leaves a stage.
        """

    async def rollback(self, ctx: StageContext, output: Artifacts) -> Sequence[str] | None:
        """Undo `execute`. It may run again after a crash, so it must be idempotent.

        Args:
            ctx: The context.
            output: The return value of `execute`.

        Returns:
            What stays, one line each, with the reason; None if nothing does.

        Raises:
            StageFailure: Something could not be undone.
        """

    async def preview(self, ctx: StageContext, *needs: Any, **named_needs: Any) -> Preview[Artifacts]:
        """Return the changes that `execute` would make, without making them.

        Defaults to the first line of the stage's docstring.
        """
        summary = (type(self).__doc__ or self.name).strip().splitlines()[0].rstrip(".")
        return Preview((summary,))
