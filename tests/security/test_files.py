"""Symbolic links in a repository must not make a tool read or write outside its tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.workspace import Workspace
from support.mcp.tools import connected

pytestmark = pytest.mark.anyio

PLANTED = "aws_secret_access_key = OUTSIDE-PLANTED-7731"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "credentials").write_text(PLANTED)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace" / "repository"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (folder / "requirements.txt").write_text("flask==3.1.0\n")
    return folder


async def call(repository: Path, tool: str, **arguments: Any) -> Any:
    async with connected(RunService(Workspace([repository.parent]))) as client:
        return await client.call_tool(tool, {"path": str(repository), **arguments})


def unchanged(outside: Path) -> bool:
    return [path.name for path in outside.iterdir()] == ["credentials"] and (
        outside / "credentials"
    ).read_text() == PLANTED


@pytest.mark.parametrize("arguments", [{}, {"overwrite": True}, {"write": False}])
@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
async def test_a_linked_file_is_neither_shown_nor_overwritten(
    repository: Path, outside: Path, name: str, arguments: dict[str, Any]
) -> None:
    (repository / name).symlink_to(outside / "credentials")
    result = await call(repository, "write-dockerfile", **arguments)
    assert "PLANTED" not in result.model_dump_json()
    assert unchanged(outside)


async def test_links_at_the_names_of_drafts_are_not_followed(repository: Path, outside: Path) -> None:
    for name in (".Dockerfile.new", ".Dockerfile.tmp", "Dockerfile.orig", ".Dockerfile.draft"):
        (repository / name).symlink_to(outside / "credentials")
    result = await call(repository, "write-dockerfile")
    assert not result.is_error, result.content
    assert unchanged(outside)


async def test_a_module_in_a_linked_folder_is_not_written_to(repository: Path, outside: Path) -> None:
    (outside / "app.py").write_text("")
    (repository / "service").symlink_to(outside)
    result = await call(repository, "write-dockerfile", module="service")
    assert result.is_error
    assert not (outside / "Dockerfile").exists()


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "Procfile", "compose.yaml", ".env"])
async def test_a_linked_manifest_outside_is_not_read(repository: Path, outside: Path, name: str) -> None:
    (repository / name).unlink(missing_ok=True)
    (repository / name).symlink_to(outside / "credentials")
    for tool in ("analyze", "write-dockerfile"):
        assert "PLANTED" not in (await call(repository, tool)).model_dump_json()


async def test_a_linked_dockerfile_is_not_reviewed_or_patched(repository: Path, outside: Path) -> None:
    (outside / "credentials").write_text(f"FROM scratch\n# {PLANTED}\nENV KEY=PLANTED\n")
    (repository / "Dockerfile").symlink_to(outside / "credentials")
    for tool in ("review-dockerfile", "patch-dockerfile"):
        assert "PLANTED" not in (await call(repository, tool)).model_dump_json()
    assert (outside / "credentials").read_text().startswith("FROM scratch\n# ")
