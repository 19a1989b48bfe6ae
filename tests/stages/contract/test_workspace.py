"""The workspace: a caller's path is read only where it may be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit import ConfigurationError, StageFailure, Workspace


def refused(workspace: Workspace, path: str) -> str:
    with pytest.raises(StageFailure) as caught:
        workspace.directory(path)
    return caught.value.fault.code


def test_a_folder_inside_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert Workspace([tmp_path]).directory("app") == tmp_path / "app"
    assert Workspace([tmp_path]).directory(str(tmp_path / "app")) == tmp_path / "app"


def test_a_missing_path_is_a_fault(tmp_path: Path) -> None:
    assert refused(Workspace([tmp_path]), "nowhere") == "path.not_found"


def test_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused(Workspace([tmp_path]), "file") == "path.not_a_directory"


@pytest.mark.parametrize("path", ["..", "../..", "/etc", "a/../../..", "~"])
def test_a_path_outside_is_refused(tmp_path: Path, path: str) -> None:
    assert refused(Workspace([tmp_path]), path) == "path.outside_workspace"


def test_a_link_cannot_lead_outside(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    assert refused(Workspace([inside]), "out") == "path.outside_workspace"


def test_a_loop_of_links_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert refused(Workspace([tmp_path]), "a") in ("path.invalid", "path.not_found")


@pytest.mark.parametrize("path", ["", "a\0b", "a\nb", "x" * 5000])
def test_what_is_not_a_path_is_a_fault(tmp_path: Path, path: str) -> None:
    assert refused(Workspace([tmp_path]), path) == "path.invalid"


def test_a_folder_that_may_not_be_read_is_a_fault(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    if os.geteuid() == 0:  # root may read everything: look as another user
        child = os.fork()
        if child == 0:
            status = 1
            try:
                tmp_path.chmod(0o755)
                closed.chmod(0o000)
                os.setuid(65534)
                Workspace([Path("/")]).directory(str(closed))
            except StageFailure as failure:
                status = 0 if failure.fault.code == "path.unreadable" else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    else:
        closed.chmod(0o000)
        assert refused(Workspace([tmp_path]), "closed") == "path.unreadable"


def test_a_workspace_needs_a_root() -> None:
    with pytest.raises(ConfigurationError):
        Workspace([])


@given(st.text(max_size=40))
def test_whatever_is_asked_the_answer_is_inside_or_a_fault(path: str) -> None:
    root = Path(__file__).parent
    try:
        found = Workspace([root]).directory(path)
    except StageFailure as failure:
        code = failure.fault.code
    else:
        code = "path.found" if found.is_relative_to(root) else "path escaped"
    assert code.startswith("path.")
