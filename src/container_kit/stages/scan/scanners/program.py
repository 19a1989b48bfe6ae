"""Running a scanner: an argument list, never a shell; bounded in time and output; ended with all its children."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import anyio
from anyio.abc import ByteReceiveStream, Process

MOST_OUTPUT = 128 * 2**20
_TAIL = 4000
_ENDED_WITHIN = 5.0


class ProgramError(Exception):
    """A program could not be run to its end; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end."""

    code: int
    out: bytes
    err: str
    """The last few thousand characters of its standard error."""

    @property
    def complaint(self) -> str:
        """The last thing that it complained of, in one line."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1][:500] if lines else f"exit code {self.code}, with no message"


async def run(
    argv: Sequence[str],
    *,
    within: float,
    cwd: Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    most_output: int = MOST_OUTPUT,
) -> Finished:
    """Run a program to its end. When cancelled, it and all its children are ended first.

    Args:
        argv: The program's path and its arguments.
        within: Seconds that it may take.
        cwd: Where it runs; scanners read configuration from there.
        stdin: What it reads.
        env: Its environment; None passes ours on.
        most_output: Bytes that it may print.

    Raises:
        ProgramTrouble: It cannot be started, took too long or printed too much.
    """
    name = Path(argv[0]).name
    try:
        with anyio.CancelScope(shield=True):  # cancelled half-way, its children would be left
            process = await anyio.open_process(
                argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=cwd, env=env, start_new_session=True
            )
    except OSError as error:
        raise ProgramError(f"{name} cannot be started: {error.strerror or error}") from error
    out, err = _Kept(most_output), _Kept(None)
    ended = False
    try:
        with anyio.fail_after(within):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_feed, process, stdin)
                tasks.start_soon(out.take, process.stdout, process)
                tasks.start_soon(err.take, process.stderr, process)
            code = await process.wait()
        ended = not out.overflowed
    except TimeoutError:
        raise ProgramError(f"{name} was stopped after {within:.0f} s") from None
    finally:
        await _end(process, by_force=not ended)
    if out.overflowed:
        raise ProgramError(f"{name} printed more than {most_output // 2**20} MiB and was stopped")
    return Finished(code, bytes(out.data), err.data.decode(errors="replace"))


class _Kept:
    """Output as it comes: up to a limit, at which the program is ended; without one, only the tail is kept."""

    def __init__(self, limit: int | None) -> None:
        self.data = bytearray()
        self.overflowed = False
        self._limit = limit

    async def take(self, stream: ByteReceiveStream | None, process: Process) -> None:
        assert stream is not None  # noqa: S101 - it was opened as a pipe
        async for chunk in stream:
            self.data += chunk
            if self._limit is None:
                del self.data[:-_TAIL]
            elif len(self.data) > self._limit:
                self.overflowed = True
                _kill(process)
                return


async def _feed(process: Process, stdin: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it was opened as a pipe
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it may end without reading
        await process.stdin.send(stdin)
    await process.stdin.aclose()


async def _end(process: Process, *, by_force: bool) -> None:
    """Leave no process behind, whatever happened."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_ENDED_WITHIN):
        if by_force:
            _kill(process)
        await process.aclose()


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
