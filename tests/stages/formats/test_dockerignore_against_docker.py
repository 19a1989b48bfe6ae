"""`.dockerignore` compared with Docker: a real build of the same folder, and the files that arrive in the image.

Docker looks into an ignored folder only if a `!` pattern starts with its name, BuildKit in more cases. One more `!`
pattern for each folder, which matches nothing, makes Docker look into all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from docker import APIClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from container_kit.stages.formats.dockerignore import DockerIgnore, PathMatch, PatternError
from support.docker_build import DockerBuild

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NAMES = [
    "a", "b", "ab", "abb", "aab", "aaa", "a.py", "a.pyc", "b.log", ".env", "src/a", "src/ab", "src/a.py", "src/deep/a",
    "src/deep/b.log", "src/deep/er/a.py", "lib/a", "lib/ab/ab/ab", "!a", "#a", "a]", "a[b]c", "a-b", "aXb", "a*b",
    "a?b", "build/out", "build/src/a", "docs/build/x", "a b", "a\\b", "folder with space/x", "é", "aéb", "A", "SRC/a",
    "a+b", "(b)", "a|b", "{a}", "a^b", "a$b", "c++", "-", "]", "a1", "1", "^a", "!!a", "(a)/x", "aa/aa",
]  # fmt: skip
DOCKER_FILES = {"Dockerfile", ".dockerignore"}

TOGETHER = [
    # each list has patterns that do not hide what another one of it does
    "*.py\nsrc/deep\n/lib/ab/\n./build/out",
    "**/a\n!src/a\n!**/deep/a",
    "*\n!src\nsrc/deep\n!src/deep/er",
    "**\n!**/*.py\n! src/deep",
    "src\n!src/a*\nsrc/a.py\n!lib",
    "src/**\n!src/deep/**/a.py",
    "**b\n**.log\nlib/**/ab",
    "**/*b\n!**/ab",
    "a?b\n[A-Z]*\n*[0-9]\n[^a-z]",
    "\\!a\n\\#a\na\\*b\na\\?b\na\\[b\\]c\na\\\\b",
    "!a\n!!a\n#a\n !a\n \\#a",
    "folder with space\na b \n  (b)",
    "a+*\n(a)*\nc++*\na.p*\na$*\n{a}*",
    "a|b*\n!src/a|x*",
    "a{2}*\n[a]{1,}b?",
    "^a\n^b*\na^*",
    "[!a]b\n[^a]?b\n[a^]?b\na[\\]x]*",
    "[*]\na[?]b\n[a*b]\nx[a?]",
    "\\d\na\\w\n\\a*\n[\\d]\n[[:upper:]]*",
    "é\na?b\na[^x]b",
    "../a\nsrc/../b\nsrc/./a\nsrc//ab\n//lib\n/../build\nx/../../A",
    "\ufeffa\r\nb\r\n\r\n#ab\r\n  aab  \r\n\taaa\t",
    "a\n\n   \n# b\n #b\n!\u00a0a\n",
    "foo\n!src/a\ns*\n!src/deep\n*c",
    "src\n!src/a\ns*",
    "*\\**\n*\\?*\n[\\]]\n[\\-]",
    "a**\nlib/a**b\n**/src/**\nd**/x",
    "**/*\n!*/*/a",
    "***\n!**/**/a\n!a***",
    "Src\nLIB\nA",
]
REJECTED = [
    "[", "a[", "[]", "[]a]", "[a-]", "[-a]", "[^]", "a\\", "[\\", "*[", "**\\", "!", "! ", "!/", "\\q", "[z-a]*",
    "[[:x:]]", "a{1001}*", "*{2}", "|{2}*", "a{2}{2}*", "\\x4", "[\\q]",
]  # fmt: skip
ACCEPTED = [
    "b*[]a]", "b*.\\", "a{b}*", "a{,2}*", "a{01}*", "]", "a]*", ")*", "\\x41", "\\101", "[[:word:]]*", "a{1000}*", "|*",
    "\\Qa*", ".", "..", "/", "!.", "[^a]",
]  # fmt: skip


@pytest.fixture
def docker_build(docker_api: APIClient, unique: Callable[[], str]) -> DockerBuild:
    return DockerBuild(docker_api, unique)


def write_tree(root: Path, names: Iterable[str] = NAMES) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def folders_of(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_dir()]


def open_all(folders: Iterable[str]) -> str:
    """Patterns that make Docker look into all folders, although they match nothing."""
    escape = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})
    return "".join(f"\n!{folder.translate(escape)}/.nothing" for folder in folders)


def kept_by_docker(build: DockerBuild, root: Path, content: str) -> set[str] | str:
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /context\n")
    (root / ".dockerignore").write_bytes(content.encode())
    files = build.files(root, "/context")
    return files if isinstance(files, str) else files - DOCKER_FILES


def kept_by_us(root: Path, content: str) -> set[str]:
    kept: set[str] = set()

    def walk(folder: Path, match: PathMatch) -> None:
        for path in folder.iterdir():
            child = match.child(path.name)
            if path.is_dir():
                if not child.is_matched or child.may_differ_below:
                    walk(path, child)
            elif not child.is_matched:
                kept.add(path.relative_to(root).as_posix())

    walk(root, DockerIgnore.parse(content).root)
    return kept - DOCKER_FILES


@pytest.mark.parametrize("content", TOGETHER)
def test_patterns_keep_what_docker_keeps(docker_build: DockerBuild, tmp_path: Path, content: str) -> None:
    write_tree(tmp_path)
    content += open_all(folders_of(tmp_path))
    expected = kept_by_docker(docker_build, tmp_path, content)
    assert kept_by_us(tmp_path, content) == expected


@pytest.mark.parametrize("pattern", REJECTED)
def test_a_pattern_that_docker_rejects_is_rejected(docker_build: DockerBuild, tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "src").mkdir()
    content = f"{pattern}\n" if not pattern.startswith("!") else f"**\n{pattern}\n"
    error = kept_by_docker(docker_build, tmp_path, content)
    assert isinstance(error, str)
    assert "pattern" in error
    with pytest.raises(PatternError):
        DockerIgnore.parse(content)


def test_patterns_that_docker_accepts_are_accepted(docker_build: DockerBuild, tmp_path: Path) -> None:
    write_tree(tmp_path)
    content = "\n".join(ACCEPTED) + open_all(folders_of(tmp_path))
    assert kept_by_us(tmp_path, content) == kept_by_docker(docker_build, tmp_path, content)


LINES = st.text("ab*?/[]!-\\# .^", min_size=1, max_size=8) | st.lists(
    st.sampled_from(["a", "b", "ab", "src", "deep", "*", "**", "/", "!", "?", "[ab]", "[^a]", "*.py", "lib"]),
    max_size=6,
).map("".join)
CASES = st.lists(st.lists(LINES, min_size=1, max_size=4), min_size=50, max_size=50)
FEWER_NAMES = [
    "a", "b", "ab", "a.py", ".env", "src/a", "src/ab", "src/deep/a", "src/deep/b.py", "lib/ab/ab/ab", "!a", "#a", "a]",
    "a[b]c", "a-b", "a*b", "a b", "a\\b", "a^b", "-",
]  # fmt: skip


def place(folder: str, line: str) -> str:
    """Let a pattern hold in a folder, or be as it is at the end of the names of the folder's files."""
    text = line.strip()
    sign = "!" if text.startswith("!") else ""
    return f"{sign}{folder}/{text[len(sign) :].strip()}"


def is_valid(line: str) -> bool:
    try:
        DockerIgnore.parse(line)
    except PatternError:
        return False
    return True


def compare(build: DockerBuild, root: Path, cases: list[list[str]]) -> None:
    """Compare many lists of patterns in one build: each holds in a folder of its own."""
    lines: list[str] = []
    for number, case in enumerate(cases):
        write_tree(root / f"case{number}", FEWER_NAMES)
        placed = [place(f"case{number}", line) for line in case]
        lines += [line for line in placed if is_valid(line)]
    content = "\n".join(lines) + open_all(folders_of(root))
    expected = kept_by_docker(build, root, content)
    kept = kept_by_us(root, content)
    assert isinstance(expected, set), expected
    wrong = sorted(kept ^ expected)
    assert {path: cases[int(path.partition("/")[0].removeprefix("case"))] for path in wrong} == {}


@settings(
    max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(CASES)
def test_random_patterns_keep_what_docker_keeps(
    docker_build: DockerBuild, tmp_path_factory: pytest.TempPathFactory, cases: list[list[str]]
) -> None:
    root = tmp_path_factory.mktemp("context")
    compare(docker_build, root, cases)
    shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(CASES)
def test_many_random_patterns_keep_what_docker_keeps(
    docker_build: DockerBuild, tmp_path_factory: pytest.TempPathFactory, cases: list[list[str]]
) -> None:
    root = tmp_path_factory.mktemp("context")
    compare(docker_build, root, cases)
    shutil.rmtree(root)
