"""Whether a lock file agrees with the manifest that it was made from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.python.packaging import normal


def is_stale(app: App, lock: str) -> bool:
    """Return whether the lock file of a name next to the manifest is older than what the manifest asks for."""
    text = app.tree.text(app.inside(lock))
    if text is None:
        return False
    data = app.tree.toml(app.inside("pyproject.toml"))
    match lock:
        case "poetry.lock":
            return _poetry(data, app.tree.toml(app.inside(lock)))
        case "uv.lock":
            return _uv(data, app.tree.toml(app.inside(lock)))
        case "Pipfile.lock":
            return bool(_table(app.tree.toml(app.inside("Pipfile")), "packages").keys() - _pipfile_names(text))
        case _:
            locked = {normal(str(package.get("name"))) for package in _packages(app.tree.toml(app.inside(lock)))}
            return bool(_declared(data).keys() - locked)


def _table(data: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _packages(lock: dict[str, Any]) -> list[dict[str, Any]]:
    packages = lock.get("package")
    return [package for package in packages if isinstance(package, dict)] if isinstance(packages, list) else []


def _pipfile_names(text: str) -> set[str]:
    try:
        names = set(_table(json.loads(text), "default"))
    except ValueError:
        return set()
    return names | {name.replace("-", "_") for name in names} | {name.title() for name in names}


def _declared(data: dict[str, Any]) -> dict[str, str]:
    """Return the requirements of `[project]`: normal names with their specifiers."""
    found: dict[str, str] = {}
    listed = _table(data, "project").get("dependencies")
    for text in listed if isinstance(listed, list) else []:
        try:
            requirement = Requirement(str(text))
        except InvalidRequirement:
            continue
        found[normal(requirement.name)] = str(requirement.specifier)
    return found


def _uv(data: dict[str, Any], lock: dict[str, Any]) -> bool:
    """Compare the requirements and the range of Python versions that uv noted in its lock file."""
    name = normal(str(_table(data, "project").get("name", "")))
    own = next((package for package in _packages(lock) if normal(str(package.get("name", ""))) == name), None)
    if own is None:
        return bool(lock)
    noted = _table(own, "metadata").get("requires-dist")
    locked = {
        normal(str(entry.get("name"))): str(entry.get("specifier", ""))
        for entry in (noted if isinstance(noted, list) else [])
        if isinstance(entry, dict) and "extra ==" not in str(entry.get("marker", ""))
    }
    declared = _declared(data)
    if declared.keys() != locked.keys():
        return True
    python = _table(data, "project").get("requires-python")
    pairs = [(declared[key], locked[key]) for key in declared if locked[key] or not declared[key]]
    return any(
        not _equal(*pair) for pair in (*pairs, (str(python or ""), str(lock.get("requires-python", python) or "")))
    )


def _equal(one: str, other: str) -> bool:
    try:
        return SpecifierSet(one) == SpecifierSet(other)
    except InvalidSpecifier:
        return re.sub(r"\s", "", one) == re.sub(r"\s", "", other)


_LEGACY = ("dependencies", "source", "extras", "dev-dependencies")


def _poetry(data: dict[str, Any], lock: dict[str, Any]) -> bool:
    """Compare the checksum of the manifest that Poetry noted; Poetry 1 and 2 compute it in different ways."""
    noted = _table(lock, "metadata").get("content-hash")
    return isinstance(noted, str) and noted not in {_poetry_hash(data, groups=groups) for groups in (True, False)}


def _poetry_hash(data: dict[str, Any], *, groups: bool) -> str:
    project, poetry = _table(data, "project"), _table(data, "tool", "poetry")
    keys = ("requires-python", "dependencies", "optional-dependencies")
    relevant_project = {key: project[key] for key in keys if project.get(key) is not None}
    dependency_groups = _table(data, "dependency-groups") if groups else {}
    modern = bool(relevant_project or dependency_groups)
    relevant: dict[str, Any] = {
        key: poetry.get(key)
        for key in (*_LEGACY, "group")
        if poetry.get(key) is not None or (key in _LEGACY and not modern)
    }
    if modern:
        tool = {"tool": {"poetry": relevant}}
        relevant = {**({"project": relevant_project} if relevant_project else {}), **tool}
        if dependency_groups:
            relevant["dependency-groups"] = dependency_groups
    return hashlib.sha256(json.dumps(relevant, sort_keys=True, default=str).encode()).hexdigest()
