"""Running a program: an argument list, never a shell, with limits of time and output, and no process left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import anyio
from anyio.abc import ByteReceiveStream, Process

from container_kit.stages.host.processes import kill_tree

MAX_OUTPUT = 128 * 2**20
_TAIL = 4000
_EXIT_TIMEOUT = 5.0


class ProgramError(Exception):
    """A program could not be run to its end; the text gives the reason in one line."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The result of a program that ran to its end."""

    code: int
    out: bytes
    err: str
    """The last few thousand characters of its standard error."""

    @property
    def last_error(self) -> str:
        """The last line of its standard error."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1][:500] if lines else f"exit code {self.code}, with no message"


async def run(
    argv: Sequence[str],
    *,
    timeout: float,
    cwd: Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    max_output: int = MAX_OUTPUT,
) -> ProgramResult:
    """Run a program to its end. Cancellation ends it with all its children first.

    Args:
        argv: The program's path and its arguments.
        timeout: Seconds that it may take.
        cwd: The working directory. Many programs read their configuration from it.
        stdin: Its standard input.
        env: Its environment; None passes on the environment of this process.
        max_output: Bytes that it may print.

    Raises:
        ProgramError: It cannot be started, takes too long or prints too much.
    """
    name = Path(argv[0]).name
    try:
        with anyio.CancelScope(shield=True):  # a cancellation here would leave its children
            process = await anyio.open_process(
                argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=cwd, env=env, start_new_session=True
            )
    except OSError as error:
        raise ProgramError(f"{name} cannot be started: {error.strerror or error}") from error
    out, err = _Output(max_output), _Output(None)
    ended = False
    try:
        with anyio.fail_after(timeout):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_feed, process, stdin)
                tasks.start_soon(out.read, process.stdout, process)
                tasks.start_soon(err.read, process.stderr, process)
            code = await process.wait()
        ended = not out.overflowed
    except TimeoutError:
        raise ProgramError(f"{name} was stopped after {timeout:.0f} s") from None
    finally:
        await _end(process, by_force=not ended)
    if out.overflowed:
        raise ProgramError(f"{name} printed more than {max_output // 2**20} MiB and was stopped")
    return ProgramResult(code, bytes(out.data), err.data.decode(errors="replace"))


class _Output:
    """Output up to a limit, at which the program is ended; without a limit, only the end is kept."""

    def __init__(self, limit: int | None) -> None:
        self.data = bytearray()
        self.overflowed = False
        self._limit = limit

    async def read(self, stream: ByteReceiveStream | None, process: Process) -> None:
        assert stream is not None  # noqa: S101 - opened as a pipe
        async for chunk in stream:
            self.data += chunk
            if self._limit is None:
                del self.data[:-_TAIL]
            elif len(self.data) > self._limit:
                self.overflowed = True
                kill_tree(process.pid)
                return


async def _feed(process: Process, stdin: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - opened as a pipe
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it may end without reading
        await process.stdin.send(stdin)
    await process.stdin.aclose()


async def _end(process: Process, *, by_force: bool) -> None:
    """End the program, so that no process is left."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_EXIT_TIMEOUT):
        if by_force:
            kill_tree(process.pid)
        await process.aclose()
