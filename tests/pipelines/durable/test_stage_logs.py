"""Stage logs in files of limited size."""

from __future__ import annotations

from pathlib import Path

from container_kit.pipelines.durable.stage_logs import HALF, StageLogs
from container_kit.pipelines.events import Event


def output(line: str, stage: str = "build", run_id: str = "r1") -> Event:
    return Event(kind="stage_output", run_id=run_id, pipeline="p", time=0, progress=0, stage=stage, message=line)


def test_the_last_lines_or_a_range_are_read(tmp_path: Path) -> None:
    logs = StageLogs(tmp_path)
    write = logs.writer()
    for number in range(1, 101):
        write(output(f"line {number}"))
    write.close()
    assert logs.read("r1", "build", count=2).lines == ("line 99", "line 100")
    part = logs.read("r1", "build", first=10, count=2)
    assert (part.lines, part.first, part.total) == (("line 10", "line 11"), 10, 100)


def test_a_log_has_a_maximum_size_and_keeps_the_newest_lines(tmp_path: Path) -> None:
    logs = StageLogs(tmp_path)
    write = logs.writer()
    for number in range(40_000):
        write(output(f"{number:06d} " + "x" * 60))
    write.close()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 2 * HALF + 100
    assert logs.read("r1", "build", count=1).lines[0].startswith("039999")


def test_a_log_that_does_not_exist_has_no_lines(tmp_path: Path) -> None:
    assert StageLogs(tmp_path).read("nobody", "build").total == 0


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.log").write_text("secret")
    logs = StageLogs(tmp_path / "logs")
    assert logs.read("..", "../secret").total == 0
    assert logs.read("../..", "secret").total == 0
