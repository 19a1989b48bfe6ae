"""Output of a run for a person: one line per stage, and the whole fault. It goes to stderr."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import JsonValue

from container_kit.pipelines.events import Event
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.stages.contract.untrusted_text import one_line, printable, quoted
from container_kit.tools.protocol.progress import progress_line
from container_kit.tools.registry import ALL
from container_kit.tools.tool import ToolResult

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {"running": "▸", "done": "✓", "failed": "✗", "skipped": "-", "rolled back": "↩", "preview": "·"}
_STYLES = {"done": "green", "failed": "bold red", "running": "cyan", "rolled back": "yellow"}
_FINAL_STATES = {
    "stage_succeeded": "done",
    "stage_failed": "failed",
    "stage_skipped": "skipped",
    "stage_rolled_back": "rolled back",
    "approval_resolved": "done",
    "stage_previewed": "preview",
}
_MESSAGE_EVENTS = ("stage_progress", "stage_retrying", "stage_failed", "stage_skipped", "stage_previewed")
_EVIDENCE_LINES = 25
_RUN_TOOLS = frozenset(tool.name for tool in ALL if tool.toolset == "runs")


class Console:
    """Prints one line per event, for logs and pipes."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._last_line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing; subclasses stop drawing."""

    def on_event(self, event: Event) -> None:
        """Print a line, unless it repeats the last one."""
        line = one_line(progress_line(event))
        if self._quiet or event.kind in ("stage_output", "run_started") or line == self._last_line:
            return
        self._last_line = line
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    def paused(self) -> AbstractContextManager[None]:
        """Print nothing during the block, in which a question is asked."""
        return nullcontext()

    def success(self, result: ToolResult) -> None:
        """Print a result to stdout."""
        print(printable(result_text(result)))  # noqa: T201

    def fault(self, fault: Fault) -> None:
        """Print a fault and its next actions."""
        print("\n".join(fault_lines(fault)), file=sys.stderr)  # noqa: T201

    def interrupted(self) -> None:
        """Report that a signal cancelled the run."""
        print("Interrupted. Everything that had been started was cleaned up.", file=sys.stderr)  # noqa: T201

    def resuming(self, count: int) -> None:
        """Report that this process resumes runs of crashed processes."""
        runs = "a run left by a crashed process" if count == 1 else f"{count} runs left by crashed processes"
        print(f"Resuming {runs}; press Ctrl-C to leave {'it' if count == 1 else 'them'} for later.", file=sys.stderr)  # noqa: T201


class LiveConsole(Console):
    """Draws one line per stage and updates it."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console as RichConsole
        from rich.live import Live

        self._rich = RichConsole(stderr=True, highlight=False)
        self._stages: dict[str, _StageLine] = {}
        self._live = Live(self, console=self._rich, refresh_per_second=10, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop drawing during the block."""
        self._live.stop()
        yield
        self._live.start()

    def __rich__(self) -> Table:
        """Return the current lines."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1), expand=True)
        for ratio in (None, None, None, 1):
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
        for name, line in self._stages.items():
            style = _STYLES.get(line.state, "")
            table.add_row(
                Text(_MARKS[line.state], style=style),
                Text(name),
                Text(f"{line.seconds:6.1f} s", style="dim"),
                Text(line.message, style="red" if line.state == "failed" else "dim"),
            )
        return table

    def on_event(self, event: Event) -> None:
        """Record an event; the next refresh draws it."""
        if event.stage is not None and event.kind != "stage_output":
            self._stages.setdefault(event.stage, _StageLine()).update(event)

    def fault(self, fault: Fault) -> None:
        """Draw a fault in a panel."""
        from rich.panel import Panel
        from rich.text import Text

        head, *rest = fault_lines(fault)
        self._rich.print(Panel(Text("\n".join(rest)), title=Text(head), title_align="left", border_style="red"))


def make_console(*, quiet: bool) -> Console:
    """Return a live console on a terminal, else a plain one. A quiet console prints only the result."""
    if quiet or not sys.stderr.isatty():
        return Console(quiet=quiet)
    return LiveConsole()


class _StageLine:
    def __init__(self) -> None:
        self.state = "running"
        self.message = ""
        self._started = time.monotonic()
        self._seconds: float | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started if self._seconds is None else self._seconds

    def update(self, event: Event) -> None:
        if event.kind in _FINAL_STATES:
            self.state = _FINAL_STATES[event.kind]
            self._seconds = self.seconds if event.seconds is None else event.seconds
        if event.kind in _MESSAGE_EVENTS:
            self.message = one_line(event.message.partition("\n")[0])


def result_text(result: ToolResult) -> str:
    """Return a success as text. The last line is the URL of a deployment."""
    deployment = result.data.get("deployment")
    if isinstance(deployment, dict) and "dry_run" not in result.data:
        return f"{result.text}\ndeployed: {deployment['url']}"
    return result.text


def fault_lines(fault: Fault) -> list[str]:
    """Return a fault as lines: code, message, evidence, hint, and the commands to type next."""
    where = f" in {fault.stage}" if fault.stage else ""
    lines = [f"{fault.code}{where}", one_line(fault.message)]
    if fault.attempts > 1:
        lines.append(f"attempts: {fault.attempts}")
    for item in fault.evidence:
        lines.append(f"\n{one_line(item.where or item.kind)}:")
        lines += [f"  {line}" for line in quoted(item.text.rstrip("\n")).split("\n")[-_EVIDENCE_LINES:]]
    if fault.rolled_back:
        lines.append(f"\nrolled back: {', '.join(fault.rolled_back)}")
    if fault.hint:
        lines.append(f"\nhint: {one_line(fault.hint)}")
    for action in fault.next_actions:
        lines += [f"\n{one_line(action.why)}", f"  {one_line(command_line(action))}"]
    return lines


def command_line(action: NextAction) -> str:
    """Return a next action as a command to type."""
    words = ["container-kit", "run", action.tool]
    arguments = dict(action.arguments)
    positional = ("run",) if action.tool in _RUN_TOOLS else ("path", "image")
    target = next((str(arguments.pop(name)) for name in positional if name in arguments), None)
    words += [target] if target else []
    for name, value in arguments.items():
        words += _option(f"--{name.replace('_', '-')}", value)
    return shlex.join(words)


def _option(flag: str, value: JsonValue) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, dict):
        return [word for key, item in value.items() for word in (flag, f"{key}={item}")]
    return [flag, value if isinstance(value, str) else json.dumps(value)]
