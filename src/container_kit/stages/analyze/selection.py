"""Select the modules among the described folders; the others are parts of modules."""

from __future__ import annotations

from container_kit.stages.analyze.assemble import DescribedModule
from container_kit.stages.analyze.discovery import Discovery
from container_kit.stages.analyze.evidence.code import is_test
from container_kit.stages.contract import expressions as re

_ASSET_FOLDERS = {
    "assets",
    "static",
    "resources",
    "theme",
    "themes",
    "webpack",
    "js",
    "public",
    "styles",
    "css",
    "email",
    "emails",
}
_DOCUMENTATION = {"docs", "doc", "documentation"}
_DEPLOYABLE = {"web", "worker", "static", "cli"}


def select(described: list[DescribedModule], discovery: Discovery) -> tuple[list[DescribedModule], tuple[str, ...]]:
    """Select the modules, deployable ones first, and name the libraries that only other modules use."""
    kept = [one for one in described if not _is_part(one, described, discovery)]
    helpers = [one for one in kept if _only_serves_others(one, kept)]
    deployable = [one for one in kept if role_of(one) in _DEPLOYABLE and one not in helpers]
    libraries = [one for one in kept if role_of(one) == "library" or one in helpers]
    published = [one for one in libraries if not deployable or _is_published(one, kept)]
    if not deployable:
        published = [one for one in published if one.folder.path not in discovery.workspaces] or published
    internal = tuple(one.folder.path for one in libraries if one not in published and one.folder.path)
    return deployable + published, internal


def role_of(one: DescribedModule) -> str:
    """Return the best role of a draft."""
    draft = one.draft
    said = draft.role.best
    guessed = one.candidate.bare and said is not None and said.provenance == "guess"
    role = None if said is None or (guessed and draft.start) else said.value
    if role in {None, "cli"} and (best := draft.port.best) and best.provenance != "framework":
        return "web"
    return role or ("cli" if draft.start else "library")


_OFFERED = ("exports", "main", "module", "types", "files", "bin", "dependencies", "peerDependencies")
_WATCHES = re.compile(
    r"\b(?:tsc|tsup|tsdown|rollup|unbuild|microbundle|esbuild|swc|babel|ng-packagr|prisma|storybook|chokidar)\b"
    r"|\bbuild\b.*--watch|--watch\b.*\bbuild\b"
)
"""Programs that recompile a package when it changes, and start nothing."""
_STARTS = ("start", "serve", "server", "dev", "preview", "prod")


def _only_serves_others(one: DescribedModule, kept: list[DescribedModule]) -> bool:
    """Return whether another package imports this one, and it starts nothing."""
    if one.draft.ecosystem == "dotnet" and one.draft.framework.value == "blazor":  # pages that a server delivers
        project = next(iter(one.folder.matching("*.csproj")), "").lower()
        return any(project in other.draft.tools and role_of(other) == "web" for other in kept)
    if one.draft.ecosystem != "node" or not one.candidate.member or one.folder.first("Dockerfile", "Procfile"):
        return False
    data = one.folder.json("package.json")
    scripts = data.get("scripts")
    starts = isinstance(scripts, dict) and any(
        name.partition(":")[0] in _STARTS and not _WATCHES.search(str(command)) for name, command in scripts.items()
    )
    name = one.draft.name.lower()
    used = any(name in other.draft.dependencies or name in other.draft.tools for other in kept if other is not one)
    return used and not starts and any(data.get(key) for key in _OFFERED[:5])


def _holds_nothing(one: DescribedModule, *, alone: bool) -> bool:
    """Return whether the root only has tools or tests: it starts nothing, exports nothing and has no sources."""
    if one.draft.ecosystem == "platform":
        return not one.draft.start and not alone
    data = one.folder.json("package.json") if one.draft.ecosystem == "node" else None
    idle = data and not alone and not any(data.get(key) for key in ("scripts", *_OFFERED[:6]))
    if not idle and (role_of(one) != "library" or one.draft.start or not one.ecosystem.sources):
        return False
    if data == {} or (alone and (data is None or any(data.get(key) for key in _OFFERED))):
        return False
    pages = (".html",) if idle else ()
    own = one.folder.files(*one.ecosystem.sources, *pages, limit=20, depth=8)
    return all(is_test(path) or ".config." in path or "templates" in path.split("/") for path in own)


def _is_part(one: DescribedModule, described: list[DescribedModule], discovery: Discovery) -> bool:
    """Return whether a folder is not a module: a workspace root without an application, assets, or a stray manifest."""
    path = one.folder.path
    if path in discovery.workspaces and len(described) > 1:
        return not _is_application(one)
    if not path:
        return _holds_nothing(one, alone=len(described) == 1)
    if one.candidate.member:
        return False
    role = role_of(one)
    if path.rpartition("/")[2] in _DOCUMENTATION and (role != "static" or not one.draft.framework):
        return True
    above = [
        other
        for other in described
        if other is not one and path.startswith(f"{other.folder.path}/" if other.folder.path else "")
    ]
    if not above:
        return role == "library" and not one.folder.files(*one.ecosystem.sources, limit=1)
    return _belongs_to(one, max(above, key=lambda other: len(other.folder.path)))


def _belongs_to(one: DescribedModule, nearest: DescribedModule) -> bool:
    """Return whether a folder inside another module is a part of it."""
    path, role = one.folder.path, role_of(one)
    if one.draft.ecosystem == "node" and nearest.draft.ecosystem != "node":
        inner = path[len(nearest.folder.path) :].strip("/").split("/")
        if any(part in _ASSET_FOLDERS for part in inner) and (role != "web" or not one.draft.framework):
            return True
    if one.folder.first("Dockerfile", "Procfile"):
        return False
    if one.draft.ecosystem == "php" == nearest.draft.ecosystem:
        return not one.folder.first("artisan", "public/index.php")
    if one.draft.ecosystem == "c-family" == nearest.draft.ecosystem:
        return True
    same = nearest.draft.ecosystem == one.draft.ecosystem and one.draft.ecosystem == "python"
    if same and not set(one.draft.manifests) - {"setup.py"} and nearest.draft.manifests:
        return True
    return role in {"library", "cli"}


def _is_application(one: DescribedModule) -> bool:
    """Return whether the root of a workspace is an application, not only a place for scripts."""
    if one.draft.ecosystem != "node":
        own = one.folder.files(*one.ecosystem.sources, limit=1, depth=14) if one.ecosystem.sources else []
        return role_of(one) in _DEPLOYABLE and bool(one.draft.start) and bool(own)
    entry = one.draft.entrypoint.value
    built = one.folder.has("index.html") or any(
        one.folder.has_folder(name) for name in ("src", "app", "pages", "routes", "public")
    )
    return (bool(one.draft.framework) and built) or (entry is not None and bool(one.draft.program))


def _is_published(one: DescribedModule, kept: list[DescribedModule]) -> bool:
    """Return whether a library is published: its manifest declares it, and no other module uses it."""
    if one.draft.ecosystem != "node" or one.draft.private:
        return False
    data = one.folder.json("package.json")
    if one.candidate.member and not (data.get("files") or data.get("publishConfig")):
        return False
    name = one.draft.name.lower()
    return not any(name in other.draft.dependencies or name in other.draft.tools for other in kept if other is not one)
