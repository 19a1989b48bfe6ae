"""The real hadolint, and the project's configuration of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from container_kit.stages.programs.hadolint import lint
from support.scan.scanners import scanner_programs

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

DOCKERFILE = "FROM debian:bookworm-slim\nRUN cd /tmp || exit\n"


def _hadolint() -> str:
    return str(scanner_programs() / "hadolint")


async def test_problems_have_their_rule_and_line(tmp_path: Path) -> None:
    result = await lint(DOCKERFILE, tmp_path, program=_hadolint())
    assert [(problem.code, problem.line, problem.level) for problem in result.problems] == [("DL3003", 2, "warning")]
    assert (result.version, result.unavailable) == ("2.15.1", "")


@pytest.mark.parametrize("name", [".hadolint.yaml", ".hadolint.yml"])
async def test_the_configuration_of_the_project_counts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("ignored:\n  - DL3003\n")
    assert (await lint(DOCKERFILE, tmp_path, program=_hadolint())).problems == ()


async def test_a_dockerfile_that_hadolint_cannot_parse_has_no_problems_and_a_reason(tmp_path: Path) -> None:
    result = await lint("FROM a\nFOO b\n", tmp_path, "web/Dockerfile", _hadolint())
    assert result.problems == ()
    assert "cannot parse web/Dockerfile:2" in result.unavailable


async def test_a_missing_hadolint_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "is not installed" in (await lint(DOCKERFILE, tmp_path)).unavailable
