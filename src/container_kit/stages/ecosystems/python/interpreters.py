"""Which versions of Python the pinned dependencies of a project work with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.version_ranges import exact, preferred
from container_kit.stages.ecosystems.python.packaging import normal
from container_kit.stages.ecosystems.python.requirements import requirements, with_included

_MINORS = ("3.11", "3.12", "3.13", "3.14")
_FIRST: dict[str, tuple[str, str, str, str]] = {
    "aiohttp": ("3.8.3", "3.9", "3.10.6", "3.12.15"),
    "asyncpg": ("0.27", "0.29", "0.30", "0.31"),
    "bottle": ("0", "0", "0.13", "0.13"),
    "cffi": ("1.15.1", "1.16", "1.17.1", "2"),
    "django": ("3.0", "4.0", "4.2", "4.2.24"),
    "flask": ("0", "0", "0", "2.3"),
    "gevent": ("22.10", "23.9", "24.10", "25.8"),
    "greenlet": ("2.0", "3.0", "3.1", "3.2.4"),
    "grpcio": ("1.49.1", "1.59", "1.66.2", "1.75"),
    "h5py": ("3.8", "3.10", "3.12", "3.15"),
    "httptools": ("0.5", "0.6", "0.6.2", "0.7"),
    "llvmlite": ("0.40", "0.42", "0.44", "0.46"),
    "lxml": ("4.9.2", "4.9.3", "5.3", "6.0"),
    "matplotlib": ("3.6", "3.8", "3.9.2", "3.10.5"),
    "msgpack": ("1.0.4", "1.0.6", "1.1", "1.1.1"),
    "multidict": ("6.0.3", "6.0.5", "6.1", "6.6"),
    "numba": ("0.57", "0.59", "0.61", "0.63"),
    "numpy": ("1.23.2", "1.26", "2.1", "2.3.2"),
    "orjson": ("3.8", "3.9.3", "3.10.7", "3.11.3"),
    "pandas": ("1.5.1", "2.1.1", "2.2.3", "2.3.3"),
    "pillow": ("9.3", "10.1", "11", "12"),
    "psycopg2-binary": ("2.9.5", "2.9.8", "2.9.10", "2.9.11"),
    "pyarrow": ("10", "14", "18", "22"),
    "pydantic": ("1.10.2", "1.10.13", "1.10.19", "2.12"),
    "pydantic-core": ("0", "2.6", "2.20", "2.41"),
    "pyyaml": ("6.0", "6.0.1", "6.0.2", "6.0.3"),
    "regex": ("2022.7", "2023.8", "2024.9", "2025.9"),
    "scikit-learn": ("1.1.3", "1.3.1", "1.5.2", "1.7.2"),
    "scipy": ("1.9.2", "1.11.2", "1.14.1", "1.16.1"),
    "shapely": ("1.8.5", "2.0.2", "2.0.6", "2.1.2"),
    "sqlalchemy": ("1.4", "1.4", "2.0.31", "2.0.41"),
    "tensorflow": ("2.12", "2.16", "2.20", "99"),
    "tiktoken": ("0.1.2", "0.5.1", "0.8", "0.12"),
    "torch": ("2.0", "2.2", "2.5", "2.9"),
    "uvloop": ("0.17", "0.18", "0.21", "0.22"),
    "webob": ("0", "0", "1.8.9", "1.8.9"),
    "yarl": ("1.8.2", "1.9.3", "1.12", "1.20"),
}
"""The first version of a package that works with each of `_MINORS`: by its wheels, or by what it imports of Python.
Pydantic 2 and SQLAlchemy 1.4 are exceptions, below."""
_PINNED = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:===?|~=)\s*v?(\d+(?:\.\d+)*)", re.MULTILINE)
_LOCKED = re.compile(r"^name = \"([\w.-]+)\"\nversion = \"(\d+(?:\.\d+)*)", re.MULTILINE)


def interpreters(app: App, versions: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the versions of Python for a project, the best first, and why the first is the best.

    Versions that a pinned dependency does not work with come last. An exact version that no image may exist for is
    followed by the next later ones.
    """
    allowed = preferred(app.version, versions)
    because = f"the project asks for Python {app.version}" if app.version else "the default Python"
    if app.version and (only := exact(app.version, 2)) and tuple(allowed) == only:
        return (*allowed, *_later(only[0], versions)), because
    obstacles = {version: next(_obstacles(app, version), "") for version in allowed}
    if not obstacles[allowed[0]]:
        return tuple(allowed), because
    fitting = sorted((version for version in allowed if not obstacles[version]), key=_newest_first)
    others = [version for version in allowed if obstacles[version]]
    return (*fitting, *others), f"{because}; {obstacles[allowed[0]]}"


def _newest_first(version: str) -> int:
    return -int(version.partition(".")[2])


def _later(version: str, versions: Sequence[str]) -> tuple[str, ...]:
    minor = int(version.partition(".")[2] or 0)
    later = [other for other in versions if int(other.partition(".")[2]) > minor]
    return tuple(sorted(later, key=lambda other: int(other.partition(".")[2])))


def _obstacles(app: App, version: str) -> Iterator[str]:
    if _numbers(version) < _numbers(_MINORS[0]):
        return
    column = _MINORS.index(version) if version in _MINORS else -1
    for name, pinned in _pinned(app):
        first = _FIRST.get(name)
        needed = first[column] if first else "0"
        if name == "pydantic" and pinned.startswith("2."):
            needed = {"3.11": "2.0", "3.12": "2.0", "3.13": "2.8"}.get(version, "2.12")
        if name == "sqlalchemy" and pinned.startswith("1.4"):
            needed = "1.4"
        if _numbers(pinned) < _numbers(needed):
            yield f"{name} {pinned} does not work with Python {version}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _pinned(app: App) -> Iterator[tuple[str, str]]:
    """Yield the names and versions that requirements or a lock file pin."""
    file = requirements(app)
    for found in _PINNED.finditer(with_included(app, file) if file else ""):
        yield normal(found[1]), found[2]
    for path in app.manifests:
        if path.endswith((".lock",)) and not path.endswith("Pipfile.lock"):
            for found in _LOCKED.finditer(app.tree.text(path) or ""):
                yield normal(found[1]), found[2]
        elif path.endswith("Pipfile.lock"):
            yield from _of_pipfile(app.tree.text(path) or "")


def _of_pipfile(text: str) -> Iterator[tuple[str, str]]:
    try:
        default = json.loads(text).get("default", {})
    except (ValueError, AttributeError):
        return
    for name, entry in default.items() if isinstance(default, dict) else ():
        version = str(entry.get("version", "")).lstrip("=") if isinstance(entry, dict) else ""
        if re.fullmatch(r"\d+(?:\.\d+)*", version):
            yield normal(name), version
