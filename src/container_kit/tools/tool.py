"""What a tool is to us: its words, its input, what it changes, and the work behind it. Nothing here knows MCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from container_kit.pipelines.runs.client import Caller
from container_kit.stages.contract.fault import Fault

if TYPE_CHECKING:
    from container_kit.pipelines.runs.service import RunService

Effect = Literal["read_only", "additive", "destructive"]
"""`reads` changes nothing, `adds` destroys nothing that was there, `replaces` may."""


class ToolInput(BaseModel):
    """The arguments of a tool. Unknown ones are refused, so that a misspelt option is not silently left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answers."""

    text: str
    """Short, for clients and people that read only text."""
    data: dict[str, JsonValue]
    """The structured result; it fits the tool's output schema, or is a fault."""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    title: str
    description: str
    """When to use it, what it does and what to call next; at most 1.5 KB."""
    input: type[ToolInput]
    output: Mapping[str, Any]
    """The JSON schema of a success's structured content."""
    toolset: str
    effect: Effect
    work: Callable[[ToolCall, Any], Awaitable[ToolResult]]
    """Called with the validated input; may raise `StageFailure`."""
    idempotent: bool = False
    """Calling it again with the same arguments changes nothing more."""
    open_world: bool = False
    """It may talk to registries or other services outside this machine."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool."""

    offer: Tool
    arguments: Mapping[str, JsonValue]
    """As the caller sent them."""
    runs: RunService
    offered: Mapping[str, Tool]
    """All tools that the caller may use, by name."""
    asker: Caller = field(default_factory=Caller)
    """Who calls, and how the caller waits for the run that the call starts."""

    @property
    def principal(self) -> str | None:
        """Who calls, where callers are told apart."""
        return self.asker.principal
