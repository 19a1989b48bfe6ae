"""The version of pnpm and Yarn that a project uses: as it declares it, else the one that wrote its lock file."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred
from container_kit.stages.ecosystems.javascript.installation.install_root import dependencies, lock_text, root_file

PNPM = {"10": "10.34.8", "9": "9.15.9", "8": "8.15.9", "7": "7.33.7", "6": "6.35.1"}
"""The last version of each major; 10 is the first choice because later ones need Node.js 22."""
_YARN = ((9, "4.18.1"), (7, "4.9.4"), (0, "3.8.7"))
"""From the lowest version of lock files that a version of Yarn keeps as they are, the newest first."""
_PNPM_BY_LOCK = {"5.0": "5", "5.1": "5", "5.2": "5", "5.3": "6", "5.4": "7", "6.0": "8", "6.1": "8", "7.0": "9"}
_LOCK_VERSION = re.compile(r"^lockfileVersion: ['\"]?([\d.]+)", re.MULTILINE)
_YARN_METADATA = re.compile(r"^__metadata:\s*\n\s+version: ['\"]?(\d+)", re.MULTILINE)
_SETTING = re.compile(r"^([a-zA-Z]\w*):", re.MULTILINE)
"""A setting in `pnpm-workspace.yaml`, where pnpm reads settings since version 10."""


def declared_version(app: App, manager: str) -> str | None:
    """Return the version that `packageManager` pins for the install root or the module, without its checksum."""
    for path in (root_file(app, "package.json"), app.inside("package.json")):
        match = re.match(
            rf"{manager}@v?(\d+(?:\.\d+){{0,2}}[\w.-]*)", str(app.tree.json(path).get("packageManager", ""))
        )
        if match:
            return match[1]
    return None


def pnpm_version(app: App) -> tuple[str, str]:
    """Return the version of pnpm to install, and why."""
    if declared := declared_version(app, "pnpm"):
        return declared, "packageManager pins it"
    written = _LOCK_VERSION.search(lock_text(app, "pnpm-lock.yaml"))
    engines = dependencies(app.tree.json(root_file(app, "package.json")), "engines").get("pnpm")
    if written and written[1] in _PNPM_BY_LOCK:
        major = _PNPM_BY_LOCK[written[1]]
        return PNPM.get(major, PNPM["6"]), f"it reads lock files of version {written[1]}"
    if engines:
        major = preferred(engines, tuple(PNPM))[0]
        return PNPM.get(major, PNPM["10"]), f"engines asks for {engines}"
    if written and not _has_settings(app):
        # Version 10 builds no package that the project does not list, so that native modules would be missing.
        return PNPM["9"], f"it reads lock files of version {written[1]} and builds native packages"
    return PNPM["10"], "it reads the settings in pnpm-workspace.yaml" if written else "there is no lock file"


def _has_settings(app: App) -> bool:
    package = app.tree.json(root_file(app, "package.json")).get("pnpm")
    own = isinstance(package, dict) and bool({"onlyBuiltDependencies", "neverBuiltDependencies"} & package.keys())
    settings = set(_SETTING.findall(app.tree.text(root_file(app, "pnpm-workspace.yaml")) or ""))
    return own or bool(settings - {"packages", "catalog", "catalogs"})


def yarn_version(app: App) -> tuple[str, str] | None:
    """Return the version of Yarn 2 or later to install, and why; None for Yarn 1."""
    declared, lock = declared_version(app, "yarn"), lock_text(app, "yarn.lock")
    if declared:
        return None if re.match(r"1(?:\.|$)", declared) else (declared, "packageManager pins it")
    if written := _YARN_METADATA.search(lock):
        version = next(version for lowest, version in _YARN if int(written[1]) >= lowest)
        return version, f"it keeps lock files of version {written[1]}"
    is_modern = app.tree.exists(root_file(app, ".yarnrc.yml")) and "yarn lockfile v1" not in lock
    return (_YARN[0][1], ".yarnrc.yml configures it") if is_modern else None
