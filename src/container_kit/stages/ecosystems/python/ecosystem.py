"""Python: the declaration."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager, SiteBuild
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
    multiline,
)
from container_kit.stages.ecosystems.python import lockfiles, workspace
from container_kit.stages.ecosystems.python.detect import DETECTORS
from container_kit.stages.ecosystems.python.packaging import normal
from container_kit.stages.ecosystems.python.recipe import python, python_build
from container_kit.stages.ecosystems.python.recipe_conda import conda

_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "*requirements*.txt")


def _pyproject(run: str, each: str = "{name}") -> LockCommand:
    return LockCommand(("pyproject.toml",), run, each)


def _name_pattern(name: str) -> str:
    """PEP 503: runs of `-`, `_` and `.` are equal."""
    return "[-_.]+".join(re.escape(part) for part in re.split(r"[-_.]+", name) if part)


_PYPI = PackageRegistry(
    purl_type="pypi",
    osv="PyPI",
    version_scheme="PypiVersion",
    manifests=(
        "requirements*.txt",
        "requirements*.in",
        "*requirements.txt",
        "requirements/*.txt",
        "requirements/*.in",
        "pyproject.toml",
        "Pipfile",
        "setup.cfg",
        "setup.py",
    ),
    requirement=r"(?:^|[\"'])\s*{name}\s*(?:\[[^\]]*\]\s*)?(?:[<>=!~;@\"'(,]|#|$)",
    lock_files=(
        *(LockFile(name, lockfiles.requirements) for name in lockfiles.REQUIREMENTS),
        LockFile("poetry.lock", lockfiles.packages, _pyproject("poetry update")),
        LockFile("uv.lock", lockfiles.packages, _pyproject("uv lock", "--upgrade-package {name}")),
        LockFile("pdm.lock", lockfiles.packages, _pyproject("pdm update")),
        LockFile("pylock.toml", lockfiles.pylock),
        LockFile("pylock.*.toml", lockfiles.pylock),
        LockFile("Pipfile.lock", lockfiles.pipenv, LockCommand(("Pipfile",), "pipenv upgrade", "{name}")),
        LockFile("*.txt", update=LockCommand(("*.in",), "pip-compile", "--upgrade-package {name}")),
    ),
    lock_requirements=(
        LockRequirement("pyproject.toml", multiline(r"^dependencies\s*=\s*\[\s*(?:#[^\n]*\n\s*)*[\"']"), _LOCKS),
        LockRequirement(
            "pyproject.toml",
            multiline(
                r"^\[tool\.poetry\.(?:group\.[\w-]+\.)?dependencies\][ \t]*\n(?:python\s*=.*\n)?(?!python\s*=)[\w\"]"
            ),
            _LOCKS,
        ),
        LockRequirement("setup.py", re.compile(r"\binstall_requires\s*="), _LOCKS),
        LockRequirement("setup.cfg", multiline(r"^install_requires\s*="), _LOCKS),
        LockRequirement("Pipfile", multiline(r"^\[(?:dev-)?packages\][ \t]*\n\s*[\w\"]"), ("Pipfile.lock",)),
    ),
    normalize=normal,
    name_pattern=_name_pattern,
)

ECOSYSTEM = Ecosystem(
    "python",
    detectors=DETECTORS,
    languages=(Language("python", python, SiteBuild(python_build), images=("python",)),),
    managers=(
        PackageManager("uv", workspace.read),
        PackageManager("conda", recipe=conda),
    ),
    packages=_PYPI,
    unread_lock_files=("conda-lock.yml",),
    tool_folders=(
        ".venv",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".eggs",
    ),
    dependency_folders=(".tox", ".nox", ".venv", "__pycache__", "site-packages"),
)
