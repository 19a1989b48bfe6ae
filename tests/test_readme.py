"""The README's claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.examples import python_blocks, run_example

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.anyio
async def test_the_pipeline_that_it_shows_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = python_blocks(ROOT / "README.md")
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    await run_example(code)
    assert capsys.readouterr().out == "success 6\n"


def test_the_two_commands_come_first() -> None:
    [first] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[:1]
    assert [line.split()[0] for line in first.splitlines()] == ["scripts/demo", "scripts/test"]
    assert all((ROOT / line.split()[0]).stat().st_mode & 0o111 for line in first.splitlines())


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_room_on_the_map_is_there() -> None:
    rooms = re.findall(r"`((?:src|tests|benchmarks|examples|docs)[\w/]*/)`", README)
    assert rooms
    assert [room for room in rooms if not (ROOT / room).is_dir()] == []
