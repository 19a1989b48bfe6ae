"""The handoff of a run to a task: the call returns a task, and the run continues."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from mcp.server.context import ServerRequestContext

TASKS = "io.modelcontextprotocol/tasks"
"""The identifier of the extension."""
GRACE_SECONDS = 0.2
"""A call that finishes within this time returns its result directly."""


@dataclass
class Handoff:
    """The outcome of a call that may return a task."""

    task_id: str | None = None
    """The task of the run that continues; None if the call has its result."""


@dataclass(kw_only=True)
class TaskContext(ServerRequestContext[Any, Any]):
    """The context of a call that may return a task."""

    handoff: Handoff = field(default_factory=Handoff)


def with_handoff(ctx: ServerRequestContext[Any, Any]) -> TaskContext:
    """Return the same context for a call that may return a task."""
    return TaskContext(**{item.name: getattr(ctx, item.name) for item in fields(ctx)})
