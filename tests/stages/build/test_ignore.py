"""`.dockerignore`: Docker's semantics."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from container_kit.stages.build.context.build_context import walk
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.formats.dockerignore import DockerIgnore


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        # the examples of docs.docker.com/build/concepts/context/#dockerignore-files
        ("*/temp*", "somedir/temporary.txt", True),
        ("*/temp*", "somedir/temp", True),
        ("*/temp*", "a/b/temp", False),
        ("*/*/temp*", "somedir/subdir/temporary.txt", True),
        ("temp?", "tempa", True),
        ("temp?", "temp", False),
        ("**/*.go", "a.go", True),
        ("**/*.go", "a/b/c.go", True),
        ("/foo/bar/", "foo/bar", True),
        ("foo/../bar", "bar", True),
        # a pattern holds for all below what it matches, and is anchored at the root
        ("node_modules", "node_modules/a/b.js", True),
        ("node_modules", "web/node_modules", False),
        ("**/node_modules", "web/node_modules/a", True),
        ("a/**", "a/b/c", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        # the rest of the syntax
        ("[ab].txt", "b.txt", True),
        ("[^ab].txt", "b.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        ("a.txt", "aXtxt", False),
        ("a+b(c)", "a+b(c)", True),
        ("*", "any", True),
        (".", "any", False),
        ("", "any", False),
    ],
)
def test_a_pattern_matches_as_docker_says(pattern: str, path: str, ignored: bool) -> None:
    assert (DockerIgnore.parse(pattern).find(path) is not None) is ignored


def test_the_last_pattern_that_matches_decides() -> None:
    patterns = DockerIgnore.parse("*.md\n!README*.md\nREADME-secret.md\n")
    assert patterns.find("a.md") is not None
    assert patterns.find("README.md") is None
    assert patterns.find("README-secret.md") is not None


def test_comments_blank_lines_and_a_byte_order_mark_are_not_patterns() -> None:
    patterns = DockerIgnore.parse("\ufeff# a comment\n\n   \n a.txt \r\n")
    assert [pattern.text for pattern in patterns.patterns] == ["a.txt"]
    assert patterns.patterns[0].line == 4


def test_a_pattern_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="pattern"):
        DockerIgnore.parse("[z-a]x")


def _tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def _walked(root: Path, ignore: str, include: list[str] | None = None) -> list[str]:
    chosen = DockerIgnore.from_patterns(include) if include is not None else None
    return [entry.path for entry in walk(root, DockerIgnore.parse(ignore), chosen)]


def test_what_is_taken_back_below_an_ignored_folder_comes_with_its_parents(tmp_path: Path) -> None:
    root = _tree(tmp_path, "a/b/keep.txt", "a/b/drop.txt", "a/c/drop.txt", "z.txt")
    assert _walked(root, "a\n!a/b/keep.txt\n") == ["a", "a/b", "a/b/keep.txt", "z.txt"]
    assert _walked(root, "**\n!**/keep.txt\n") == ["a", "a/b", "a/b/keep.txt"]
    assert _walked(root, "*\n!a/*/keep.txt\n") == ["a", "a/b", "a/b/keep.txt"]
    assert _walked(root, "a\n!nothing\n") == ["z.txt"]


def test_an_ignored_folder_is_not_even_read(tmp_path: Path) -> None:
    root = _tree(tmp_path, "big/x", "app.py")
    (root / "big").chmod(0)
    if os.geteuid() == 0:
        (root / "big").rename(root / "gone")
        (root / "big").symlink_to("gone")
    assert _walked(root, "big\ngone\n") == ["app.py"]


def test_only_what_is_included_is_walked(tmp_path: Path) -> None:
    root = _tree(tmp_path, "a/x.txt", "a/y.txt", "b/x.txt", "c.txt")
    assert _walked(root, "", ["a/x.txt", "c.txt"]) == ["a", "a/x.txt", "c.txt"]
    assert _walked(root, "", ["*/x.txt"]) == ["a", "a/x.txt", "b", "b/x.txt"]
    assert _walked(root, "a/x.txt", ["a"]) == ["a", "a/y.txt"]


def test_names_come_sorted_folder_by_folder(tmp_path: Path) -> None:
    root = _tree(tmp_path, "a/z", "a-b", "a.b", "B")
    assert _walked(root, "") == ["B", "a", "a/z", "a-b", "a.b"]


def test_hard_links_point_to_the_first_name_that_is_taken(tmp_path: Path) -> None:
    root = _tree(tmp_path, "one")
    (root / "three").hardlink_to(root / "one")
    (root / "two").hardlink_to(root / "one")
    links = {entry.path: entry.link for entry in walk(root, DockerIgnore.from_patterns([]))}
    assert links == {"one": "", "three": "one", "two": "one"}
    links = {entry.path: entry.link for entry in walk(root, DockerIgnore.from_patterns(["one"]))}
    assert links == {"three": "", "two": "three"}


def test_sockets_and_pipes_stay_behind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    _tree(tmp_path, "file")
    assert _walked(tmp_path, "") == ["file"]


def test_a_name_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("")
    with pytest.raises(StageFailure) as caught:
        _walked(tmp_path, "")
    assert caught.value.fault.code == "build.context_name_invalid"


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user, which needs root")
def test_a_folder_that_may_not_be_read_is_a_fault(tmp_path: Path) -> None:
    secret = tmp_path / "src" / "secret"
    secret.mkdir(parents=True)
    secret.chmod(0)
    code = (
        "import os, sys; from pathlib import Path; from container_kit.stages.build.context.build_context import walk;"
        "from container_kit.stages.formats.dockerignore import DockerIgnore;"
        "from container_kit.stages.contract.fault import StageFailure\n"
        "os.chdir(sys.argv[1]); os.seteuid(65534)\n"
        "try: list(walk(Path('.'), DockerIgnore.from_patterns([])))\n"
        "except StageFailure as failure: print(failure.fault.code, failure.fault.evidence[0].where)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "src")], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["build.context_unreadable", "secret"]
