"""The structure of the package: no import cycles, unique class names, folders of a readable size."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "container_kit"
SOURCE = Path(__file__).parent.parent / "src"
ROOT = SOURCE / PACKAGE
MOST_MODULES = 20
LARGE_FOLDERS = {"tools/builtin"}  # one file per tool

PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))

Graph = dict[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Return the files of all modules by their dotted names."""
    return {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(name: str, source: ast.Module, known: set[str]) -> set[str]:
    """Return the modules that a module imports, also within functions, but not only for type checkers.

    `from package import name` imports the module `package.name` if it exists, otherwise `package`.
    """
    found: set[str] = set()
    for node in runtime_nodes(source):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names}
    return (found & known) - {name}


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except those under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for other in child.orelse:
                yield from (other, *runtime_nodes(other))
        else:
            yield child
            yield from runtime_nodes(child)


def import_graph() -> Graph:
    known = set(modules())
    return {name: imports(name, tree(path), known) for name, path in modules().items()}


def cycles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components with more than one module, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []
    for root in graph:
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack.append(root)
        work = [(root, iter(sorted(graph[root])))]
        while work:
            module, children = work[-1]
            child = next(children, None)
            if child is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == order[module]:
                    component = stack[stack.index(module) :]
                    del stack[stack.index(module) :]
                    components += [sorted(component)] if len(component) > 1 else []
            elif child not in order:
                order[child] = low[child] = len(order)
                stack.append(child)
                work.append((child, iter(sorted(graph[child]))))
            elif child in stack:
                low[module] = min(low[module], order[child])
    return sorted(components)


def test_the_package_has_no_import_cycles_even_through_imports_in_functions() -> None:
    assert cycles(import_graph()) == []


def test_cycles_are_found_and_imports_for_type_checkers_do_not_count() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    text = (
        "from typing import TYPE_CHECKING\nimport k.a\nif TYPE_CHECKING:\n    import k.b\n"
        "def f():\n    from k import c, d\n    from k.e import thing\n"
    )
    known = {"k", "k.a", "k.b", "k.c", "k.e", "k.self"}
    assert imports("k.self", ast.parse(text), known) == {"k", "k.a", "k.c", "k.e"}


def test_public_class_names_are_unique_in_the_package() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, path in modules().items():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_folder_has_too_many_modules(folder: Path) -> None:
    if folder.relative_to(ROOT).as_posix() in LARGE_FOLDERS:
        return
    names = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(names) <= MOST_MODULES, names


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_every_package_has_a_docstring_that_names_only_existing_modules(folder: Path) -> None:
    text = ast.get_docstring(tree(folder / "__init__.py")) or ""
    assert text
    missing = [span for span in re.findall(r"`([a-z_][a-z_0-9.]*)`", text) if not names_something(folder, span)]
    assert missing == []


def names_something(folder: Path, span: str) -> bool:
    """Return whether a code span is a module near a folder, or a name in the folder's `__init__`."""
    path = span.removeprefix(f"{PACKAGE}.").replace(".", "/")
    for base in (folder, *folder.parents[: len(folder.relative_to(SOURCE).parts)]):
        if (base / path).is_dir() or (base / f"{path}.py").is_file():
            return True
    nodes = list(ast.walk(tree(folder / "__init__.py")))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return span in names
