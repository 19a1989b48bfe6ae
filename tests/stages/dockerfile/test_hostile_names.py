"""Whatever a repository calls its things: no name becomes an instruction of the Dockerfile or a shell's command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import dockerfile as buildkit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_kit.stages.artifacts.analysis import Finding, Module
from container_kit.stages.artifacts.dockerfile import DockerfileOptions
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.dockerfile.generate.plan import plan
from container_kit.stages.ecosystems.facets.generation.base_images import Availability, BasePolicy
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from stages.dockerfile.cases import CASES, Case

EVIL = (
    ";evil;",
    "$(evil)",
    "`evil`",
    "';evil;'",
    '";evil;"',
    "&evil&",
    "|evil",
    "\nRUN evil\n",
    "\r\nRUN evil\r\n",
    "\\\nRUN evil",
    "x \\",
    "<<X\nevil\nX",
    " --mount=type=bind evil",
    "-evil",
    '["evil"]',
    "${evil}",
    "a b",
    "é\u2028RUN evil",
    "x\0evil",
    "../../evil",
)
WORDS = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "HEALTHCHECK", "CMD", "STOPSIGNAL", "SHELL"}
FACTS = ("start_command", "start_program", "entrypoint", "health_endpoint", "output_directory", "language_version")


def _spoilt(name: str, evil: str, how: int) -> str:
    return (f"{name}{evil}", f"{evil}{name}", evil)[how]


def _module(module: Module, evil: str, how: int) -> Module:
    """The module with every text replaced that the repository decides, but for the build command: that is a command."""
    changes: dict[str, Any] = {"name": _spoilt(module.name, evil, how)}
    for fact in FACTS:
        finding = getattr(module, fact)
        if finding.value is not None:
            changes[fact] = finding.model_copy(update={"value": _spoilt(finding.value, evil, how)})
    changes["system_packages"] = (
        *module.system_packages,
        Finding[str](value=_spoilt("libpq-dev", evil, how), confidence=1, provenance="declared"),
    )
    return module.model_copy(update=changes)


def _files(files: dict[str, str], evil: str, how: int) -> dict[str, str]:
    """The files with every name in them replaced, each in the quotation of its format."""
    spoilt = {}
    for path, text in files.items():
        quoted = json.dumps(_spoilt("shop", evil, how))
        if path.endswith((".json", ".toml", ".lock", ".kts")):
            spoilt[path] = re.sub(r'"(?:@shop/)?(?:shop|api|sample|shared|core|app)"', lambda _, new=quoted: new, text)
        else:
            spoilt[path] = text + _spoilt("shop", evil, how).replace("\0", "")
    return spoilt


@pytest.mark.timeout(300)  # some hundred shells are started
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(case=st.sampled_from(CASES), evil=st.sampled_from(EVIL), how=st.integers(0, 2), files=st.booleans())
def test_no_name_becomes_an_instruction_or_a_command(
    case: Case, evil: str, how: int, files: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    spoilt = Case(
        case.name,
        _module(case.module, evil, how),
        _files(case.files, evil, how) if files else case.files,
        case.workspace,
        case.workspace_dependencies,
    )
    tree = ContextTree(spoilt.write(folder))
    try:
        planned = plan(spoilt.analysis(folder), spoilt.module.path, tree, DockerfileOptions(), BasePolicy())
        text = planned.dockerfile(Availability()).content
    except StageFailure as failure:
        assert failure.fault.code.startswith("dockerfile.")  # noqa: PT017 - one of two outcomes
        return
    finally:
        shutil.rmtree(folder)
    _has_only_its_own_instructions(text)
    _runs_no_name(text, tmp_path_factory.mktemp("run"))


def _has_only_its_own_instructions(text: str) -> None:
    commands = buildkit.parse_string(text)
    assert {command.cmd for command in commands} <= WORDS
    assert sum(command.cmd == "FROM" for command in commands) in {2, 3}
    for command in commands:
        if command.cmd == "FROM":
            assert "evil" not in command.original
        if command.cmd == "RUN":
            assert all(flag.startswith("--mount=type=cache,target=/") for flag in command.flags), command.original
            assert not command.json
            assert "<<" not in command.original
    assert re.fullmatch(r"\d+:\d+", [c.value[0] for c in commands if c.cmd == "USER"][-1])


def _runs_no_name(text: str, folder: Path) -> None:
    """Run each RUN in a shell where every command succeeds and does nothing, but for `evil`."""
    (folder / "evil").write_text("#!/bin/sh\n: > done\n")
    (folder / "evil").chmod(0o755)
    scripts = [c.value[0] for c in buildkit.parse_string(text) if c.cmd == "RUN"]
    for script in scripts:
        harmless = re.sub(r"> /tmp/\S+|(?<=\s)\./(?=\w)", "", script)
        shell = f"command_not_found_handle() {{ :; }}\n{harmless}\n"
        subprocess.run(
            ["/bin/bash", "-c", shell],
            cwd=folder,
            env={"PATH": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert not (folder / "done").exists(), scripts


def test_the_shell_of_this_test_would_run_a_name(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        _runs_no_name("FROM x\nRUN make $(evil)\n", tmp_path)


@pytest.mark.parametrize(
    "build", ["make\nRUN evil", "make \\", "--network=host make", '["evil"]', "cat <<X", "make\r\nevil", "make\0"]
)
def test_a_build_command_that_a_dockerfile_would_read_otherwise_is_refused(build: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "c-make")
    finding = case.module.build_command.model_copy(update={"value": build})
    spoilt = Case(case.name, case.module.model_copy(update={"build_command": finding}), case.files)
    with pytest.raises(StageFailure) as raised:
        plan(spoilt.analysis(tmp_path), ".", ContextTree(spoilt.write(tmp_path)), DockerfileOptions(), BasePolicy())
    assert raised.value.fault.code == "dockerfile.name_unusable"


def test_a_base_image_is_a_reference_and_nothing_else(tmp_path: Path) -> None:
    options = DockerfileOptions(base_images={"python:3.11-slim": "x\nRUN evil"})
    with pytest.raises(StageFailure) as raised:
        plan(CASES[0].analysis(tmp_path), ".", ContextTree(CASES[0].write(tmp_path)), options, BasePolicy())
    assert raised.value.fault.code == "dockerfile.name_unusable"
