"""Running programs: bounds, and ends without leftovers."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import anyio
import pytest

from container_kit.stages.programs.run import ProgramError, run

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_input_output_and_complaint_are_passed_on(tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('first\\nlast', file=sys.stderr); sys.exit(3)"
    finished = await run(python(code), timeout=10, cwd=tmp_path, stdin=b"hello")
    assert (finished.code, finished.out, finished.last_error) == (3, b"HELLO\n", "last")


async def test_a_program_may_ignore_its_input(tmp_path: Path) -> None:
    finished = await run(python("pass"), timeout=10, cwd=tmp_path, stdin=b"x" * 2**20)
    assert finished.code == 0


async def test_too_slow_is_trouble_and_ends_children_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))\ntime.sleep(60)"
    )
    with pytest.raises(ProgramError, match="was stopped after 1 s"):
        await run(python(code), timeout=1, cwd=tmp_path)
    with anyio.fail_after(5):
        while _runs(pid.read_text()):
            await anyio.sleep(0.01)


async def test_too_much_output_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="printed more than 1 MiB"):
        await run(python("while True: print('x' * 10000)"), timeout=20, cwd=tmp_path, max_output=2**20)


async def test_only_the_tail_of_complaints_is_kept(tmp_path: Path) -> None:
    finished = await run(python("import sys; sys.stderr.write('x' * 100000 + '\\nend')"), timeout=10, cwd=tmp_path)
    assert len(finished.err) == 4000
    assert finished.last_error == "end"


@pytest.mark.parametrize("argv", [["/no/such/program"], ["/"]])
async def test_what_cannot_be_started_is_trouble(tmp_path: Path, argv: list[str]) -> None:
    with pytest.raises(ProgramError, match="cannot be started"):
        await run(argv, timeout=10, cwd=tmp_path)


def _runs(pid: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
