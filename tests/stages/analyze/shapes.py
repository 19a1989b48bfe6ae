"""Small trees written as TOML, and the check of an analysis against what is expected of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from container_kit.stages.artifacts.analysis import Analysis, Module

HERE = Path(__file__).parent / "shapes"


@dataclass(frozen=True)
class Shape:
    """A tree and what is right to say of it."""

    name: str
    files: dict[str, str]
    modules: dict[str, dict[str, Any]] = field(default_factory=dict)
    workspace: str | None = None

    def lay(self, folder: Path) -> Path:
        """Write the tree."""
        for path, content in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return folder


def shapes() -> list[Shape]:
    """All shapes, those of one file together."""
    found = []
    for path in sorted(HERE.glob("*.toml")):
        for case in tomllib.loads(path.read_text())["case"]:
            modules = case.get("modules") or {}
            if "expect" in case:
                modules = {".": modules.get(".", {}) | case["expect"]}
            found.append(Shape(case["name"], case["files"], modules, case.get("workspace")))
    return found


def said(module: Module, field_name: str) -> Any:
    """What an analysis says to one field of an expectation; empty or 0 stands for unknown."""
    names = {"start": "start_command", "version": "language_version"}
    value = getattr(module, names.get(field_name, field_name)).value
    return value if value is not None else 0 if field_name == "port" else ""


def differences(analysis: Analysis, shape: Shape) -> list[str]:
    """Where an analysis says something else than a shape expects; of a list any answer is right."""
    found = []
    if {m.path for m in analysis.modules} != set(shape.modules):
        found.append(f"modules {[m.path for m in analysis.modules]} instead of {list(shape.modules)}")
    if shape.workspace is not None and analysis.workspace_tool != shape.workspace:
        found.append(f"workspace {analysis.workspace_tool} instead of {shape.workspace}")
    for module in analysis.modules:
        for name, expected in shape.modules.get(module.path, {}).items():
            if said(module, name) not in (expected if isinstance(expected, list) else [expected]):
                found.append(f"{module.path}: {name} is {said(module, name)!r}, not {expected!r}")
    return found
