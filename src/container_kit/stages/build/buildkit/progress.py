"""What a build tells while it runs, as steps a person understands, whichever builder tells it."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.build import ca_certificates as authorities

_STEP = re.compile(r"\[(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<of>\d+)\] (?P<instruction>.*)", re.DOTALL)
# Docker's classic builder, and Podman's: `Step 1/2 : FROM x`, `STEP 1/2: FROM x`, `[1/2] STEP 1/2: FROM x AS y`
_CLASSIC_STEP = re.compile(
    r"(?:\[(?P<stage>\d+)/\d+\] )?step (?P<number>\d+)/(?P<of>\d+) ?: (?P<instruction>.*)", re.DOTALL | re.IGNORECASE
)
_CLASSIC_CHATTER = re.compile(
    r"\s*(---?> |Removing intermediate container|Successfully (built|tagged) |(\[\d+/\d+\] )?COMMIT |[0-9a-f]{64}\s*$)"
)
_TAIL_LINES = 300
_LINE_LIMIT = 4000
_SHOWN = 100


@dataclass(slots=True)
class BuildStep:
    """One node of the build: an instruction, or work of the builder's own such as loading the context."""

    name: str
    instruction: str | None = None
    """The instruction as the builder shows it; None for work of its own."""
    number: int = 0
    cached: bool = False
    started: float | None = None
    seconds: float | None = None
    """How long it ran; None while it does."""
    error: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    """The last lines that it printed."""
    partial: bytes = b""


@dataclass(slots=True)
class BuildLog:
    """Everything that is known of one build so far.

    Args:
        tell: Takes a line for a person and the part of the work that is done, 0 to 1.
        print_line: Takes a raw line of a step's output.
    """

    tell: Callable[[str, float | None], None]
    print_line: Callable[[str], None]
    steps: dict[str, BuildStep] = field(default_factory=dict)
    image_id: str | None = None
    error: str | None = None
    expected: int = 0
    """How many instructions the builder itself announced; 0 where it announced none."""
    classic: bool = False
    """Whether it is the classic builder that tells."""

    @property
    def instructions(self) -> list[BuildStep]:
        """The steps that are instructions."""
        return [step for step in self.steps.values() if step.instruction is not None]

    @property
    def failed(self) -> BuildStep | None:
        """The step that failed first, not one that was stopped because another failed."""
        broken = [step for step in self.steps.values() if step.error]
        real = [step for step in broken if "context canceled" not in step.error]
        return next(iter(real or broken), None)

    def take(self, record: dict[str, Any], trace: Callable[[bytes], Any]) -> None:
        """Take one JSON record of the engine's answer.

        Args:
            record: As decoded.
            trace: Decodes a `StatusResponse`; handed in, for the classic builder needs no protobuf.
        """
        aux = record.get("aux")
        if record.get("id") == "moby.buildkit.trace" and isinstance(aux, str):
            try:
                self._take_trace(trace(base64.b64decode(aux)))
            except (binascii.Error, ValueError):
                return  # a record of a newer engine that cannot be read costs progress, not the build
        elif isinstance(aux, dict) and "ID" in aux:
            self.image_id = str(aux["ID"])
        elif "error" in record:
            detail = record.get("errorDetail")
            self.error = str(detail.get("message") if isinstance(detail, dict) else record["error"])
        elif isinstance(record.get("stream"), str):
            self._take_stream(record["stream"])

    def close(self) -> None:
        """Print what was left without an end of line."""
        for step in self.steps.values():
            if step.partial:
                self._line(step, step.partial)
                step.partial = b""

    def _take_trace(self, status: Any) -> None:
        fresh = [vertex for vertex in status.vertexes if vertex.digest not in self.steps]
        for vertex in fresh:  # all are counted before any is told of, so that the total does not creep
            self.steps[vertex.digest] = self._new_step(vertex.name)
        for vertex in status.vertexes:
            self._take_vertex(self.steps[vertex.digest], vertex)
        for log in status.logs:
            step = self.steps.get(log.vertex)
            if step is not None:
                self._take_output(step, log.message)

    def _new_step(self, name: str) -> BuildStep:
        found = _STEP.match(name)
        if found is None:
            return BuildStep(name)
        instruction = authorities.shown(found["instruction"])
        if found["stage"] is None:  # a single stage: the builder's own count, whatever it tells of first
            self.expected = int(found["of"])
            return BuildStep(name, instruction, number=int(found["number"]))
        return BuildStep(name, instruction, number=len(self.instructions) + 1)

    def _take_vertex(self, step: BuildStep, vertex: Any) -> None:
        if vertex.HasField("started") and step.started is None:
            step.started = _seconds(vertex.started)
            if not vertex.cached:
                self._tell(step)
        if vertex.error:
            step.error = vertex.error
        if vertex.cached and not step.cached:
            step.cached = True
            self._tell(step, " (cached)")
        if vertex.HasField("completed") and step.started is not None and step.seconds is None:
            step.seconds = max(0.0, _seconds(vertex.completed) - step.started)

    def _tell(self, step: BuildStep, remark: str = "") -> None:
        if step.instruction is not None:
            total = max(self.expected, len(self.instructions))
            done = sum(1 for one in self.instructions if one.seconds is not None or one.cached)
            self.tell(f"step {step.number}/{total}: {_short(step.instruction)}{remark}", done / (total + 1))
        elif (doing := _own_work(step.name)) and not remark:
            self.tell(doing, None)

    def _take_output(self, step: BuildStep, data: bytes) -> None:
        *lines, rest = (step.partial + data).replace(b"\r\n", b"\n").split(b"\n")
        step.partial = rest[-_LINE_LIMIT:]
        for line in lines:
            self._line(step, line)

    def _line(self, step: BuildStep, line: bytes) -> None:
        # A progress bar redraws its line with \r: the last drawing is the line.
        text = line.rstrip(b"\r").rsplit(b"\r", 1)[-1][:_LINE_LIMIT].decode(errors="replace")
        step.tail.append(text)
        self.print_line(text)

    def _take_stream(self, text: str) -> None:
        """Take what the classic builder prints."""
        found = _CLASSIC_STEP.match(text)
        if found:
            self.classic = True
            self.expected = max(self.expected, int(found["of"])) if found["stage"] else int(found["of"])
            number = len(self.instructions) + 1 if found["stage"] else int(found["number"])
            step = BuildStep(text.strip(), found["instruction"].strip(), number=number, started=time.time())
            for previous in self.steps.values():
                previous.seconds = previous.seconds if previous.seconds is not None else 0.0
            self.steps[f"classic-{number}"] = step
            self._tell(step)
        elif self.steps:
            step = next(reversed(self.steps.values()))
            if "--> Using cache" in text:
                step.cached = True
                self._tell(step, " (cached)")
            elif text.strip() and not _CLASSIC_CHATTER.match(text):
                self._take_output(step, text.encode())


def _seconds(timestamp: Any) -> float:
    return float(timestamp.seconds + timestamp.nanos / 1e9)


def _short(instruction: str) -> str:
    line = " ".join(instruction.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _own_work(name: str) -> str | None:
    """Say in words what the builder does between the instructions, where that is worth a line."""
    if name.startswith("[internal] load build context"):
        return "sending the build context"
    if name.startswith("[internal] load metadata for "):
        return f"looking up {name.removeprefix('[internal] load metadata for ')}"
    return "writing the image" if name.startswith("exporting to") else None
