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
_FLAG = {flag.name: flag for flag in re.RegexFlag}
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
    """Return every expression of the package: all compiled at import, and all raw strings and arguments of `re`."""
    compiled: dict[tuple[str | bytes, int], str] = {}
    original = re._compile  # type: ignore[attr-defined]
    found: list[Expression] = []
    for name in modules():
        module = importlib.import_module(name)
        if module.__file__ is None:
            continue
        found += _written(Path(module.__file__), vars(module))
    del compiled, original
    unique = {(one.pattern, one.flags): one for one in found}
    return list(unique.values())


def _written(path: Path, values: dict[str, Any]) -> Iterator[Expression]:
    source = path.read_text()
    tree = ast.parse(source)
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_re(node.func) and node.args:
            flags = _flags(node, values)
            expression = node.args[0]
            if (pattern := _value(expression, values)) is not None:
                seen.update(ast.walk(expression))
                yield from _checked(path, node.lineno, pattern, flags)
    for node in ast.walk(tree):
        if node in seen or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        text = ast.get_source_segment(source, node) or ""
        if re.match(r"(?i)(?:r|rb|br|rf|fr)['\"]", text) and (pattern := _value(node, values)) is not None:
            seen.update(ast.walk(node))
            for flags in (0, re.MULTILINE, re.DOTALL):
                yield from _checked(path, node.lineno, pattern, flags)


def _is_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in _FUNCTIONS
    )


def _flags(call: ast.Call, values: dict[str, Any]) -> int:
    flags = 0
    for node in [*call.args[1:], *(keyword.value for keyword in call.keywords)]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and inner.attr in _FLAG:
                flags |= _FLAG[inner.attr]
    return flags


def _value(node: ast.expr, values: dict[str, Any]) -> str | bytes | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | bytes) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else _known(part.value, values)  # type: ignore[attr-defined]
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, values), _value(node.right, values)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    if isinstance(node, ast.Name) and isinstance(values.get(node.id), str):
        return values[node.id]
    return None


def _known(node: ast.expr, values: dict[str, Any]) -> str:
    try:
        value = eval(compile(ast.Expression(node), "expression", "eval"), values)  # noqa: S307 - our own source
    except Exception:  # noqa: BLE001 - a local variable
        return "x"
    return value if isinstance(value, str) else "x"


def _checked(path: Path, line: int, pattern: str | bytes, flags: int) -> Iterator[Expression]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern, flags)
        except re.error:
            return
    place = f"{path.relative_to(Path(container_kit.__file__).parent)}:{line}"
    yield Expression(place, pattern, flags)


# Inputs


def attacks(pattern: str | bytes, flags: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of a fixed prefix and a piece to repeat."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    yield from {
        ("", piece): None
        for piece in [*_SAMPLES, "\n ", " \n", "a\n", "a.", "a-", "a ", "a/", '"a"', "a,", "a=", "\\\n"]
    }
    parsed = list(parser.parse(text, flags))
    pieces = _pieces(parsed)
    examples = [piece for piece in pieces]
    yield from _of_sequence(parsed, "")
    del examples


def _of_sequence(items: list[Any], prefix: str) -> Iterator[tuple[str, str]]:
    for number, (op, argument) in enumerate(items):
        rest = _example(items[number + 1 :])
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            low, high, body = argument
            inner = list(body)
            if high > 20:
                for sample in _samples(inner):
                    yield prefix, sample
                    yield "", prefix + sample
                    yield "", sample + prefix
                    yield prefix, sample + rest[:1]
            yield from _of_sequence(inner, prefix)
            prefix += _example(inner) * max(low, 1 if high and low == 0 and high > 20 else low)
            yield "", prefix
        elif op is ops.SUBPATTERN:
            yield from _of_sequence(list(argument[3]), prefix)
            prefix += _example(list(argument[3]))
        elif op is ops.ATOMIC_GROUP:
            yield from _of_sequence(list(argument), prefix)
            prefix += _example(list(argument))
        elif op is ops.BRANCH:
            for branch in argument[1]:
                yield from _of_sequence(list(branch), prefix)
            prefix += _example(list(argument[1][0]))
        elif op in (ops.ASSERT, ops.ASSERT_NOT):
            yield from _of_sequence(list(argument[1]), prefix)
        else:
            prefix += _example([(op, argument)])
        if prefix:
            yield "", prefix
            yield "", prefix + "\n"
            yield "", prefix + " "


def _pieces(items: list[Any]) -> list[str]:
    return [_example([item]) for item in items]


def _example(items: list[Any]) -> str:
    return "".join(_example_of(op, argument) for op, argument in items)


def _example_of(op: Any, argument: Any) -> str:
    if op is ops.LITERAL:
        return chr(argument)
    if op is ops.NOT_LITERAL or op is ops.IN or op is ops.ANY:
        return next(iter(_matching(op, argument)), "")
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
        return _example(list(argument[2])) * argument[0]
    if op is ops.SUBPATTERN:
        return _example(list(argument[3]))
    if op is ops.ATOMIC_GROUP:
        return _example(list(argument))
    if op is ops.BRANCH:
        return _example(list(argument[1][0]))
    return ""


def _matching(op: Any, argument: Any) -> list[str]:
    """Return sample characters that a class matches."""
    if op is ops.ANY:
        return ["a", " "]
    if op is ops.NOT_LITERAL:
        return [c for c in _SAMPLES if ord(c) != argument]
    allowed = [c for c in _SAMPLES if _in(c, argument)]
    if not allowed:
        for item_op, item in argument:
            if item_op is ops.LITERAL:
                allowed.append(chr(item))
            elif item_op is ops.RANGE:
                allowed.append(chr(item[0]))
    return allowed


def _in(character: str, items: list[Any]) -> bool:
    negate = bool(items) and items[0][0] is ops.NEGATE
    hit = any(_hit(character, op, argument) for op, argument in items if op is not ops.NEGATE)
    return hit != negate


def _hit(character: str, op: Any, argument: Any) -> bool:
    if op is ops.LITERAL:
        return ord(character) == argument
    if op is ops.RANGE:
        return argument[0] <= ord(character) <= argument[1]
    name = str(argument)
    kind = {"DIGIT": str.isdigit, "SPACE": str.isspace, "WORD": lambda c: c.isalnum() or c == "_"}[
        name.rpartition("_")[2]
    ]
    return bool(kind(character)) != ("NOT" in name)


def _samples(inner: list[Any]) -> list[str]:
    if len(inner) == 1 and inner[0][0] in (ops.IN, ops.NOT_LITERAL, ops.ANY):
        return _matching(*inner[0])[:14]
    samples = [_example(inner)]
    if len(inner) == 1 and inner[0][0] is ops.SUBPATTERN:
        inner = list(inner[0][1][3])
    if len(inner) == 1 and inner[0][0] is ops.BRANCH:
        samples += [_example(list(branch)) for branch in inner[0][1][1]]
    return [sample for sample in samples if sample] or ["a"]


def seconds(expression: re.Pattern[Any], text: str | bytes) -> float:
    """Return the CPU time of finding all matches."""
    start = time.thread_time()
    for _ in expression.finditer(text):
        pass
    return time.thread_time() - start


def slow_input(one: Expression, size: int = 2000) -> tuple[str, str, float] | None:
    """Return an input on which the expression needs more than linear time, or nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expression = re.compile(one.pattern, one.flags)
    tried = set()
    worst: tuple[str, str, float] | None = None
    for prefix, piece in attacks(one.pattern, one.flags):
        if not piece or (prefix, piece) in tried or len(piece) > 500:
            continue
        tried.add((prefix, piece))
        for suffix in ("", "\x00", "\n!"):

            def text(length: int) -> Any:
                whole = prefix + piece * (length // len(piece)) + suffix
                return whole.encode("latin-1", "replace") if isinstance(one.pattern, bytes) else whole

            spent = seconds(expression, text(size))
            if spent < 0.003:
                continue
            again = min(seconds(expression, text(size)) for _ in range(2))
            if again < 0.003:
                continue
            double = min(seconds(expression, text(size * 2)) for _ in range(2))
            ratio = double / again
            if ratio > 3 and (worst is None or again > worst[2]):
                worst = (prefix, piece, again)
            if again > 0.05:
                return worst or (prefix, piece, again)
    return worst


if __name__ == "__main__":
    import sys

    items = all_expressions()
    print(len(items), file=sys.stderr)
    for one in items:
        if slow := slow_input(one):
            print(
                f"{one.place} flags={int(one.flags)} {one.pattern!r}\n      {slow[0]!r} + {slow[1]!r}*  {slow[2] * 1000:.1f} ms",
                flush=True,
            )
