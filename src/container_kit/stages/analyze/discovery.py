"""Find the folders that may be modules: by workspaces, manifests, build contexts and, last, plain source files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from container_kit.stages.docker.image_reference import short_name
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import read_dockerfile
from container_kit.stages.ecosystems.facets.detection.module_folder import NOT_THE_APPLICATION, Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree, join

MAX_DESCRIBED = 60
"""The modules that one call describes. More are counted; a call for their folder describes them."""

NEVER_MODULES = NOT_THE_APPLICATION | frozenset(
    [
        "dist",
        "build",
        "out",
        "target",
        "bin",
        "obj",
        "coverage",
        "public/build",
        ".git",
        "tools",
        "scripts",
        "script",
        "hack",
        "contrib",
        "ci",
        "tutorial",
        "tutorials",
        "playground",
        "playgrounds",
        "sandbox",
        "buildsrc",
        "src-tauri",
        "cypress",
        "docs-examples",
        "wp-content",
        "archetype-resources",
        "boilerplate",
        "skeleton",
        "scaffold",
        "scaffolds",
        "blueprints",
        "_templates",
        "patches",
        "perf",
        "smoke-tests",
        "__testfixtures__",
        "starters",
    ]
)
"""Names of folders, in lower case, that are never modules below the root."""
_NATIVE = ("android", "ios", "macos", "windows", "linux", "web")
_DEPLOYED_NAMES = ("apps", "app", "services", "service", "server", "backend", "api", "web", "frontend", "client", "cmd")


@dataclass(slots=True)
class Candidate:
    """A folder that may be a module, with the ecosystems of its files."""

    path: str
    ecosystems: list[Detector]
    member: bool = False
    """Whether a workspace or a compose file names it."""
    bare: bool = False


@dataclass(slots=True)
class Discovery:
    """The candidates, before they are described."""

    candidates: dict[str, Candidate] = field(default_factory=dict)
    workspace_tool: str | None = None
    workspaces: dict[str, str] = field(default_factory=dict)
    """The roots of workspaces, with their tool."""
    left_out: int = 0

    @property
    def folders(self) -> frozenset[str]:
        """The folders of all candidates."""
        return frozenset(self.candidates)


def discover(tree: ModuleTree, contexts: Iterable[str] = (), start: str = "") -> Discovery:
    """Find candidates at and below a folder.

    Args:
        tree: The tree.
        contexts: Folders that deployment files build from.
        start: The folder to begin at.
    """
    found = Discovery()
    _by_manifests(tree, found, start)
    _drop_templates(found, start)
    _by_workspaces(tree, found)
    for context in contexts:
        if context == start or context.startswith(f"{start}/" if start else ""):
            _by_context(tree, found, context)
    if start and start not in found.candidates and (naming := _member_above(tree, start)):
        found.candidates = {start: Candidate(start, [naming], member=True), **found.candidates}
    if start not in found.candidates and (
        bare := _bare_candidate(tree, start, found.folders, alone=not found.candidates)
    ):
        found.candidates = {start: bare, **found.candidates}
    _keep_likeliest(tree, found, start)
    return found


def _by_manifests(tree: ModuleTree, found: Discovery, start: str) -> None:
    exact: dict[str, list[Detector]] = {}
    suffixes: dict[str, list[Detector]] = {}
    for ecosystem in catalog().detectors:
        for name in ecosystem.manifests:
            (suffixes if name.startswith("*") else exact).setdefault(name.lstrip("*"), []).append(ecosystem)
    names, ends = exact.keys(), tuple(suffixes)
    for path, listing in _applications(tree, start):
        hits = [e for name in names & listing for e in exact[name] if not tree.ignored(join(path, name))]
        for name in listing:
            if name.endswith(ends):
                hits.extend(e for end in ends if name.endswith(end) for e in suffixes[end])
        if hits:
            unique = sorted({e.name: e for e in hits}.values(), key=lambda e: e.rank)
            found.candidates[path] = Candidate(path, unique)
    for path in [path for path in found.candidates if path != start and _is_django_inside(tree, path, found)]:
        del found.candidates[path]
    if start in found.candidates:
        _add_source_ecosystem(Folder(tree, start), found.candidates[start])


def _drop_templates(found: Discovery, start: str) -> None:
    """Remove templates that an application generates others from, unless the tree has nothing else."""
    inner = [path for path in found.candidates if "templates" in path[len(start) :].lower().split("/")]
    for path in inner if len(inner) < len(found.candidates) else ():
        del found.candidates[path]


def has_manifest(tree: ModuleTree, path: str) -> bool:
    """Return whether a folder has a manifest of an ecosystem."""
    listing = tree.folders.get(path)
    names = {name for ecosystem in catalog().detectors for name in ecosystem.manifests}
    ends = tuple(name.lstrip("*") for name in names if name.startswith("*"))
    return listing is not None and (bool(names & listing.files) or any(n.endswith(ends) for n in listing.files))


def _is_django_inside(tree: ModuleTree, path: str, found: Discovery) -> bool:
    """Return whether a folder has only `manage.py`, and the folder above declares its packages."""
    listing = tree.folders[path].files
    python = [e for e in found.candidates[path].ecosystems if e.name == "python"]
    if "manage.py" not in listing or not python or any(name in listing for name in python[0].manifests[:-1]):
        return False
    above = found.candidates.get(path.rpartition("/")[0])
    return above is not None and any(e.name == "python" for e in above.ecosystems)


def _add_source_ecosystem(folder: Folder, candidate: Candidate) -> None:
    """Add the ecosystem of other sources if `package.json` only declares tools."""
    if [e.name for e in candidate.ecosystems] == ["python"] and not folder.files(".py", limit=1):
        candidate.ecosystems.extend(e for e in catalog().detectors if e.name == "mkdocs" and folder.has("mkdocs.yml"))
    if [e.name for e in candidate.ecosystems] != ["node"]:
        return
    programs = [e for e in catalog().detectors if e.rank < _LAST_RESORT and e.name != "node"]
    if _holds_tools_only(folder) and (named := _named(folder, programs)):
        candidate.ecosystems.insert(0, named)
        return
    if folder.files(*candidate.ecosystems[0].sources, limit=1, depth=5):
        return
    for ecosystem in catalog().detectors:
        eligible = _has_known_sources(ecosystem) and ecosystem.name != "node" and _is_recognised(folder, ecosystem)
        if eligible and folder.files(*ecosystem.sources, limit=1, depth=4):
            candidate.ecosystems.insert(0, ecosystem)
            return


def _holds_tools_only(folder: Folder) -> bool:
    """Return whether a `package.json` has neither a start script nor runtime dependencies."""
    data = folder.json("package.json")
    scripts = data.get("scripts")
    return not data.get("dependencies") and not (isinstance(scripts, dict) and "start" in scripts)


def _applications(tree: ModuleTree, start: str) -> Iterable[tuple[str, set[str]]]:
    """Return the folders that may hold modules, with their files, the root first, without tests and examples."""
    pending = [start]
    while pending:
        path = pending.pop()
        listing = tree.folders.get(path)
        if listing is None:
            continue
        yield path, listing.files
        mobile = "pubspec.yaml" in listing.files or {"package.json", "app.json"} <= listing.files
        inner = [n for n in listing.folders if n[0] != "." and n.lower() not in NEVER_MODULES]
        inner = [n for n in inner if not (mobile and n in _NATIVE)]
        pending.extend(join(path, name) for name in reversed(inner))


def _by_workspaces(tree: ModuleTree, found: Discovery) -> None:
    for path, candidate in list(found.candidates.items()):
        if candidate.member:
            continue
        for ecosystem in candidate.ecosystems:
            tied = ecosystem.workspace(Folder(tree, path)) if ecosystem.workspace else None
            if tied is None:
                continue
            tool, members = tied
            found.workspaces[path] = tool
            found.workspace_tool = found.workspace_tool or tool
            for member in members:
                place = _normal(join(path, member))
                if ecosystem.members_by_manifest and place not in found.candidates and place in tree.folders:
                    found.candidates[place] = Candidate(place, [ecosystem])
                if place in found.candidates and place != path:
                    found.candidates[place].member = True


def _member_above(tree: ModuleTree, start: str) -> Detector | None:
    """Return the ecosystem whose workspace above a folder has it as a member."""
    above = start
    while above:
        above = above.rpartition("/")[0]
        for ecosystem in catalog().detectors:
            tied = (
                ecosystem.workspace(Folder(tree, above))
                if ecosystem.members_by_manifest and ecosystem.workspace
                else None
            )
            if tied and start in (_normal(join(above, member)) for member in tied[1]):
                return ecosystem
    return None


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return "/".join(parts)


def _by_context(tree: ModuleTree, found: Discovery, context: str) -> None:
    if context in found.candidates:
        found.candidates[context].member = True
        return
    prefix = f"{context}/" if context else ""
    inside = any(path.startswith(prefix) for path in found.candidates)
    if (
        context
        and not inside
        and context in tree.folders
        and (bare := _bare_candidate(tree, context, found.folders, alone=True))
    ):
        bare.member = True
        found.candidates[context] = bare


def _bare_candidate(tree: ModuleTree, path: str, inner: frozenset[str], *, alone: bool) -> Candidate | None:
    """Return a candidate for an application without a manifest. `alone` also accepts weaker evidence."""
    folder = Folder(tree, path, inner)
    programs = [ecosystem for ecosystem in catalog().detectors if ecosystem.rank < _LAST_RESORT]
    others = [ecosystem for ecosystem in catalog().detectors if ecosystem.rank >= _LAST_RESORT]
    found = _named(folder, programs)
    if found is None and alone:
        found = _most_sources(folder, programs) or _named(folder, others) or _by_pattern(folder, others)
        if found in others and _is_static_site_image(
            folder
        ):  # the pages are the application, not the scripts around them
            found = next((one for one in others if one.name in {"platform", "static"} and _named(folder, [one])), found)
        elif found is not None and found.name == "platform":  # scripts next to a Dockerfile are the application
            found = _by_pattern(folder, others) or found
    elif found is None and (found := _named(folder, others)) and found.name == "platform":
        found = _most_sources(folder, programs) or found
    return Candidate(path, [found], bare=True) if found else None


_SERVER_IMAGES = frozenset({"nginx", "httpd", "caddy"})
"""Images of web servers for static pages."""
_LAST_RESORT = 85
"""The rank from which files also occur with other ecosystems: shell scripts, pages, platform files."""


def _is_static_site_image(folder: Folder) -> bool:
    """Return whether the Dockerfile of a folder is based on a web server for static pages."""
    bases = read_dockerfile("Dockerfile", folder.text("Dockerfile")).bases
    return any(short_name(base) in _SERVER_IMAGES for base in bases)


def _named(folder: Folder, choices: Iterable[Detector]) -> Detector | None:
    """Return the first ecosystem with one of its usual entry files in the folder."""
    for ecosystem in choices:
        if any(folder.has(name) for name in ecosystem.entry_files if "*" not in name) and _is_recognised(
            folder, ecosystem
        ):
            return ecosystem
    return None


def _most_sources(folder: Folder, choices: Iterable[Detector]) -> Detector | None:
    """Return the ecosystem with the most source files; those directly in the folder count more."""
    weights: list[tuple[int, Detector]] = []
    for ecosystem in filter(_has_known_sources, choices):
        files = folder.files(*ecosystem.sources, limit=100, depth=5)
        weight = sum(3 if "/" not in path else 1 for path in files)
        if weight and _is_recognised(folder, ecosystem):
            weights.append((weight, ecosystem))
    return max(weights, key=lambda pair: pair[0])[1] if weights else None


def _by_pattern(folder: Folder, choices: Iterable[Detector]) -> Detector | None:
    for ecosystem in choices:
        if any(fnmatchcase(name, pattern) for pattern in ecosystem.entry_files for name in folder.names):
            return ecosystem
    return next((e for e in choices if e.name == "shell" and folder.files(*e.sources, limit=1, depth=3)), None)


def _has_known_sources(ecosystem: Detector) -> bool:
    return bool(ecosystem.sources) and bool(ecosystem.entry_files or ecosystem.language) and ecosystem.name != "static"


def _is_recognised(folder: Folder, ecosystem: Detector) -> bool:
    return ecosystem.recognises is None or ecosystem.recognises(folder)


def _keep_likeliest(tree: ModuleTree, found: Discovery, start: str) -> None:
    if len(found.candidates) <= MAX_DESCRIBED:
        return

    def likely(candidate: Candidate) -> tuple[bool, bool, bool, int, str]:
        listing = tree.folders[candidate.path].files
        named = any(part in _DEPLOYED_NAMES for part in candidate.path.split("/"))
        return (
            candidate.path != start,
            "Dockerfile" not in listing,
            not named,
            candidate.path.count("/"),
            candidate.path,
        )

    kept = sorted(found.candidates.values(), key=likely)[:MAX_DESCRIBED]
    paths = {candidate.path for candidate in kept}
    found.left_out = len(found.candidates) - len(kept)
    found.candidates = {path: c for path, c in found.candidates.items() if path in paths}
