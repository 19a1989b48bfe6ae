"""`.gitignore` rules, compared with git."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_kit.stages.formats.gitignore import IgnoreRules

FILES = [
    "a", "b", "ab", "abb", "a.py", "a.pyc", "b.log", ".env", "src/a", "src/ab", "src/a.py", "src/deep/a",
    "src/deep/b.log", "src/deep/er/a.py", "lib/a", "lib/ab/ab/ab", "!a", "#a", "a]", "a[b]c", "a-b", "aXb", "a*b",
    "a?b", "build/out", "build/src/a", "docs/build/x",
]  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for name in (*FILES, "a b", "a ", "trailing\\", "folder with space/x"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return root


def paths_in(root: Path) -> list[tuple[str, bool]]:
    """All paths of the tree and whether each is a folder, without git's own."""
    paths = sorted(path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts[:1])
    return [(path.relative_to(root).as_posix(), path.is_dir()) for path in paths if path.name != ".gitignore"]


def ignored_by_git(root: Path, rules: str) -> set[str]:
    (root / ".gitignore").write_text(rules, newline="")
    names = "\0".join(path for path, _ in paths_in(root))
    command = ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin", "-z"]
    done = subprocess.run(command, cwd=root, input=names.encode(), capture_output=True, check=False, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.decode().split("\0")) - {""}


def ignored_by_us(root: Path, text: str) -> set[str]:
    rules = IgnoreRules("", text)
    ignored: set[str] = set()
    for path, folder in paths_in(root):
        parent, _, name = path.rpartition("/")
        if parent in ignored or rules.ignores(path, name, folder=folder):
            ignored.add(path)
    return ignored


CASES = [
    "a", "a/", "/a", "src/a", "*.py", "*.py[co]", "**/a", "a/**", "src/**", "src/**/a.py", "**/deep/**", "**", "*",
    "*\n!a", "*\n!*/\n!*.py", "src/*\n!src/a", "src\n!src/a", "!a\na", "a\n!a", "\\!a", "\\#a", "#a", "a\\*b", "a\\?b",
    "a[*]b", "a]", "a[b]c", "a\\[b\\]c", "a[!-]b", "a[^-]b", "[[:alpha:]]", "a[[:upper:]]b", "a[a-c]b", "[a-", "a[]-]b",
    "a ", "a\\ ", "a b", "a b  ", "trailing\\", "trailing\\\\", "folder with space", "//a", "a//b", "./a", "src/./a",
    "src/../a", "***", "**a", "a**", "src**a", "src/**a", "src/deep/**/", "/**/a", "*/a", "*/*/a", "?", "??", ".*",
    "build/", "/build/", "docs/build", "a\r\nb\r\n", "\ufeffa\nb", "ab\t", "*\\", "[", "[!a]", "[]a]",
]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("rules", CASES)
def test_a_rule_ignores_what_git_ignores(repository: Path, rules: str) -> None:
    assert ignored_by_us(repository, rules) == ignored_by_git(repository, rules)


RULE = st.text("ab*?/[]!-\\# .", min_size=1, max_size=9)


@pytest.mark.integration
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(RULE, min_size=1, max_size=3))
def test_random_rules_ignore_what_git_ignores(repository: Path, rules: list[str]) -> None:
    text = "\n".join(rules)
    assert ignored_by_us(repository, text) == ignored_by_git(repository, text)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("*a" * 8 + "b", "a"),
        ("**/" * 12 + "x", "a/"),
        ("*a" * 60 + "b", "a"),
        ("a*" * 40 + "b", "a"),
        ("**/*a*a*b", "a"),
    ],
)
def test_work_grows_no_faster_than_the_name(rule: str, name: str) -> None:
    def seconds(length: int) -> float:
        path = name * (length // len(name)) + "c"
        rules = IgnoreRules("", f"/{rule}")
        started = time.process_time()
        for _ in range(20):
            rules.ignores(path, path, folder=False)
        return time.process_time() - started

    short, long = (min(seconds(length) for _ in range(3)) for length in (200, 800))
    assert long <= 12 * max(short, 0.001)
