"""Finds every regular expression of the package, and inputs that would make each of them slow."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import container_kit

_FUNCTIONS = {"compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split"}
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_SHORT = 300
"""Repeats up to this number are a constant."""
_FAST = 0.004
"""Seconds; a quadratic expression needs more for some thousand characters."""
_PAIRS = ("\n ", " \n", "a\n", "a.", "a-", "a ", "a/", '"a"', "a,", "a=", "\\\n")
_SAMPLES = "a \n0-./_A:=\"',(){}[]<>\t#$@\\;&|x"


class Expression(NamedTuple):
    """An expression and the place in the source that holds it."""

    place: str
    pattern: str | bytes
    flags: int


def modules() -> Iterator[str]:
    """Yield the names of all modules of the package."""
    for module in pkgutil.walk_packages(container_kit.__path__, "container_kit."):
        if not module.name.endswith("__main__"):
            yield module.name


def all_expressions() -> list[Expression]:
    """Return every expression of the package: each argument of a function of `re`, and each raw string."""
    found: list[Expression] = []
    for name in modules():
        module = importlib.import_module(name)
        if module.__file__ is not None:
            found += _written(Path(module.__file__), vars(module))
    return list({(one.pattern, one.flags): one for one in found}.values())


def _written(path: Path, values: dict[str, Any]) -> Iterator[Expression]:
    source = path.read_text()
    tree = ast.parse(source)
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_re(node.func) and node.args:
            expression = node.args[0]
            if (pattern := _value(expression, values)) is not None:
                seen.update(ast.walk(expression))
                yield from _valid(path, node.lineno, pattern, _flags(node))
    for node in ast.walk(tree):
        if node in seen or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        text = ast.get_source_segment(source, node) or ""
        if re.match(r"(?i)(?:r|rb|br|rf|fr)['\"](?!\"\")", text) and (pattern := _value(node, values)) is not None:
            seen.update(ast.walk(node))
            yield from _valid(path, node.lineno, pattern, 0)


def _is_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in _FUNCTIONS
    )


def _flags(call: ast.Call) -> int:
    flags = 0
    for node in [*call.args[1:], *(keyword.value for keyword in call.keywords)]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and inner.attr in re.RegexFlag.__members__:
                flags |= re.RegexFlag[inner.attr]
    return flags


def _value(node: ast.expr, values: dict[str, Any]) -> str | bytes | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | bytes) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _constant(part, values) for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, values), _value(node.right, values)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    value = values.get(node.id) if isinstance(node, ast.Name) else None
    return value if isinstance(value, str) else None


def _constant(node: ast.expr, values: dict[str, Any]) -> str:
    """Return the value of a constant of the module; a local variable counts as one letter."""
    name = node.value.id if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name) else ""
    value = values.get(name)
    return value if isinstance(value, str) else "x"


def _valid(path: Path, line: int, pattern: str | bytes, flags: int) -> Iterator[Expression]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern, flags)
        except re.error:
            return
    yield Expression(f"{path.relative_to(Path(container_kit.__file__).parent)}:{line}", pattern, flags)


def attacks(pattern: str | bytes, flags: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of a fixed prefix and a piece to repeat."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    yield from (("", piece) for piece in (*_SAMPLES, *_PAIRS))
    yield from _of_sequence(list(parser.parse(text, flags)), "")


def _of_sequence(items: list[Any], prefix: str) -> Iterator[tuple[str, str]]:
    for number, (op, argument) in enumerate(items):
        if op in _REPEATS:
            yield from _of_repeat(argument, prefix, _example(items[number + 1 :]))
        for inner in _inside(op, argument):
            yield from _of_sequence(inner, prefix)
        prefix += _example([(op, argument)], repeat=1)
        yield from (("", prefix + end) for end in ("", "\n", " ") if prefix)


def _of_repeat(argument: Any, prefix: str, rest: str) -> Iterator[tuple[str, str]]:
    _, high, body = argument
    if high > _SHORT:
        for sample in _samples(list(body)):
            yield prefix, sample
            yield prefix, sample + rest[:1]
            yield "", prefix + sample


def _samples(inner: list[Any]) -> list[str]:
    if len(inner) == 1 and inner[0][0] in (ops.IN, ops.NOT_LITERAL, ops.ANY):
        return _matching(*inner[0])[:8]
    samples = [_example(inner, repeat=1)]
    if len(inner) == 1 and inner[0][0] is ops.SUBPATTERN:
        inner = list(inner[0][1][3])
    if len(inner) == 1 and inner[0][0] is ops.BRANCH:
        samples += [_example(list(branch)) for branch in inner[0][1][1]]
    return [sample for sample in samples if sample] or ["a"]


def _inside(op: Any, argument: Any) -> list[list[Any]]:
    if op in _REPEATS:
        return [list(argument[2])]
    if op is ops.SUBPATTERN:
        return [list(argument[3])]
    if op is ops.ATOMIC_GROUP:
        return [list(argument)]
    if op is ops.BRANCH:
        return [list(branch) for branch in argument[1]]
    return [list(argument[1])] if op in (ops.ASSERT, ops.ASSERT_NOT) else []


def _example(items: list[Any], repeat: int = 0) -> str:
    """Return a text that the items match, with few exceptions."""
    return "".join(_example_of(op, argument, repeat) for op, argument in items)


def _example_of(op: Any, argument: Any, repeat: int) -> str:
    if op is ops.LITERAL:
        return chr(argument)
    if op in (ops.NOT_LITERAL, ops.IN, ops.ANY):
        return next(iter(_matching(op, argument)), "")
    if op in _REPEATS:
        low, high, body = argument
        return _example(list(body)) * max(low, min(repeat, high))
    inner = [] if op in (ops.ASSERT, ops.ASSERT_NOT) else _inside(op, argument)
    return _example(inner[0]) if inner else ""


def _matching(op: Any, argument: Any) -> list[str]:
    """Return sample characters that a class matches."""
    if op is ops.ANY:
        return ["a", " "]
    if op is ops.NOT_LITERAL:
        return [character for character in _SAMPLES if ord(character) != argument]
    allowed = [character for character in _SAMPLES if _is_in(character, argument)]
    return allowed or [chr(item if op is ops.LITERAL else item[0]) for op, item in argument if op in _CHARACTERS]


_CHARACTERS = (ops.LITERAL, ops.RANGE)


def _is_in(character: str, items: list[Any]) -> bool:
    negated = bool(items) and items[0][0] is ops.NEGATE
    return negated != any(_is_hit(character, op, argument) for op, argument in items if op is not ops.NEGATE)


def _is_hit(character: str, op: Any, argument: Any) -> bool:
    if op is ops.LITERAL:
        return ord(character) == argument
    if op is ops.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    kinds = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    name = str(argument)
    return bool(re.match(kinds[name.rpartition("_")[2]], character)) != ("NOT" in name)


def slow_input(one: Expression, size: int = 2500) -> tuple[str, str] | None:
    """Return a prefix and a repeated piece on which the expression needs more than linear time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expression = re.compile(one.pattern, one.flags)
    for prefix, piece in dict.fromkeys(attacks(one.pattern, one.flags)):
        if not 0 < len(piece) < size // 20:
            continue
        texts = [_text(one, prefix, piece, length) for length in (size, 4 * size)]
        if _seconds(expression, texts[0]) < _FAST:
            continue
        short, long = (min(_seconds(expression, text) for _ in range(3)) for text in texts)
        if short > _FAST and long > 9 * short:  # 4 if it is linear, 16 if it is quadratic
            return prefix, piece
    return None


def _text(one: Expression, prefix: str, piece: str, length: int) -> str | bytes:
    whole = prefix + piece * (length // len(piece)) + "\0"
    return whole.encode("latin-1", "replace") if isinstance(one.pattern, bytes) else whole


def _seconds(expression: re.Pattern[Any], text: Any) -> float:
    start = time.thread_time()
    for _ in expression.finditer(text):
        pass
    return time.thread_time() - start
