"""The README's claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from container_kit.server.cli.main import CLIENTS
from support.examples import python_blocks, run_example

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
INSTALL, TWO_COMMANDS, *_ = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.mark.anyio
async def test_the_pipeline_that_it_shows_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = python_blocks(ROOT / "README.md")
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    await run_example(code)
    assert capsys.readouterr().out == "success 6\n"


def test_the_two_commands_of_a_checkout_exist() -> None:
    assert [line.split()[0] for line in TWO_COMMANDS.splitlines()] == ["scripts/demo", "scripts/test"]
    assert all((ROOT / line.split()[0]).stat().st_mode & 0o111 for line in TWO_COMMANDS.splitlines())


def test_a_reader_finds_the_picture_then_installation_then_clients_then_commands_then_the_map() -> None:
    assert re.findall(r"^## (.+)$", README, re.MULTILINE) == [
        "Install",
        "Two commands of a checkout",
        "What it does",
        "Connect an assistant",
        "A first conversation",
        "Command line",
        "Custom pipelines",
        "Map",
    ]
    assert README.index("docs/picture.svg") < README.index("## Install")


def test_its_links_work_on_the_package_index_and_lead_to_files() -> None:
    inline = re.findall(r"\]\(([^)]+)\)", README)
    definitions = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", README, re.MULTILINE))
    assert [link for link in [*inline, *definitions.values()] if not link.startswith("https://")] == []
    used = set(re.findall(r"\[[^\]]+\]\[([^\]]+)\]", README))
    assert used == definitions.keys()
    assert len(used) >= 15
    repository = re.compile(
        r"https://(?:raw\.githubusercontent|github)\.com/container-kit/container-kit/(?:blob/)?main/"
    )
    paths = [repository.sub("", link) for link in [*inline, *definitions.values()]]
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_each_client_has_its_line() -> None:
    table = README.partition("## Connect an assistant")[2].partition("## ")[0]
    assert [name for name in CLIENTS if f"`{name}`" not in table and f"install {name}`" not in table] == []


def test_installation_starts_with_commands_that_work_without_a_publication() -> None:
    installs = [line for line in INSTALL.splitlines() if "install" in line]
    assert installs
    assert [line for line in installs if "container-kit" in line.partition("#")[0]] == []
    published = [
        line for line in README.splitlines() if re.search(r"pip install container-kit|uvx container-kit", line)
    ]
    assert [line for line in published if not line.startswith("Once 0.1.0 is released")] == []


def test_every_folder_on_the_map_exists() -> None:
    folders = re.findall(r"`((?:src|tests|benchmarks|examples|docs)[\w/]*/)`", README)
    assert len(folders) >= 8
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
