"""The project's prose uses the words of its field: `style_words.toml` lists the words and patterns to avoid."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LIST = tomllib.loads((ROOT / "tests/style_words.toml").read_text("utf-8"))
PYTHON = ("src", "examples", "scripts", "benchmarks")
TWO_WORDS = re.compile(r"[A-Za-z]{2}\W{0,3}\s\W{0,2}[A-Za-z]")
RAW_STRING = re.compile(rb"[bBfF]?[rR][bBfF]?['\"]")
CODE_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


@dataclass(frozen=True)
class Word:
    """One entry of the list."""

    pattern: re.Pattern[str]
    use: str
    bad: tuple[str, ...]
    good: tuple[str, ...]

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> Word:
        find = re.sub(r"\s+", r"\\s", entry["find"])
        return cls(re.compile(find, re.IGNORECASE), entry["use"], tuple(entry["bad"]), tuple(entry.get("good", ())))


WORDS = [Word.parse(entry) for entry in LIST["words"]]


@dataclass(frozen=True)
class Passage:
    """A piece of prose and the lines of the file that hold it."""

    file: str
    first: int
    lines: tuple[str, ...]
    body: str

    def problems(self) -> Iterator[str]:
        """Report each forbidden word that no exception covers, as `file:line: word (use …)`."""
        prose = _prose(self.body)
        for word in WORDS:
            for match in word.pattern.finditer(prose):
                if not any(self._is_covered(match, entry, prose) for entry in LIST.get("exceptions", ())):
                    shown = " ".join(match.group().split())
                    yield f"{self.file}:{self._line(match)}: {shown[:60]!r} (use: {word.use})"

    def _is_covered(self, match: re.Match[str], entry: dict[str, str], prose: str) -> bool:
        start = prose.find(entry["text"])
        end = start + len(entry["text"])
        return entry["file"] == self.file and start != -1 and start <= match.start() and match.end() <= end

    def _line(self, match: re.Match[str]) -> int:
        """Return the line of a match; texts that do not keep their line breaks are searched for its first word."""
        if self.body.count("\n") == len(self.lines) - 1:
            return self.first + match.string.count("\n", 0, match.start() + match.group().index(match.group().strip()))
        first_word = match.group().split()[0]
        return self.first + next((number for number, line in enumerate(self.lines) if first_word in line), 0)


def _prose(text: str) -> str:
    """Return a text without its code spans and indentation, with its line breaks kept."""
    text = CODE_SPAN.sub(lambda span: "CODE" + "\n" * span[0].count("\n"), text)
    return "\n".join(line.strip() for line in text.split("\n"))


def python_passages(file: str, source: str) -> Iterator[Passage]:
    """Find the docstrings, comments and texts of a Python file."""
    lines = source.splitlines()
    yield from _comments(file, source)
    tree = ast.parse(source)
    patterns = set(_expressions(tree))
    for node in ast.walk(tree):
        body = _text(node)
        if body is None or id(node) in patterns or not TWO_WORDS.search(body):
            continue
        assert isinstance(node, ast.expr)
        held = lines[node.lineno - 1 : node.end_lineno]
        if not RAW_STRING.match(held[0].encode()[node.col_offset :]):
            yield Passage(file, node.lineno, tuple(held), body)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "CODE" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _expressions(tree: ast.AST) -> Iterator[int]:
    """Find the strings that are not texts: regular expressions, and the parts of f-strings, which are read whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from (id(part) for part in node.values if isinstance(part, ast.Constant))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            yield from (id(argument) for argument in node.args)


def _comments(file: str, source: str) -> Iterator[Passage]:
    """Find comments; those in lines that follow one another are one passage."""
    block: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != block[-1][0] + 1:
            yield _joined(file, block)
            block = []
        block.append((token.start[0], token.string.lstrip("#")))
    if block:
        yield _joined(file, block)


def _joined(file: str, block: list[tuple[int, str]]) -> Passage:
    lines = tuple(text for _, text in block)
    return Passage(file, block[0][0], lines, "\n".join(lines))


def markdown_passages(file: str, source: str) -> Iterator[Passage]:
    """Return a page without its links' addresses and its code blocks, but with the comments in those."""
    fenced = False
    kept = []
    for line in source.splitlines():
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        comment = line.partition("# ")[2]
        kept.append(comment if fenced or fence else re.sub(r"\]\([^)]*\)", "]", line))
    yield Passage(file, 1, tuple(kept), "\n".join(kept))


def plain_passages(file: str, source: str) -> Iterator[Passage]:
    """Return a file whose every line counts, such as a web page or a shell script."""
    lines = tuple(source.splitlines())
    yield Passage(file, 1, lines, "\n".join(lines))


READERS = {".py": python_passages, ".md": markdown_passages}


def _passages(files: Iterable[Path]) -> Iterator[Passage]:
    for path in sorted(files):
        file = path.relative_to(ROOT).as_posix()
        yield from READERS.get(path.suffix, plain_passages)(file, path.read_text("utf-8"))


def _all(*patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]


def documentation() -> list[Path]:
    return _all("*.md", "docs/**/*.md", "docs/**/*.svg", "examples/**/*.md")


def program_files() -> list[Path]:
    web = [f"src/**/*.{suffix}" for suffix in ("js", "html", "css")]
    shell = [path for path in _all("scripts/*") if not path.suffix]
    return [*_all(*(f"{folder}/**/*.py" for folder in PYTHON), *web, "scripts/*.sh"), *shell]


def _fail_on(problems: Iterable[str]) -> None:
    found = list(dict.fromkeys(problems))
    assert not found, f"{len(found)} places use words of tests/style_words.toml:\n" + "\n".join(found)


def test_documentation_uses_the_words_of_the_field() -> None:
    _fail_on(problem for passage in _passages(documentation()) for problem in passage.problems())


def test_docstrings_comments_and_texts_use_the_words_of_the_field() -> None:
    _fail_on(problem for passage in _passages(program_files()) for problem in passage.problems())


def test_tool_descriptions_use_the_words_of_the_field() -> None:
    from container_kit.tools.registry import ALL

    texts = [
        (f"tool {tool.name}", text)
        for tool in ALL
        for text in (tool.title, tool.description, *_descriptions(tool.input.model_json_schema()))
    ]
    _fail_on(problem for name, text in texts for problem in Passage(name, 1, (text,), text).problems())


def _descriptions(schema: object) -> Iterator[str]:
    """Find every `title` and `description` text in a JSON schema."""
    if isinstance(schema, dict):
        yield from (
            value for key, value in schema.items() if key in ("title", "description") and isinstance(value, str)
        )
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _descriptions(part)


def test_names_of_tests_use_the_words_of_the_field() -> None:
    problems: list[str] = []
    for path in _all("tests/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                sentence = node.name.replace("_", " ")
                name = path.relative_to(ROOT).as_posix()
                problems += Passage(name, node.lineno, (sentence,), sentence).problems()
    _fail_on(problems)


def test_docstrings_of_functions_start_with_a_verb() -> None:
    problems: list[str] = []
    for path in _all("src/**/*.py"):
        problems += _wrong_openings(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    _fail_on(problems)


def _wrong_openings(file: str, source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_property(node):
            continue
        opening = re.match(r"\w+", ast.get_docstring(node) or "")
        if opening and opening.group().lower() in LIST["openings"]["words"]:
            line = node.body[0].lineno
            yield f"{file}:{line}: {node.name} opens with {opening.group()!r} (use a verb; predicates: Return whether)"


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.bad[0])
def test_each_pattern_finds_its_bad_sentences_and_passes_its_good_ones(word: Word) -> None:
    assert [sentence for sentence in word.bad if not word.pattern.search(sentence)] == []
    assert [sentence for sentence in word.good if word.pattern.search(sentence)] == []


def test_each_exception_has_a_reason_and_is_still_needed() -> None:
    for entry in LIST.get("exceptions", ()):
        assert entry["reason"]
        passages = [_prose(passage.body) for passage in _passages([ROOT / entry["file"]])]
        assert any(entry["text"] in prose for prose in passages), f"no longer there: {entry}"
        assert any(word.pattern.search(entry["text"]) for word in WORDS), f"no longer needed: {entry}"


SOURCE = '''\
"""A module
that is made anew."""
# First line of a comment
# that tells something.
import re


class Thing:
    size: int = 0
    """How much it lacks."""

    def run(self) -> str:
        """The result of `anew`."""
        re.compile("what is told there")
        print("one" f"{self.size} of the things" " shall be done", r"it is told")
        return "told"

    @property
    def text(self) -> str:
        """The text."""
        return """
        First.
        What is here is text.
        """
'''


def test_a_problem_in_a_python_file_is_reported_with_its_line() -> None:
    found = [problem for passage in python_passages("a.py", SOURCE) for problem in passage.problems()]
    lines = sorted(int(problem.split(":")[1]) for problem in found)
    assert lines == [2, 4, 10, 15, 23]


def test_code_spans_raw_strings_and_single_words_are_not_prose() -> None:
    assert list(python_passages("a.py", 'x = r"is told so"\ny = "told"\n')) == []
    [passage] = python_passages("a.py", '"""Read `what is told` once."""\n')
    assert list(passage.problems()) == []


def test_a_problem_in_a_page_is_reported_with_its_line() -> None:
    page = "# Title\n\nText that goes on\nall the\nsame.\n\n```sh\ntold x  # made anew\n```\n[link](told.md) `told`\n"
    [passage] = markdown_passages("a.md", page)
    assert sorted(problem.split(" (")[0] for problem in passage.problems()) == [
        "a.md:4: 'all the same'",
        "a.md:8: 'anew'",
    ]


def test_functions_that_open_with_a_noun_are_reported_and_properties_are_not() -> None:
    assert [problem.split(" (")[0] for problem in _wrong_openings("a.py", SOURCE)] == ["a.py:13: run opens with 'The'"]
