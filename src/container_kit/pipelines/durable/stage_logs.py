"""Stage logs: the raw output of stages in files of limited size."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from container_kit.pipelines.events import Event
from container_kit.pipelines.run_info import LogPart
from container_kit.stages.contract.private_files import make_private_folder
from container_kit.stages.host.users import PRIVATE

HALF = 512 * 1024
"""Bytes of one of the two files of a log: the newest 512 KiB to 1 MiB are kept."""


class StageLogs:
    """The log files of all runs.

    Args:
        folder: Contains one folder per run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self) -> LogWriter:
        """Return a listener that writes the output of one run."""
        return LogWriter(self._folder)

    def read(self, run_id: str, stage: str, *, first: int | None = None, count: int = 200) -> LogPart:
        """Return lines of a stage's log. A log that does not exist has no lines. Blocking.

        Args:
            first: The number of the first line, 1 for the oldest; None means the last `count` lines.
            count: How many lines at most.
        """
        current = _log_path(self._folder, run_id, stage)
        lines: list[str] = []
        for path in (_older(current), current):
            if path.is_file():
                lines += path.read_text("utf-8", "replace").splitlines()
        return LogPart.of(lines, first, count)

    def stages(self, run_id: str) -> list[str]:
        """Return the stages of a run that have a log."""
        return sorted(path.stem for path in (self._folder / Path(run_id).name).glob("*.log"))

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete the logs of runs. Blocking."""
        for run_id in run_ids:
            shutil.rmtree(self._folder / Path(run_id).name, ignore_errors=True)


class LogWriter:
    """Writes the `stage_output` events of one run to files. Close it when the run ends."""

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
            make_private_folder(self._folder, tighten=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            file = self._files[event.stage] = _open_private(path)
        file.write(event.message.rstrip("\n").encode("utf-8", "replace") + b"\n")
        if file.tell() >= HALF:
            file.close()
            path.replace(_older(path))
            self._files[event.stage] = _open_private(path)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            with suppress(OSError):  # a full disk must not fail the run
                file.close()
        self._files.clear()


def _open_private(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | PRIVATE
    return os.fdopen(os.open(path, flags, 0o600), "ab")


def _log_path(folder: Path, run_id: str, stage: str) -> Path:
    return folder / Path(run_id).name / f"{Path(stage).name}.log"


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")
