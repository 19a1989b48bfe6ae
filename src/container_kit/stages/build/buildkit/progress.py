"""The progress of a build: the builder's records as steps, output and messages, for every builder."""

from __future__ import annotations

import base64
import binascii
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.build import ca_certificates
from container_kit.stages.contract import expressions as re

_STEP = re.compile(r"\[(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<of>\d+)\] (?P<instruction>.*)", re.DOTALL)
# The classic builder and Podman: `Step 1/2 : FROM x`, `STEP 1/2: FROM x`, `[1/2] STEP 1/2: FROM x AS y`
_CLASSIC_STEP = re.compile(
    r"(?:\[(?P<stage>\d+)/\d+\] )?step (?P<number>\d+)/(?P<of>\d+) ?: (?P<instruction>.*)", re.DOTALL | re.IGNORECASE
)
_CLASSIC_NOISE = re.compile(
    r"\s*(---?> |Removing intermediate container|Successfully (built|tagged) |(\[\d+/\d+\] )?COMMIT |[0-9a-f]{64}\s*$)"
)
_MAX_TAIL = 300
_MAX_LINE = 4000
_MAX_SHOWN = 100


@dataclass(slots=True)
class BuildStep:
    """One node of the build: an instruction, or internal work of the builder such as loading the context."""

    name: str
    instruction: str | None = None
    """The instruction as the builder displays it; None for internal work."""
    number: int = 0
    cached: bool = False
    started: float | None = None
    seconds: float | None = None
    """The duration; None while the step runs."""
    error: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_TAIL))
    """The last lines of its output."""
    partial: bytes = b""


@dataclass(slots=True)
class BuildLog:
    """The state of one build so far.

    Args:
        on_progress: Receives a line for people and the completed part of the work, 0 to 1.
        on_output: Receives a raw line of a step's output.
    """

    on_progress: Callable[[str, float | None], None]
    on_output: Callable[[str], None]
    steps: dict[str, BuildStep] = field(default_factory=dict)
    image_id: str | None = None
    error: str | None = None
    expected: int = 0
    """The number of instructions that the builder announced; 0 if it announced none."""
    classic: bool = False
    """Whether the records come from the classic builder."""

    @property
    def instructions(self) -> list[BuildStep]:
        """The steps that are instructions."""
        return [step for step in self.steps.values() if step.instruction is not None]

    @property
    def failed(self) -> BuildStep | None:
        """The step that failed first, not one that was cancelled because another failed."""
        failed = [step for step in self.steps.values() if step.error]
        original = [step for step in failed if "context canceled" not in step.error]
        return next(iter(original or failed), None)

    def add_record(self, record: dict[str, Any], parse_trace: Callable[[bytes], Any]) -> None:
        """Add one JSON record of the engine's response.

        Args:
            record: The decoded record.
            parse_trace: Parses a `StatusResponse`. It is a parameter because the classic builder needs no protobuf.
        """
        aux = record.get("aux")
        if record.get("id") == "moby.buildkit.trace" and isinstance(aux, str):
            try:
                self._add_trace(parse_trace(base64.b64decode(aux)))
            except (binascii.Error, ValueError):
                return  # an unreadable record of a newer engine loses progress, not the build
        elif isinstance(aux, dict) and "ID" in aux:
            self.image_id = str(aux["ID"])
        elif "error" in record:
            detail = record.get("errorDetail")
            self.error = str(detail.get("message") if isinstance(detail, dict) else record["error"])
        elif isinstance(record.get("stream"), str):
            self._add_stream(record["stream"])

    def close(self) -> None:
        """Emit the output that has no line end."""
        for step in self.steps.values():
            if step.partial:
                self._add_line(step, step.partial)
                step.partial = b""

    def _add_trace(self, status: Any) -> None:
        new = [vertex for vertex in status.vertexes if vertex.digest not in self.steps]
        for vertex in new:  # all are counted before the first is reported, so that the total does not grow
            self.steps[vertex.digest] = self._new_step(vertex.name)
        for vertex in status.vertexes:
            self._update_step(self.steps[vertex.digest], vertex)
        for log in status.logs:
            step = self.steps.get(log.vertex)
            if step is not None:
                self._add_output(step, log.message)

    def _new_step(self, name: str) -> BuildStep:
        match = _STEP.match(name)
        if match is None:
            return BuildStep(name)
        instruction = ca_certificates.original(match["instruction"])
        if match["stage"] is None:  # a single stage: the builder's numbers are those of the Dockerfile
            self.expected = int(match["of"])
            return BuildStep(name, instruction, number=int(match["number"]))
        return BuildStep(name, instruction, number=len(self.instructions) + 1)

    def _update_step(self, step: BuildStep, vertex: Any) -> None:
        if vertex.HasField("started") and step.started is None:
            step.started = _seconds(vertex.started)
            if not vertex.cached:
                self._report(step)
        if vertex.error:
            step.error = vertex.error
        if vertex.cached and not step.cached:
            step.cached = True
            self._report(step, " (cached)")
        if vertex.HasField("completed") and step.started is not None and step.seconds is None:
            step.seconds = max(0.0, _seconds(vertex.completed) - step.started)

    def _report(self, step: BuildStep, remark: str = "") -> None:
        if step.instruction is not None:
            total = max(self.expected, len(self.instructions))
            done = sum(1 for other in self.instructions if other.seconds is not None or other.cached)
            self.on_progress(f"step {step.number}/{total}: {_short(step.instruction)}{remark}", done / (total + 1))
        elif (message := _internal_work(step.name)) and not remark:
            self.on_progress(message, None)

    def _add_output(self, step: BuildStep, data: bytes) -> None:
        *lines, rest = (step.partial + data).replace(b"\r\n", b"\n").split(b"\n")
        step.partial = rest[-_MAX_LINE:]
        for line in lines:
            self._add_line(step, line)

    def _add_line(self, step: BuildStep, line: bytes) -> None:
        # A progress bar redraws its line after \r; the last drawing counts.
        text = line.rstrip(b"\r").rsplit(b"\r", 1)[-1][:_MAX_LINE].decode(errors="replace")
        step.tail.append(text)
        self.on_output(text)

    def _add_stream(self, text: str) -> None:
        """Add a text of the classic builder."""
        match = _CLASSIC_STEP.match(text)
        if match:
            self.classic = True
            self.expected = max(self.expected, int(match["of"])) if match["stage"] else int(match["of"])
            number = len(self.instructions) + 1 if match["stage"] else int(match["number"])
            step = BuildStep(text.strip(), match["instruction"].strip(), number=number, started=time.time())
            for previous in self.steps.values():
                previous.seconds = previous.seconds if previous.seconds is not None else 0.0
            self.steps[f"classic-{number}"] = step
            self._report(step)
        elif self.steps:
            step = next(reversed(self.steps.values()))
            if "--> Using cache" in text:
                step.cached = True
                self._report(step, " (cached)")
            elif text.strip() and not _CLASSIC_NOISE.match(text):
                self._add_output(step, text.encode())


def _seconds(timestamp: Any) -> float:
    return float(timestamp.seconds + timestamp.nanos / 1e9)


def _short(instruction: str) -> str:
    line = " ".join(instruction.split())
    return line if len(line) <= _MAX_SHOWN else line[: _MAX_SHOWN - 1] + "…"


def _internal_work(name: str) -> str | None:
    """Describe internal work of the builder; None for work that needs no line."""
    if name.startswith("[internal] load build context"):
        return "sending the build context"
    if name.startswith("[internal] load metadata for "):
        return f"looking up {name.removeprefix('[internal] load metadata for ')}"
    return "writing the image" if name.startswith("exporting to") else None
