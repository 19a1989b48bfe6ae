"""Whether a lock file fits the manifests, and whether it was written for another platform than Linux.

The answers decide how packages are installed. A lock file counts as outdated only if the package manager would refuse
it. An unreadable part counts as fitting, so that the package manager decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.installation.install_root import (
    dependencies,
    lock_text,
    manifests,
    root_file,
)
from container_kit.stages.formats.documents import Malformed, parse_json

_INSTALLED = ("dependencies", "devDependencies", "optionalDependencies")
_PROTOCOL = re.compile(r"[a-z+]+:|[\w.-]+/[\w.-]+(?:#|$)")
_LINUX = re.compile(r"linux-(?:x64|arm64)(?:-gnu|-glibc)?$")


def outdated(app: App, lock: str) -> str | None:
    """Return the first dependency that a lock file does not have as the manifests ask for it; None if it fits.

    Args:
        app: The application.
        lock: The name of the lock file.
    """
    text = lock_text(app, lock)
    if not text:
        return None
    check = _CHECKS.get(lock)
    return next(check(app, text), None) if check else None


def _npm(app: App, text: str) -> Iterator[str]:
    packages = _json(text).get("packages")
    if not isinstance(packages, dict):
        return
    for folder, manifest in manifests(app).items():
        for name, requested in _requested(app, manifest).items():
            own = "" if folder == "." else f"{folder}/"
            entry = packages.get(f"{own}node_modules/{name}") or packages.get(f"node_modules/{name}")
            if not isinstance(entry, dict):
                yield f"{name} is missing"
            elif not _satisfies(entry, requested):
                yield f"{name} {entry.get('version')} does not satisfy {requested}"


def _requested(app: App, manifest: dict[str, Any]) -> dict[str, str]:
    """Return the dependencies to install, except for those whose version the root overrides."""
    root = app.tree.json(root_file(app, "package.json"))
    overriding = [root.get(key) for key in ("overrides", "resolutions") if isinstance(root.get(key), dict)]
    overridden = {str(name).rpartition("**/")[2] for table in overriding for name in table or ()}
    requested = dependencies(manifest, *_INSTALLED)
    return {name: version for name, version in requested.items() if name not in overridden}


def _satisfies(entry: dict[str, Any], requested: str) -> bool:
    """Return whether a locked package has a requested version; True if that cannot be decided."""
    version = entry.get("version")
    if entry.get("link") or not isinstance(version, str) or _PROTOCOL.match(requested):
        return True
    from univers.version_range import NpmVersionRange
    from univers.versions import SemverVersion

    try:
        return SemverVersion(version) in NpmVersionRange.from_native(requested)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - the library raises several for tags and unusual ranges
        return True


def _yarn(app: App, text: str) -> Iterator[str]:
    heads = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith((" ", "#"))]
    locked = {part.strip().strip('"') for head in heads for part in head.split(", ")}
    modern = "__metadata" in locked
    members = {str(manifest.get("name")) for manifest in manifests(app).values()}
    for manifest in manifests(app).values():
        for name, requested in _requested(app, manifest).items():
            if name in members or (modern and _PROTOCOL.match(requested)):
                continue
            if f"{name}@{'npm:' if modern else ''}{requested}" not in locked:
                yield f"{name}@{requested} is missing"


def _pnpm(app: App, text: str) -> Iterator[str]:
    import yaml

    head = re.split(r"^(?:packages|snapshots):", text, maxsplit=1, flags=re.MULTILINE)[0]
    try:
        document = yaml.safe_load(head)
    except (yaml.YAMLError, RecursionError, ValueError):
        return
    if not isinstance(document, dict):
        return
    importers = document.get("importers") or {".": document}
    overridden = {str(name).rpartition(">")[2] for name in document.get("overrides") or ()}
    for folder, manifest in manifests(app).items():
        importer = importers.get(folder)
        if not isinstance(importer, dict):
            if dependencies(manifest, *_INSTALLED):
                yield f"{folder} is missing"
            continue
        yield from _compare(_specifiers(importer), manifest, overridden)


def _specifiers(importer: dict[str, Any]) -> dict[str, str]:
    """Return the ranges that a lock file of pnpm repeats: in a separate table until version 5."""
    if isinstance(importer.get("specifiers"), dict):
        return {str(name): str(requested) for name, requested in importer["specifiers"].items()}
    return {
        str(name): str(entry.get("specifier"))
        for kind in _INSTALLED
        for name, entry in (importer.get(kind) or {}).items()
        if isinstance(entry, dict)
    }


def _bun(app: App, text: str) -> Iterator[str]:
    workspaces = _json(text).get("workspaces")
    if not isinstance(workspaces, dict):
        return
    for folder, manifest in manifests(app).items():
        locked = workspaces.get("" if folder == "." else folder)
        if isinstance(locked, dict):
            yield from _compare(dependencies(locked, *_INSTALLED), manifest, set())


def _compare(locked: dict[str, str], manifest: dict[str, Any], overridden: set[str]) -> Iterator[str]:
    requested = dependencies(manifest, *_INSTALLED)
    tolerated = overridden | dependencies(manifest, "peerDependencies").keys()
    for name in sorted((locked.keys() | requested.keys()) - tolerated):
        if locked.get(name) != requested.get(name):
            yield f"{name} {requested.get(name, 'is no longer a dependency')} is locked as {locked.get(name)}"


_CHECKS = {
    "package-lock.json": _npm,
    "npm-shrinkwrap.json": _npm,
    "yarn.lock": _yarn,
    "pnpm-lock.yaml": _pnpm,
    "bun.lock": _bun,
}


def missing_optional(app: App, lock: str) -> tuple[str, ...]:
    """Return the optional packages that a lock file of npm leaves out, those for Linux first.

    npm leaves them out if it could not get them, or if it wrote the file on another platform: npm/cli issue 4828.
    """
    packages = npm_packages(app, lock)
    locked = {path.rpartition("node_modules/")[2] for path in packages}
    optional = (name for entry in packages.values() for name in dependencies(entry, "optionalDependencies"))
    missing = dict.fromkeys(name for name in optional if name not in locked)
    return tuple(sorted(missing, key=lambda name: not is_for_linux(name)))


def is_for_linux(name: str) -> bool:
    """Return whether a package has the binaries of another for Linux with the GNU C library."""
    return _LINUX.search(name) is not None


def conflicting_peer(app: App, lock: str) -> str | None:
    """Return a direct dependency whose peer is locked in another version than it asks for; None without one.

    npm then refuses its own lock file, which somebody wrote with `--legacy-peer-deps`.
    """
    packages = npm_packages(app, lock)
    for name in dependencies(app.tree.json(root_file(app, "package.json")), *_INSTALLED):
        entry = packages.get(f"node_modules/{name}", {})
        optional = entry.get("peerDependenciesMeta")
        for peer, requested in dependencies(entry, "peerDependencies").items():
            other = packages.get(f"node_modules/{peer}", {})
            if isinstance(optional, dict) and peer in optional:
                continue
            if "-" not in str(other.get("version")) and not _satisfies(other, requested):
                return f"{name} asks for {peer} {requested}, and {other.get('version')} is locked"
    return None


def npm_packages(app: App, lock: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a lock file of npm by their paths; none of the first version, which has no paths."""
    packages = _json(lock_text(app, lock)).get("packages") if lock else None
    entries = packages.items() if isinstance(packages, dict) else ()
    return {path: entry for path, entry in entries if isinstance(entry, dict)}


def _json(text: str) -> dict[str, Any]:
    try:
        document = parse_json(text)
    except Malformed:
        return {}
    return document if isinstance(document, dict) else {}
