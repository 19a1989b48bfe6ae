"""The fault codes that tests expect of a failure, read from their syntax trees.

A code counts if a test compares with it: in an assertion, in `pytest.raises(match=…)`, in a table of cases or as an
argument of a helper that compares. It does not count in a comment or docstring, or if a test makes the fault itself
(`Fault(code=…)`, `FaultCode(…)`, a mapping's `"code"`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from container_kit.stages.contract.fault import FaultCode

TESTS = Path(__file__).parents[1]
_MAKERS = {"Fault", "FaultCode", "fault", "model_validate"}


def provoked(codes: dict[str, FaultCode], constants: dict[tuple[str, str], str]) -> set[str]:
    """Return the codes that tests expect.

    Args:
        codes: All codes by their text.
        constants: The texts of the codes by module and constant.
    """
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        families = _families(path)
        tree = ast.parse(path.read_text("utf-8"))
        imported = _imported(tree)
        for node in _expected(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add(constants.get((imported.get(node.value.id, ""), node.value.id), ""))  # `NAME.code`
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value.replace("\\", "")
                found |= {text, *(f"{family}.{text}" for family in families)}
    return found & codes.keys()


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return the modules from which names are imported."""
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def _families(path: Path) -> tuple[str, ...]:
    """Return the folders of a stage's tests. A case in them may omit the family of a code."""
    parts = path.relative_to(TESTS).parts
    return parts[1:-1] if parts[0] == "stages" else ()


def _expected(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions of comparisons, tables of cases and calls."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.Call) and _called(child) in _MAKERS:
            continue
        if isinstance(child, ast.Dict):
            pairs = zip(child.keys, child.values, strict=True)
            values = [value for key, value in pairs if not (isinstance(key, ast.Constant) and key.value == "code")]
            for value in values:
                yield from _expected(ast.Expression(value))
            continue
        if isinstance(child, ast.Constant | ast.Attribute):
            yield child
        yield from _expected(child)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
