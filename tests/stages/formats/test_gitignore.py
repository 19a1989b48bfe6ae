"""`.gitignore` rules, compared with `git check-ignore`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_kit.stages.formats.gitignore import IgnoreRules
from support.steps import count_steps

FILES = [
    "a", "b", "ab", "abb", "a.py", "a.pyc", "b.log", ".env", "src/a", "src/ab", "src/a.py",
    "src/deep/a", "src/deep/b.log", "src/deep/er/a.py", "lib/a", "lib/ab/ab/ab", "!a", "#a", "a]", "a[b]c", "a-b",
    "aXb", "a*b", "a?b", "build/out", "build/src/a", "docs/build/x", "a b", "a ", "a\t", "trailing\\", "é", "aéb", "A",
    "folder with space/x",
    "SRC/a", "-", "^a", "b:", "x\ry", "~",
]  # fmt: skip


class Repository:
    """A git repository with the files, none of them tracked, and a link to a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "init", "-q", str(root)], check=True, timeout=30)
        for name in FILES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("")
        (root / "src-link").symlink_to("src")
        paths = sorted(path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts[:1])
        self.folders = {
            path.relative_to(root).as_posix(): path.is_dir() and not path.is_symlink()
            for path in paths
            if not path.parent.is_symlink()
        }
        """All paths, and whether each is a folder."""

    def ignored_by_git(self, files: Mapping[str, str]) -> set[str]:
        """Ask git with ignore files, by their paths; the user's own one does not count."""
        command = ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin", "-z"]
        names = "\0".join(self.folders).encode()
        for path, content in files.items():
            (self.root / path).write_bytes(content.encode())
        try:
            done = subprocess.run(command, cwd=self.root, input=names, capture_output=True, check=False, timeout=30)
        finally:
            for path in files:
                (self.root / path).unlink()
        assert done.returncode in (0, 1), done.stderr
        return set(done.stdout.decode().split("\0")) - {""}

    def ignored_by_us(self, files: Mapping[str, str]) -> set[str]:
        """Walk the tree as a caller does: what is below an ignored folder is ignored."""
        outside = files.get(".git/info/exclude")
        rules: dict[str, IgnoreRules | None] = {}
        ignored: set[str] = set()

        def rules_of(folder: str) -> IgnoreRules | None:
            if folder not in rules:
                above = rules_of(folder.rpartition("/")[0]) if folder else outside and IgnoreRules("", outside)
                base = f"{folder}/" if folder else ""
                content = files.get(f"{base}.gitignore")
                rules[folder] = (above or None) if content is None else IgnoreRules(base, content, above or None)
            return rules[folder]

        for path, is_folder in self.folders.items():
            parent, _, name = path.rpartition("/")
            own = rules_of(parent)
            if parent in ignored or (own is not None and own.ignores(path, name, folder=is_folder)):
                ignored.add(path)
        return ignored

    def compare(self, files: Mapping[str, str]) -> None:
        assert self.ignored_by_us(files) == self.ignored_by_git(files)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


CASES = [
    "a", "a/", "/a", "src/a", "*.py", "*.py[co]", "**/a", "a/**", "src/**", "src/**/a.py", "**/deep/**", "**", "*",
    "*\n!a", "*\n!*/\n!*.py", "src/*\n!src/a", "src\n!src/a", "!a\na", "a\n!a", "\\!a", "\\#a", "#a", "a\\*b", "a\\?b",
    "a[*]b", "a]", "a[b]c", "a\\[b\\]c", "a[!-]b", "a[^-]b", "[[:alpha:]]", "a[[:upper:]]b", "a[a-c]b", "[a-", "a[]-]b",
    "a ", "a\\ ", "a b", "a b  ", "trailing\\", "trailing\\\\", "folder with space", "//a", "a//b", "./a", "src/./a",
    "src/../a", "***", "**a", "a**", "src**a", "src/**a", "src/deep/**/", "/**/a", "*/a", "*/*/a", "?", "??", ".*",
    "build/", "/build/", "docs/build", "a\r\nb\r\n", "\ufeffa\nb", "ab\t", "*\\", "[", "[!a]", "[]a]",
]  # fmt: skip


MORE_CASES = [
    "src-link/", "src-link", "src/", "/src/deep/", "src/deep/**/a.py", "src**/a", "s**/deep", "src/**deep/a",
    "lib/a**/ab", "**/", "/**", "**/**", "/**/", "src/*/*", "a\\", "a\\ ", "a\\  ", "a \\ ", "\\a", "\\\\",
    "trailing\\\\ ", "!", "!/", "/", "//", "!!a", "é", "?", "??", "a??b", "[é]", "a[é]b", "[!é]", "*é", "A", "[A-Z]",
    "[a-Z]", "[Z-a]", "[z-a]b", "[b-]", "[-b]", "[]-a]", "[a-b-z]", "[--:]", "[[:alpha:]-~]", "[[:nothing:]]",
    "[[:alpha:]", "[[:alpha]]", "[[:]", "[[:]]", "[\\]]", "a[\\]-^]b", "[^]]", "a\rb", "x\ry", "x\ry\r", "a\u2028b",
    "a\x0bb", "a\x0cb", "a\x00b", "#\na", " #a", "\ufeff#a\na", "a\n\ufeffb", "a\r", "src/\r\n!src/\r\n",
    "*\n!/src\n/src/*\n!/src/deep", "*\n!*/\n!a\nsrc/deep/", "src/*\n!src/deep\nsrc/deep/*\n!src/deep/er/",
    "a/\nb/\nsrc/a/",
]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("rules", CASES + MORE_CASES)
def test_a_rule_ignores_what_git_ignores(repository: Repository, rules: str) -> None:
    repository.compare({".gitignore": rules})


NESTED = [
    {".gitignore": "*.py\na\n", "src/.gitignore": "!a.py\n!a\n"},
    {".gitignore": "!a\n", "src/.gitignore": "a\n"},
    {"src/.gitignore": "/a\ndeep/a\n"},
    {"src/.gitignore": "/src/a\n/deep/**\n", "src/deep/.gitignore": "!er\n"},
    {".gitignore": "src/deep\n", "src/deep/.gitignore": "!a\n"},
    {".git/info/exclude": "a\n*.log\n"},
    {".git/info/exclude": "a\n*.log\n/src/\n", ".gitignore": "!a\n"},
    {".git/info/exclude": "a\n", ".gitignore": "", "src/.gitignore": "!a\n", "src/deep/.gitignore": "ab\n"},
]


@pytest.mark.integration
@pytest.mark.parametrize("files", NESTED)
def test_the_rules_of_inner_files_come_before_those_of_outer_files(
    repository: Repository, files: dict[str, str]
) -> None:
    repository.compare(files)


PIECES = [
    "a",
    "b",
    "ab",
    "src",
    "deep",
    "er",
    "*",
    "**",
    "/",
    "!",
    "?",
    "[ab]",
    "[!a]",
    "[^b-z]",
    "[[:alpha:]]",
    "\\",
    " ",
]
RULE = st.text("ab*?/[]!-\\# .é^:", min_size=1, max_size=9) | st.lists(
    st.sampled_from(PIECES), min_size=1, max_size=7
).map("".join)
RULES = st.lists(RULE, min_size=1, max_size=4).map("\n".join)
FILES_OF_RULES = st.fixed_dictionaries({".gitignore": RULES}, optional={"src/.gitignore": RULES})


@pytest.mark.integration
@settings(max_examples=200, deadline=None, derandomize=True)
@given(FILES_OF_RULES)
def test_random_rules_ignore_what_git_ignores(repository: Repository, files: dict[str, str]) -> None:
    repository.compare(files)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(1800)
@settings(max_examples=10_000, deadline=None)
@given(FILES_OF_RULES)
def test_many_random_rules_ignore_what_git_ignores(repository: Repository, files: dict[str, str]) -> None:
    repository.compare(files)


PATHOLOGICAL = [
    ("*a" * 12 + "b", "a"),
    ("**/" * 16 + "x", "a/"),
    ("/" + "**/a" * 12 + "b", "a/"),
    ("a*" * 30 + "b", "a"),
    ("*[a-b]" * 20 + "c", "a"),
    ("**/*a*a*b", "a"),
    ("*" * 60 + "b", "a"),
    ("*?" * 20 + "[!a]", "a"),
]


@pytest.mark.parametrize(("rule", "unit"), PATHOLOGICAL)
def test_the_work_for_a_path_is_proportional_to_its_length(rule: str, unit: str) -> None:
    def steps(length: int) -> int:
        path = (unit * length + "c").strip("/")
        rules = IgnoreRules("", f"{rule} # {length}\n{rule}\n")
        return count_steps(lambda: rules.ignores(path, path.rpartition("/")[2], folder=False))

    assert steps(400) <= 2.2 * steps(200)


@pytest.mark.parametrize("unit", ["*a", "**/", "[ab]*", "?*", "*", "**/*a", "a*?"])
def test_the_work_grows_with_the_product_of_the_lengths(unit: str) -> None:
    def steps(length: int) -> int:
        name = "x" + "a" * length
        return count_steps(lambda: IgnoreRules("", f"/x{unit * length}b").ignores(name, name, folder=False))

    assert steps(80) <= 4.4 * steps(40)


def test_rules_after_too_many_wildcards_are_not_applied() -> None:
    rules = IgnoreRules("", "a\n" + "*x*y*\n" * 1000 + "b\n")
    assert rules.ignores("a", "a", folder=False)
    assert not rules.ignores("b", "b", folder=False)
