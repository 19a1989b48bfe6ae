"""`.dockerignore`: the rules that Docker documents, and the bounds of the work."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_kit.stages.formats.dockerignore import DockerIgnore, PathMatch, PatternError, ignore_file_names
from support.steps import count_steps


def ignores(content: str, path: str) -> bool:
    return DockerIgnore.parse(content).find(path) is not None


@pytest.mark.parametrize(
    ("content", "path", "ignored"),
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
        ("foo/bar", "foo/bar", True),
        ("foo/../bar", "bar", True),
        ("# comment", "# comment", False),
        ("*.md\n!README.md", "CHANGES.md", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        (".", "any", False),
        # a pattern applies to everything below what it matches, and is relative to the root
        ("node_modules", "node_modules/a/b.js", True),
        ("node_modules", "web/node_modules", False),
        ("**/node_modules", "web/node_modules/a", True),
        ("Temp", "temp", False),
    ],
)
def test_patterns_mean_what_docker_documents(content: str, path: str, ignored: bool) -> None:
    assert ignores(content, path) is ignored


def test_the_dockerfiles_own_ignore_file_comes_first() -> None:
    # docs.docker.com/build/concepts/context/#filename-and-location
    assert ignore_file_names("docker/build.Dockerfile") == ("docker/build.Dockerfile.dockerignore", ".dockerignore")


def test_the_pattern_that_decides_is_found_with_its_line() -> None:
    patterns = DockerIgnore.parse("\ufeff# a comment\r\n\r\n *.txt \r\n! keep.txt\r\n")
    assert [(pattern.text, pattern.cleaned, pattern.line) for pattern in patterns.patterns] == [
        ("*.txt", "*.txt", 3),
        ("! keep.txt", "keep.txt", 4),
    ]
    decisive = patterns.find("a.txt")
    assert decisive is not None
    assert decisive.line == 3
    assert patterns.find("keep.txt") is None


@pytest.mark.parametrize(
    "pattern", ["[z-a]", "[", "a[", "[]", "[a-]", "a\\", "!", "! ", "!/", r"\q", "[[:none:]]", "a{2001}*"]
)
def test_a_pattern_that_is_not_valid_is_reported_with_its_line(pattern: str) -> None:
    with pytest.raises(PatternError, match="line 2") as error:
        DockerIgnore.parse(f"fine\n{pattern}\n")
    assert error.value.line == 2
    assert error.value.pattern == pattern.strip()


def test_too_many_patterns_are_rejected() -> None:
    with pytest.raises(PatternError, match="characters"):
        DockerIgnore.parse("a-pattern-of-some-length\n" * 20_000)


def test_a_list_of_patterns_is_read_as_buildkit_sends_it() -> None:
    patterns = DockerIgnore.from_patterns(["**", "!src/**", " ", "!./keep"])
    assert [pattern.cleaned for pattern in patterns.patterns] == ["**", "src/**", "./keep"]
    assert patterns.find("other") is not None
    assert patterns.find("src/a") is None


PARTS = st.sampled_from(["a", "b", "*", "a*", "**", "?", "[ab]", "a**b"])
PATTERNS = st.builds(
    lambda sign, parts: sign + "/".join(parts), st.sampled_from(["", "!"]), st.lists(PARTS, min_size=1, max_size=4)
)
NAMES = ("a", "b", "ab")


def tree(depth: int) -> Iterable[str]:
    for name in NAMES:
        yield name
        if depth:
            yield from (f"{name}/{path}" for path in tree(depth - 1))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(PATTERNS, min_size=1, max_size=4))
def test_nothing_changes_below_a_folder_that_a_walk_need_not_enter(texts: list[str]) -> None:
    patterns = DockerIgnore.from_patterns(texts)

    def check(match: PathMatch, depth: int, fixed: bool | None) -> None:
        for name in NAMES:
            child = match.child(name)
            assert fixed is None or child.is_matched == fixed
            if depth:
                check(child, depth - 1, fixed if fixed is not None or child.may_differ_below else child.is_matched)

    check(patterns.root, 3, None)


@pytest.mark.parametrize(
    ("content", "folder", "entered"),
    [
        ("big", "big", False),
        ("big\n!big/keep", "big", True),
        ("big\n!other/keep", "big", False),
        ("*\n!src", "big", False),
        ("*\n!src/main/**", "src", True),
        ("*\n!src/main/**", "src/test", False),
        ("**\n!**/keep", "big", True),
        ("!big/keep\nbig", "big", False),
        ("*\n!*/keep/x", "big/other", False),
    ],
)
def test_a_walk_enters_an_ignored_folder_only_if_something_below_can_be_included_again(
    content: str, folder: str, entered: bool
) -> None:
    match = DockerIgnore.parse(content).root
    for name in folder.split("/"):
        match = match.child(name)
    assert match.is_matched
    assert match.may_differ_below is entered


def test_a_walk_of_included_patterns_enters_only_folders_that_lead_to_them() -> None:
    root = DockerIgnore.from_patterns(["src/*/a"]).root
    assert not root.child("src").is_matched
    assert root.child("src").may_differ_below
    assert not root.child("other").may_differ_below
    assert root.child("src").child("x").child("a").is_matched


PATHOLOGICAL = [
    ("*a" * 12 + "b", "a"),
    ("**/" * 16 + "b", "a/"),
    ("a**" * 12 + "b", "a"),
    ("**a" * 12 + "b", "a/"),
    ("*[a]" * 20 + "b", "a"),
    ("a*" * 30 + "b", "a"),
    ("*" * 60 + "b", "a"),
    ("[a-b]*" * 12 + "?*" * 12, "ab"),
    ("a{0,30}*b", "a"),
    ("a*|" * 12 + "b", "a"),
]


@pytest.mark.parametrize(("pattern", "unit"), PATHOLOGICAL)
def test_the_work_for_a_path_is_proportional_to_its_length(pattern: str, unit: str) -> None:
    def steps(length: int) -> int:
        patterns = DockerIgnore.parse(f"{pattern}\n!{pattern}c")
        return count_steps(lambda: patterns.find((unit * length + "c").strip("/")))

    assert steps(400) <= 2.2 * steps(200)


@pytest.mark.parametrize("unit", ["*a", "**/", "a**", "[ab]*", "?*", "*", "a*?", "**/*a"])
def test_the_work_grows_with_the_product_of_the_lengths(unit: str) -> None:
    def steps(length: int) -> int:
        return count_steps(lambda: DockerIgnore.parse("x" + unit * length + "b").find("x" + "a" * length))

    assert steps(80) <= 4.4 * steps(40)
