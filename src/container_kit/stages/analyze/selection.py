"""Selection: which of the described folders are modules, and which are parts of others."""

from __future__ import annotations

from container_kit.stages.analyze.assemble import Described
from container_kit.stages.analyze.discovery import Discovery

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


def select(described: list[Described], discovery: Discovery) -> tuple[list[Described], tuple[str, ...]]:
    """Choose the modules, the deployable ones first, and name the libraries that only serve other modules."""
    kept = [one for one in described if not _is_part(one, described, discovery)]
    deployable = [one for one in kept if role_of(one) in _DEPLOYABLE]
    libraries = [one for one in kept if role_of(one) == "library"]
    published = [one for one in libraries if not deployable or _is_published(one, kept)]
    if not deployable:
        published = [one for one in published if one.folder.path not in discovery.workspaces] or published
    internal = tuple(one.folder.path for one in libraries if one not in published and one.folder.path)
    return deployable + published, internal


def role_of(one: Described) -> str:
    """The role as far as it is known before a module is settled."""
    draft = one.draft
    if draft.role.value in {None, "cli"} and (best := draft.port.best) and best.known_by != "framework":
        return "web"
    return draft.role.value or ("cli" if draft.start else "library")


def _is_part(one: Described, described: list[Described], discovery: Discovery) -> bool:
    """Tell whether a folder is not a module: a workspace's root that is no application, assets, or a stray manifest."""
    path = one.folder.path
    if path in discovery.workspaces and len(described) > 1:
        return not _is_application(one)
    if not path or one.candidate.member:
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


def _belongs_to(one: Described, nearest: Described) -> bool:
    """Tell whether a folder inside another module is a part of it."""
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


def _is_application(one: Described) -> bool:
    """Tell whether a workspace's root is an application itself, not only the place of its scripts."""
    if one.draft.ecosystem != "node":
        own = one.folder.files(*one.ecosystem.sources, limit=1, depth=14) if one.ecosystem.sources else []
        return role_of(one) in _DEPLOYABLE and bool(one.draft.start) and bool(own)
    entry = one.draft.entrypoint.value
    built = one.folder.has("index.html") or any(
        one.folder.has_folder(name) for name in ("src", "app", "pages", "routes", "public")
    )
    return (bool(one.draft.framework) and built) or (entry is not None and bool(one.draft.program))


def _is_published(one: Described, kept: list[Described]) -> bool:
    """Tell whether a library beside applications is published on its own: it says so, and no other module uses it."""
    if one.draft.ecosystem != "node" or one.draft.private:
        return False
    data = one.folder.json("package.json")
    if one.candidate.member and not (data.get("files") or data.get("publishConfig")):
        return False
    name = one.draft.name.lower()
    return not any(name in other.draft.dependencies or name in other.draft.tools for other in kept if other is not one)
