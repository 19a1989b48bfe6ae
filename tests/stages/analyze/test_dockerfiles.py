"""Facts that the analysis takes from a Dockerfile, read as BuildKit reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from container_kit.stages.analyze import analyze
from container_kit.stages.artifacts.analysis import Analysis

_WEB = {"requirements.txt": "flask\n", "app.py": "import flask\napp = flask.Flask(__name__)\n"}


def _lay(folder: Path, files: dict[str, str]) -> Path:
    for path, content in files.items():
        (folder / path).write_text(content)
    return folder


def _analysis(folder: Path, dockerfile: str, name: str = "Dockerfile") -> Analysis:
    return analyze(_lay(folder, {**_WEB, name: dockerfile}))


def _dockerfiles(analysis: Analysis) -> list[str]:
    return [file.path for file in analysis.files if file.kind == "dockerfile"]


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM python:3.13\nEXPOSE 7001\nCMD python app.py\n",
        "FROM\tpython:3.13\nEXPOSE\t7001\nCMD\tpython app.py\n",
        "FROM python:3.13\nRUN <<EOF\nEXPOSE 1\nCMD other\nEOF\nEXPOSE 7001\nCMD python app.py\n",
        'FROM python:3.13\nCOPY <<"E O" /x\nEXPOSE 1\nE O\nEXPOSE 7001\nCMD ["python", "app.py"]\n',
        "ARG V=3.13\nFROM python:$V AS base\nARG PORT=7001\nEXPOSE $PORT\nFROM base\nCMD python app.py\n",
        "# escape=`\nFROM python:3.13\nEXPOSE `\n  7001\nCMD python app.py\n",
        'FROM python:3.13\nSHELL ["bash", "-c"]\nEXPOSE 53/udp 7001\nCMD python app.py\n',
        "FROM python:3.13\nEXPOSE 7001\nCMD python app.py \\",
    ],
    ids=["plain", "tabs", "script", "quoted heredoc", "variables", "escape", "shell", "backslash at the end"],
)
def test_port_and_command_are_those_of_the_image(dockerfile: str, tmp_path: Path) -> None:
    module = _analysis(tmp_path, dockerfile).modules[0]
    assert module.port.value == 7001
    assert module.start_command.value == "python app.py"


def test_a_port_variable_of_a_later_stage_wins(tmp_path: Path) -> None:
    dockerfile = "FROM python:3.13 AS base\nENV PORT=1111 X=1\nFROM base\nENV X=2 PORT=7002\nCMD python app.py\n"
    port = _analysis(tmp_path, dockerfile).modules[0].port
    assert (port.value, port.locations) == (7002, ("Dockerfile:4",))


@pytest.mark.parametrize(
    ("dockerfile", "problem"),
    [
        ("RUN true\n", "line 1: begin with FROM"),
        ("", "line 1: begin with FROM"),
        ("FROM python:3.13\nENV X\nCMD x\n", "line 2: ENV needs a name and a value"),
        ("FROM python:3.13\nEXPSE 80\nCMD x\n", "line 2: EXPSE is not an instruction, EXPOSE is"),
        ("FROM python\nUSER 1\nCMD x\n", "line 1: base image python is not pinned"),
        ("ARG I=python\nFROM $I\nUSER 1\nCMD x\n", "line 2: base image python is not pinned"),
        ("FROM python:3.13\nARG A=1 DB_PASSWORD=hunter2\nUSER 1\nCMD x\n", "line 2: DB_PASSWORD looks like a secret"),
        ("FROM python:3.13 AS a\nUSER 0:0\nFROM a\nCMD x\n", "line 2: the container runs as root"),
        ("FROM python:3.13\nUSER 1\n", "line 1: the last stage has no CMD or ENTRYPOINT"),
    ],
)
def test_a_problem_of_a_dockerfile_has_its_line(dockerfile: str, problem: str, tmp_path: Path) -> None:
    file = next(file for file in _analysis(tmp_path, dockerfile).files if file.kind == "dockerfile")
    assert [text for text in file.problems if text.startswith(problem)]


def test_inherited_settings_are_not_reported_as_problems(tmp_path: Path) -> None:
    dockerfile = "FROM python:3.13 AS a\nUSER 1\nCMD python app.py\nFROM a\nRUN <<EOF\nUSER root\nEOF\n"
    assert next(file for file in _analysis(tmp_path, dockerfile).files).problems == ()


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.prod", "web.Dockerfile", "Containerfile", "DOCKERFILE"])
def test_a_dockerfile_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    assert _dockerfiles(_analysis(tmp_path, "FROM python:3.13\n", name)) == [name]


@pytest.mark.parametrize("name", ["dockerfile.py", "dockerfile.md", "Dockerfile.j2", "Dockerfile.orig", "filedocker"])
def test_a_file_with_a_similar_name_is_not_a_dockerfile(name: str, tmp_path: Path) -> None:
    assert _dockerfiles(_analysis(tmp_path, "FROM python:3.13\n", name)) == []


@pytest.mark.parametrize(
    ("dockerfile", "language"),
    [("FROM nginx:1\nCOPY . /x\n", "html"), ("FROM\tnginx\n", "html"), ("ARG I=caddy\nFROM $I\n", "html")],
)
def test_pages_behind_a_web_server_are_the_application(dockerfile: str, language: str, tmp_path: Path) -> None:
    analysis = analyze(_lay(tmp_path, {"Dockerfile": dockerfile, "setup.sh": "echo\n", "index.html": "<html>"}))
    assert analysis.modules[0].language.value == language
