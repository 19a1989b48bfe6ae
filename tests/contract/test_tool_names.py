"""Next actions name tools by the members of one enum."""

from __future__ import annotations

import ast
from pathlib import Path

import container_kit
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.registry import ALL

PACKAGE = Path(container_kit.__file__).parent


def test_the_enum_has_exactly_the_names_of_the_registry() -> None:
    assert [str(name) for name in ToolName] == [tool.name for tool in ALL]


def test_no_next_action_names_its_tool_by_a_literal() -> None:
    literals = [
        f"{path.relative_to(PACKAGE)}:{keyword.value.lineno}"
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "NextAction"
        for keyword in call.keywords
        if keyword.arg == "tool" and isinstance(keyword.value, ast.Constant)
    ]
    assert literals == []
