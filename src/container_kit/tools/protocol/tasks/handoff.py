"""Handing a call's run over: the call is answered with a task, and the run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from mcp.server.context import ServerRequestContext

TASKS = "io.modelcontextprotocol/tasks"
"""The extension's identifier."""
GRACE = 0.2
"""Seconds within which a call is answered with its result after all."""


@dataclass
class Handing:
    """What became of a call that may be answered with a task."""

    run_id: str | None = None
    """The run that goes on; None where the call has its result."""


@dataclass(kw_only=True)
class TaskContext(ServerRequestContext[Any, Any]):
    """The context of a call that may be answered with a task."""

    handing: Handing = field(default_factory=Handing)


def with_handing(ctx: ServerRequestContext[Any, Any]) -> TaskContext:
    """The same context, for a call that may be answered with a task."""
    return TaskContext(**{part.name: getattr(ctx, part.name) for part in fields(ctx)})
