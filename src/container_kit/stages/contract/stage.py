"""The Stage contract: what a stage is given, what it must offer, and what the engine promises in return."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.log import logger
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.workspace import Workspace

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Artifacts = TypeVar("Artifacts")


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage knows of the run around it. One is made for each attempt."""

    run_id: str
    pipeline: str
    stage: str
    attempt: int
    """1 for the first attempt."""
    dry_run: bool
    workspace: Workspace
    """The folders that a run may read; every path from a caller goes through it."""
    redact: Redactor
    """Takes known secrets out of a text. Events and faults pass through it anyway."""
    on_progress: Callable[[str, float | None], None] = field(repr=False)
    on_output: Callable[[str], None] = field(repr=False)

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell one line that a person understands.

        Never blocks. Call it on the event loop; from a worker thread use `anyio.from_thread.run_sync`.

        Args:
            message: What is happening, for example `step 3/7: RUN pip install`.
            fraction: How much of this stage is done, 0 to 1, where that is known.
        """
        self.on_progress(message, fraction)

    def output(self, line: str) -> None:
        """Keep one raw line of what a tool or container printed in the stage's log. Never blocks."""
        self.on_output(line)

    @property
    def log(self) -> FilteringBoundLogger:
        """structlog, with run and stage bound; it goes to stderr."""
        bound: FilteringBoundLogger = logger("container_kit.stage").bind(
            run=self.run_id, pipeline=self.pipeline, stage=self.stage
        )
        return bound


@dataclass(frozen=True, slots=True)
class Preview(Generic[Artifacts]):
    """What a stage would do, for a dry run."""

    says: tuple[str, ...]
    """One line for each change that would be made."""
    makes: Artifacts | None = None
    """What `execute` would return as far as it can be foretold; None leaves later stages that need it unchecked."""


class Stage(ABC, Generic[Artifacts]):
    """One piece of work. Its needs are the parameters of `execute`, its product is the return type.

    `validate`, `execute` and `preview` take the context first and then any of the artifacts that were given to the
    pipeline or made before; the engine reads their types from the signature. `X | None` takes the product of a stage
    that may not run. A stage keeps no state between calls: one object serves many runs at once.
    """

    name: ClassVar[str]
    """Unique in a pipeline; by default the class's name in kebab-case."""
    read_only: ClassVar[bool] = False
    """True where `execute` changes nothing outside the run; a dry run then executes it."""
    timeout: ClassVar[float | None] = None
    """Seconds for one attempt; None leaves it to the pipeline's deadline."""
    faults: ClassVar[tuple[FaultCode, ...]] = ()
    """The codes that this stage may raise."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    async def resolve(self, ctx: StageContext, *inputs: Any, **named_inputs: Any) -> Any:
        """Resolve the inputs, once for each attempt; optional, and read-only.

        A stage that overrides it declares a return type. `validate`, `execute` and `preview` then receive the result in
        their parameter of that type, next to any artifacts that they declare themselves.

        Raises:
            StageFailure: The only exception that leaves a stage.
        """

    async def validate(self, ctx: StageContext, *needs: Any, **named_needs: Any) -> None:
        """Check what can be checked before anything is changed; raise `StageFailure` if it cannot work.

        The engine calls it right before `execute` and in a dry run, after `resolve`. It must change nothing.
        """

    @abstractmethod
    async def execute(self, ctx: StageContext, *needs: Any, **named_needs: Any) -> Artifacts:
        """Do the work.

        If it raises or is cancelled it leaves nothing behind (clean-up is shielded from cancellation). It may be run
        again after a crash: it finds its leftovers by the labels of
        `stages.docker.labels.run_labels` and reuses or removes them.

        Raises:
            StageFailure: The only exception that leaves a stage.
        """

    async def rollback(self, ctx: StageContext, made: Artifacts) -> None:
        """Undo what `execute` did. Called again after a crash, so it must not mind finding it undone."""

    async def preview(self, ctx: StageContext, *needs: Any, **named_needs: Any) -> Preview[Artifacts]:
        """Say what `execute` would do, changing nothing. By default the first line of the stage's docstring."""
        summary = (type(self).__doc__ or self.name).strip().splitlines()[0].rstrip(".")
        return Preview((summary,))
