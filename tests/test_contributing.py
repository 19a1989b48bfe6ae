"""The guide for contributors names files and commands that exist."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines()]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_starts_with_a_program_that_exists(command: list[str]) -> None:
    program = command[0]
    if program.startswith(".venv/bin/"):
        path = Path(sys.executable).parent / Path(program).name
    elif program == "python3":
        path = Path(sys.executable)
    else:
        path = ROOT / program
    assert path.stat().st_mode & 0o111


def test_every_folder_and_option_that_is_given_to_pytest_exists(pytestconfig: pytest.Config) -> None:
    calls = [command[1:] for command in COMMANDS if command[0].endswith("pytest")]
    assert len(calls) >= 3
    markers = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    for arguments in calls:
        options = {word[2:].replace("-", "_") for word in arguments if word.startswith("--")}
        assert [option for option in options if not hasattr(pytestconfig.option, option)] == []
        selected = [arguments[index + 1] for index, word in enumerate(arguments) if word == "-m"]
        assert {word for text in selected for word in re.findall(r"\w+", text)} - {"not", "and", "or"} <= markers
        assert [word for word in arguments if word.startswith("tests/") and not (ROOT / word).exists()] == []


def test_the_packages_are_installed_with_groups_and_extras_that_exist() -> None:
    installs = [command for command in COMMANDS if command[1:2] == ["install"]]
    groups = [command[index + 1] for command in installs for index, word in enumerate(command) if word == "--group"]
    assert groups
    assert set(groups) <= PYPROJECT["dependency-groups"].keys()


def test_the_checks_that_the_guide_shows_are_those_of_the_test_script() -> None:
    script = (ROOT / "scripts/test").read_text("utf-8")
    run = {Path(name).name for name in re.findall(r"^check (\.venv/bin/[\w-]+)", script, re.MULTILINE)}
    shown = {Path(command[0]).name for command in COMMANDS}
    assert run - shown == set()


def test_every_layer_and_folder_of_the_package_is_described() -> None:
    package = ROOT / "src/container_kit"
    folders = [path.parent.relative_to(package).as_posix() for path in package.glob("*/*/__init__.py")]
    assert folders
    assert [folder for folder in folders if f"`{folder}/`" not in ARCHITECTURE] == []
