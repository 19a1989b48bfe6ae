"""What a person sees of a run at a terminal: one line a stage, live; the fault in full. It goes to stderr."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from pydantic import JsonValue

from container_kit.pipelines.events import Event
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.tools.protocol.progress import told
from container_kit.tools.registry import RUNS
from container_kit.tools.tool import ToolResult

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {"running": "▸", "done": "✓", "failed": "✗", "skipped": "-", "undone": "↩", "foretold": "·"}
_STYLES = {"done": "green", "failed": "bold red", "running": "cyan", "undone": "yellow"}
_ENDS = {
    "stage_succeeded": "done",
    "stage_failed": "failed",
    "stage_skipped": "skipped",
    "stage_rolled_back": "undone",
    "approval_resolved": "done",
    "stage_previewed": "foretold",
}
_EVIDENCE_LINES = 25
_OF_A_RUN = frozenset(offer.name for offer in RUNS)


class Console(Protocol):
    """Shows a run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def on_event(self, event: Event) -> None:
        """Show what happened."""

    def paused(self) -> AbstractContextManager[None]:
        """Show nothing while the block lasts, for a question."""

    def success(self, answered: ToolResult) -> None:
        """Show the result."""

    def fault(self, fault: Fault) -> None:
        """Show why it failed and what to do."""

    def interrupted(self) -> None:
        """Say that it was stopped."""

    def finishing(self, count: int) -> None:
        """Say that runs of others, taken over meanwhile, are being finished."""


def make_console(*, quiet: bool) -> Console:
    """A live console on a terminal, else plain lines; a quiet one tells only the end."""
    if quiet:
        return PlainConsole(quiet=True)
    return LiveConsole() if sys.stderr.isatty() else PlainConsole()


class PlainConsole:
    """One line for each thing that happens, for logs and pipes."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do."""

    def on_event(self, event: Event) -> None:
        """Print a line, unless it says what the last one said."""
        line = told(event)
        if self._quiet or event.kind in ("stage_output", "run_started") or line == self._last:
            return
        self._last = line
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    def paused(self) -> AbstractContextManager[None]:
        """Lines do not disturb a question."""
        return nullcontext()

    def success(self, answered: ToolResult) -> None:
        """Print the result on stdout."""
        print(result_text(answered))  # noqa: T201

    def fault(self, fault: Fault) -> None:
        """Print the fault on stderr."""
        print("\n".join(fault_lines(fault)), file=sys.stderr)  # noqa: T201

    def interrupted(self) -> None:
        """Say that it was stopped."""
        print("interrupted; what had been started was cleaned up", file=sys.stderr)  # noqa: T201

    def finishing(self, count: int) -> None:
        """Say so on stderr."""
        runs = "a run" if count == 1 else f"{count} runs"
        print(f"finishing {runs} that a process which died had left; Ctrl-C leaves it again", file=sys.stderr)  # noqa: T201


class LiveConsole(PlainConsole):
    """One line a stage, redrawn as it goes on."""

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
        """Leave the last state on the screen."""
        self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not redraw while the block lasts."""
        self._live.stop()
        yield
        self._live.start()

    def __rich__(self) -> Table:
        """The lines as they are now."""
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
        """Take note; the screen is redrawn by itself."""
        if event.stage is None or event.kind == "stage_output":
            return
        line = self._stages.setdefault(event.stage, _StageLine())
        line.take(event)

    def fault(self, fault: Fault) -> None:
        """Draw the fault."""
        from rich.panel import Panel
        from rich.text import Text

        head, *rest = fault_lines(fault)
        self._rich.print(Panel(Text("\n".join(rest)), title=Text(head), title_align="left", border_style="red"))


class _StageLine:
    def __init__(self) -> None:
        self.state = "running"
        self.message = ""
        self._started = time.monotonic()
        self._took: float | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started if self._took is None else self._took

    def take(self, event: Event) -> None:
        if event.kind in _ENDS:
            self.state = _ENDS[event.kind]
            self._took = self.seconds if event.seconds is None else event.seconds
        if event.kind in ("stage_progress", "stage_retrying", "stage_failed", "stage_skipped", "stage_previewed"):
            self.message = event.message.partition("\n")[0]


def result_text(answered: ToolResult) -> str:
    """A success for a person; a deployment's address is the last line."""
    deployment = answered.data.get("deployment")
    last = f"\ndeployed: {deployment['url']}" if isinstance(deployment, dict) and "dry_run" not in answered.data else ""
    return answered.text + last


def fault_lines(fault: Fault) -> list[str]:
    """A fault for a person: what, why, where, and what to type next."""
    where = f" in {fault.stage}" if fault.stage else ""
    lines = [f"{fault.code}{where}", fault.message]
    if fault.attempts > 1:
        lines.append(f"tried {fault.attempts} times")
    for fact in fault.evidence:
        lines.append(f"\n{fact.where or fact.kind}:")
        lines += [f"  {line}" for line in fact.text.splitlines()[-_EVIDENCE_LINES:]]
    if fault.rolled_back:
        lines.append(f"\nundone: {', '.join(fault.rolled_back)}")
    if fault.hint:
        lines.append(f"\nhint: {fault.hint}")
    for action in fault.next_actions:
        lines += [f"\n{action.why}:", f"  {command_line(action)}"]
    return lines


def command_line(action: NextAction) -> str:
    """A next action as one would type it."""
    words = ["container-kit", "run", action.tool]
    arguments = dict(action.arguments)
    by_position = ("run",) if action.tool in _OF_A_RUN else ("path", "image")
    target = next((str(arguments.pop(name)) for name in by_position if name in arguments), None)
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
