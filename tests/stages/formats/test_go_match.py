"""Wildcards of COPY: the rules of Go's `filepath.Match`, and what the engine copies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient
from hypothesis import given, settings
from hypothesis import strategies as st

from container_kit.stages.formats.go_match import PatternSyntaxError, matches
from support.docker_build import DockerBuild
from support.steps import count_steps

NAMES = [
    "a", "b", "ab", "abb", "a-b", "a]b", "a*b", "a^b", "é", "aéb", "A", "!a", "a.py", "a.pyc", "sub/xa", "sub/xab",
]  # fmt: skip
PATTERNS = [
    "*", "a*b", "*a*b*", "a**b", "?", "a?b",
    "[^a]", "[a-c]*", "a[!*]b", "[A-Z]*", "a[a^]b", "*.py[co]", "sub/*", "*/*b",
    "*é*", "[à-ÿ]", "*[]", "a*[",
]  # fmt: skip
"""Without a backslash, which COPY interprets before the wildcards."""


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        # https://pkg.go.dev/path/filepath#Match
        ("*", "abc", True),
        ("*", "a/c", False),  # any sequence of non-separator characters
        ("a?c", "abc", True),
        ("a?c", "a/c", False),  # any single non-separator character
        ("[a-c]", "b", True),
        ("[^a-c]", "b", False),
        ("[^a-c]", "d", True),
        ("[a\\-c]", "b", False),
        ("[a\\-c]", "-", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("a", "ab", False),  # the pattern must match all of the name
        ("a*", "a", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_wildcards_mean_what_the_documentation_says(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


@pytest.mark.parametrize("pattern", ["[", "[a", "[a-", "[]", "[]a]", "[-a]", "[a-]", "[^]", "a\\", "[a\\", "[x-\\"])
def test_a_pattern_outside_the_grammar_is_rejected(pattern: str) -> None:
    with pytest.raises(PatternSyntaxError):
        matches(pattern, "a")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("ab*?", max_size=8), st.text("ab/", max_size=8))
def test_without_sets_and_escapes_stars_are_found_as_by_exhaustive_search(pattern: str, name: str) -> None:
    def search(pattern: str, name: str) -> bool:
        if not pattern:
            return not name
        if pattern[0] == "*":
            return search(pattern[1:], name) or (name[:1] not in ("", "/") and search(pattern, name[1:]))
        return name != "" and _fits(pattern[0], name[0]) and search(pattern[1:], name[1:])

    assert matches(pattern, name) == search(pattern, name)


def _fits(wanted: str, character: str) -> bool:
    return character != "/" if wanted == "?" else wanted == character


@pytest.mark.parametrize("pattern", ["*a" * 12 + "b", "a*" * 30 + "b", "*?" * 20 + "[b-c]"])
def test_the_work_grows_with_the_product_of_the_lengths(pattern: str) -> None:
    def steps(pattern: str, length: int) -> int:
        return count_steps(lambda: matches(pattern, "a" * length))

    assert steps(pattern, 200) <= 2.2 * steps(pattern, 100)
    assert steps(pattern * 2, 100) <= 2.2 * steps(pattern, 100)


@pytest.mark.engine
def test_patterns_match_what_the_engine_copies(
    docker_api: APIClient, tmp_path: Path, unique: Callable[[], str]
) -> None:
    for name in (*NAMES, "always"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    patterns = [pattern for pattern in PATTERNS if is_valid(pattern)]
    lines = [f"COPY {json.dumps(['always', pattern, f'/{number}/'])}" for number, pattern in enumerate(patterns)]
    (tmp_path / "Dockerfile").write_text("\n".join(["FROM scratch", *lines, ""]))
    (tmp_path / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    files = DockerBuild(docker_api, unique).files(tmp_path, "/")
    assert not isinstance(files, str), files
    for number, pattern in enumerate(patterns):
        copied = {name for file in files for place, _, name in [file.partition("/")] if place == str(number)}
        # of a folder, COPY takes the content
        expected = {name for name in NAMES if matches(pattern, name) or matches(pattern, name.partition("/")[0])}
        assert copied == {"always", *(Path(name).name for name in expected)}, pattern


def is_valid(pattern: str) -> bool:
    try:
        matches(pattern, "a")
    except PatternSyntaxError:
        return False
    return True
