"""The version of Node.js that a project and the packages in its lock file accept."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.version_ranges import allows, preferred
from container_kit.stages.ecosystems.javascript.installation.install_root import (
    all_dependencies,
    dependencies,
    lock_text,
)
from container_kit.stages.ecosystems.javascript.installation.lock_state import npm_packages

_VERSIONS = ("24", "26", "22", "20", "18", "16")
_CODENAMES = {"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14",
    "gallium": "16", "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24"}  # fmt: skip
_PNPM_ENGINES = re.compile(r"^    engines: \{.*?\bnode: '?([^,}']+)", re.MULTILINE)

_LATEST_BY_MAJOR = {
    "node-sass": {4: 14, 5: 15, 6: 16, 7: 17, 8: 19, 9: 20},
    "@angular/cli": {11: 14, 12: 14, 13: 16, 14: 18, 15: 18, 16: 18, 17: 20, 18: 22, 19: 22},
}
"""The last Node.js that a major of a package runs on, as its documentation says: it refuses later ones, or is not
compiled for them."""


def node_versions(app: App) -> tuple[tuple[str, ...], str]:
    """Return the versions to choose from, the best first, and why that one is the best.

    A version that neither the project nor its packages exclude comes first. The others follow, the next higher first,
    for a host that has none of those that fit.
    """
    declared = _without_codename(app.version)
    fitting = preferred(declared, _VERSIONS)
    ranges = _package_ranges(app)
    best = sorted(fitting, key=lambda version: sum(not allows(accepted, version) for accepted in ranges))
    others = sorted(set(_VERSIONS) - set(fitting), key=lambda version: _distance(version, best[0]))
    if declared:
        return (*best, *others), f"the project asks for Node.js {app.version}"
    if best[0] != fitting[0]:
        return (*best, *others), "its packages do not accept a later Node.js"
    return (*best, *others), "the default Node.js, a long-term one"


def _without_codename(declared: str | None) -> str | None:
    match = re.fullmatch(r"lts/([a-z]+)", (declared or "").strip().lower())
    return _CODENAMES.get(match[1]) if match else declared


def _distance(version: str, wanted: str) -> tuple[bool, int]:
    """Order versions by their distance from another, higher ones first."""
    difference = int(version) - int(wanted) if wanted.isdigit() else -int(version)
    return difference < 0, abs(difference)


def _package_ranges(app: App) -> set[str]:
    """Return the versions of Node.js that the packages in the lock file accept."""
    found = {match.strip() for match in _PNPM_ENGINES.findall(lock_text(app, "pnpm-lock.yaml"))}
    for entry in npm_packages(app, "package-lock.json").values():
        engines = dependencies(entry, "engines").get("node")
        if engines and not entry.get("optional"):
            found.add(engines)
    for name, latest in _LATEST_BY_MAJOR.items():
        major = re.match(r"[\^~>=v\s]*(\d+)", all_dependencies(app).get(name, ""))
        if major and int(major[1]) in latest:
            found.add(f"<={latest[int(major[1])]}")
    return found
