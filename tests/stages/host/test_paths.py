"""Paths, modes and links as Linux, macOS and Windows have them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.simulation import Platform

TESTS = Path(__file__).parents[2]


def evaluate(platform: Platform, expression: str) -> Any:
    """Evaluate an expression of the module `paths` in a process that simulates a platform."""
    code = (
        f"import sys, json; sys.path.insert(0, {str(TESTS)!r}); from support.simulation import install; "
        f"install({platform!r}); from container_kit.stages.host import paths; from container_kit.stages.formats "
        f"import files; print(json.dumps({expression}))"
    )
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout)


@pytest.mark.parametrize(
    ("root", "path", "joined"),
    [
        ("C:\\code\\shop", "src/app.py", "\\\\?\\C:\\code\\shop\\src\\app.py"),
        ("C:\\", "a", "\\\\?\\C:\\a"),
        ("C:\\code", "", "\\\\?\\C:\\code"),
        ("\\\\wsl$\\Debian\\home", "a/b", "\\\\?\\UNC\\wsl$\\Debian\\home\\a\\b"),
        ("\\\\?\\C:\\code", "a", "\\\\?\\C:\\code\\a"),
    ],
)
def test_paths_of_windows_may_be_longer_than_260_characters(root: str, path: str, joined: str) -> None:
    assert evaluate("win32", f"paths.join({root!r}, {path!r})") == joined


def test_files_are_executable_in_images_that_windows_builds_and_keep_their_bits_elsewhere() -> None:
    modes = "[paths.permission_bits(mode) for mode in (0o100666, 0o100444, 0o100644)]"
    assert evaluate("win32", modes) == [0o755, 0o555, 0o755]  # github.com/docker/cli, cli/command/image/build/context
    assert evaluate("darwin", modes) == [0o666, 0o444, 0o644]


def test_links_of_windows_are_written_as_linux_reads_them() -> None:
    assert evaluate("win32", r"paths.link_text('..\\lib\\a.so')") == "../lib/a.so"
    assert evaluate("darwin", r"paths.link_text('a\\b')") == "a\\b"


@pytest.mark.parametrize("name", ["..\\secret", "C:", "file:stream", "NUL", "com1.txt", "aux", "name.", "name "])
def test_names_that_lead_elsewhere_on_windows_cannot_name_files(name: str) -> None:
    assert evaluate("win32", f"paths.is_plain_name({name!r})") is False
    assert evaluate("darwin", f"paths.is_plain_name({name!r})") is True


@pytest.mark.parametrize("name", ["a.txt", ".env", "..", ".", "console.log", "common", "com10"])
def test_ordinary_names_are_accepted_on_windows(name: str) -> None:
    assert evaluate("win32", f"paths.is_plain_name({name!r})") is True
