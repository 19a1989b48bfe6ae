"""Stage contexts for tests of stages."""

from __future__ import annotations

import dataclasses
from typing import Any

from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.workspace import Workspace


class Contexts:
    """Creates stage contexts, and records the progress and output of stages.

    >>> image = await BuildImage(engine).execute(ctx(stage="build"), source)
    >>> assert "step 1/3" in ctx.messages[0]
    """

    def __init__(self, run_id: str, workspace: Workspace) -> None:
        self.messages: list[str] = []
        """The progress messages."""
        self.fractions: list[float | None] = []
        """The fraction of each message."""
        self.lines: list[str] = []
        """The raw output."""
        self._base = StageContext(
            run_id=run_id,
            pipeline="test",
            stage="test",
            attempt=1,
            dry_run=False,
            workspace=workspace,
            redact=Redactor(),
            on_progress=self._progress,
            on_output=self.lines.append,
        )

    def __call__(self, **changes: Any) -> StageContext:
        """Return a context; `changes` are fields of `StageContext`, for example `dry_run=True`."""
        return dataclasses.replace(self._base, **changes)

    def _progress(self, message: str, fraction: float | None) -> None:
        self.messages.append(message)
        self.fractions.append(fraction)
