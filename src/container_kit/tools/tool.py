"""A tool: its description, input, effect and handler. This module is independent of MCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from container_kit.pipelines.runs.client import Caller
from container_kit.stages.contract.fault import Fault

if TYPE_CHECKING:
    from container_kit.pipelines.runs.service import RunService

Effect = Literal["read_only", "additive", "destructive"]
"""`read_only` changes nothing, `additive` only adds, `destructive` may replace or remove existing things."""


class ToolInput(BaseModel):
    """The arguments of a tool. Unknown arguments are rejected, so that no misspelt option is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    unlisted: ClassVar[frozenset[str]] = frozenset()
    """Arguments that the listed schema omits; they are accepted and documented elsewhere."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call."""

    text: str
    """A short text for people and for clients that read only text."""
    data: dict[str, JsonValue]
    """The structured result. It matches the tool's output schema, or holds the fields of the fault."""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    title: str
    description: str
    """Purpose, when to use it, what it changes and what to call next; at most 1.5 KB."""
    input: type[ToolInput]
    output: Mapping[str, Any]
    """The JSON schema of the structured content of a success."""
    toolset: str
    effect: Effect
    handler: Callable[[ToolCall, Any], Awaitable[ToolResult]]
    """Called with the validated input; may raise `StageFailure`."""
    idempotent: bool = False
    """Repeating the call with the same arguments has no further effect."""
    open_world: bool = False
    """The tool may contact registries or other services outside this machine."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool."""

    tool: Tool
    arguments: Mapping[str, JsonValue]
    """The arguments as the client sent them."""
    runs: RunService
    tools: Mapping[str, Tool]
    """All tools that the client may call, by name."""
    caller: Caller = field(default_factory=Caller)
    """The identity of the client, and how long it waits for the run."""

    @property
    def principal(self) -> str | None:
        """The authenticated principal; None without authentication."""
        return self.caller.principal
