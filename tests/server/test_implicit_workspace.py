"""A server that was given no workspace takes its current folder, but never a whole disk or home."""

from __future__ import annotations

from pathlib import Path

import pytest

from container_kit.server.implicit_workspace import require_narrow_workspace
from container_kit.server.settings import load
from container_kit.stages.contract.fault import ConfigurationError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CONTAINER_KIT_WORKSPACE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "users/me"))
    for name in ("Desktop", "code/shop"):
        (tmp_path / "users/me" / name).mkdir(parents=True)
    return tmp_path / "users/me"


@pytest.mark.parametrize("folder", ["/", ".", "..", "Desktop", "/mnt", "/home"])
def test_a_folder_that_holds_more_than_projects_is_rejected_with_the_setting(
    folder: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / folder)
    with pytest.raises(ConfigurationError, match="CONTAINER_KIT_WORKSPACE"):
        require_narrow_workspace(load())


def test_a_link_to_a_home_folder_is_one(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(home)
    monkeypatch.chdir(tmp_path / "link")
    with pytest.raises(ConfigurationError, match="too broad"):
        require_narrow_workspace(load())


def test_a_project_and_a_workspace_that_was_set_are_accepted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home / "code/shop")
    require_narrow_workspace(load())
    monkeypatch.chdir(home)
    monkeypatch.setenv("CONTAINER_KIT_WORKSPACE", str(home))
    require_narrow_workspace(load())
