"""Private attributes of the MCP SDK are used in one module."""

from __future__ import annotations

import ast
from pathlib import Path

import container_kit

PACKAGE = Path(container_kit.__file__).parent
ALLOWED = "tools/protocol/sdk_internals.py"


def defined_names(tree: ast.Module) -> set[str]:
    """Return the private names that a module defines: functions, and attributes of its classes."""
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            names.add(node.attr)
    return names


def imports_mcp(tree: ast.Module) -> bool:
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return any(module.partition(".")[0] in ("mcp", "mcp_types") for module in modules)


def test_private_attributes_of_the_sdk_are_used_in_one_module() -> None:
    used: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if not imports_mcp(tree):
            continue
        own = defined_names(tree)
        private = [
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
            if ast.unparse(node) != "os._exit"
        ]
        if foreign := [name for name in private if name not in own]:
            used[path.relative_to(PACKAGE).as_posix()] = foreign
    assert set(used) == {ALLOWED}
