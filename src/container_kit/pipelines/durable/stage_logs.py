"""Stage logs: the raw output of stages in files, each with a cap, read by range."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from container_kit.pipelines.events import Event
from container_kit.stages.contract.artifact import Artifact

HALF = 512 * 1024
"""Bytes of one of the two files of a log: the newest 512 KiB to 1 MiB are kept."""


class LogPart(Artifact):
    """Some lines of a stage's log."""

    lines: tuple[str, ...]
    first: int
    """The number of the first line given; 1 is the oldest that is still kept."""
    total: int
    """How many lines are kept."""


class StageLogs:
    """The log files of all runs below one folder.

    Args:
        folder: One folder a run is made in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listener(self) -> LogWriter:
        """A listener that writes one run's output."""
        return LogWriter(self._folder)

    def read(self, run_id: str, stage: str, *, first: int | None = None, count: int = 200) -> LogPart:
        """Read lines of a stage's log; blocking. A log that is not there has no lines.

        Args:
            first: The number of the first line wanted, 1 for the oldest; None means the last `count` lines.
            count: How many lines at most.
        """
        current = _log_path(self._folder, run_id, stage)
        lines: list[str] = []
        for path in (_older(current), current):
            if path.is_file():
                lines += path.read_text("utf-8", "replace").splitlines()
        begin = max(0, len(lines) - count) if first is None else max(0, first - 1)
        return LogPart(lines=tuple(lines[begin : begin + count]), first=begin + 1, total=len(lines))

    def stages(self, run_id: str) -> list[str]:
        """The stages of a run that have a log."""
        return sorted(path.stem for path in (self._folder / Path(run_id).name).glob("*.log"))

    def forget(self, run_ids: Sequence[str]) -> None:
        """Delete the logs of runs; blocking."""
        for run_id in run_ids:
            shutil.rmtree(self._folder / Path(run_id).name, ignore_errors=True)


class LogWriter:
    """Writes the `stage_output` of one run to files; close it when the run ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def __call__(self, event: Event) -> None:
        """Append one line."""
        if event.kind != "stage_output" or event.stage is None:
            return
        path = _log_path(self._folder, event.run_id, event.stage)
        file = self._files.get(event.stage)
        if file is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._files[event.stage] = path.open("ab")
        file.write(event.message.rstrip("\n").encode("utf-8", "replace") + b"\n")
        if file.tell() >= HALF:
            file.close()
            path.replace(_older(path))
            self._files[event.stage] = path.open("ab")

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            with suppress(OSError):  # a full disk: the run matters more than its log
                file.close()
        self._files.clear()


def _log_path(folder: Path, run_id: str, stage: str) -> Path:
    return folder / Path(run_id).name / f"{Path(stage).name}.log"


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")
