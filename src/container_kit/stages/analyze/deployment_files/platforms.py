"""Files of hosting platforms that list services by folder, such as Render and App Platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from container_kit.stages.analyze.discovery import NEVER_MODULES
from container_kit.stages.artifacts.analysis import Role
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import read_dockerfile
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree, join, within
from container_kit.stages.formats.dockerfile import is_dockerfile_name

_ROLES: dict[str, Role] = {"web": "web", "worker": "worker", "static": "static"}
_WEB = re.compile(r"^web:\s*(\S.*)$", re.MULTILINE)
_MOVED = re.compile(r"cd\s+([\w.][\w./-]*)\s*&&\s*(\S.*)")
"""A command line that begins with a change of folder."""
_ORDER = ("web", "private", "worker", "static")
"""The order in which a service represents its folder; scheduled jobs never do."""


@dataclass(slots=True)
class Blueprint:
    """One service of a platform file."""

    name: str
    kind: str
    root: str = "."
    """The folder of the service, first relative to the file's folder, then to the root of the tree."""
    start: str | None = None
    build: str | None = None
    health: str | None = None
    output: str | None = None
    port: int | None = None
    dockerfile: str | None = None
    """The Dockerfile of its image, relative as `root` is; None if the platform builds the image."""
    place: str = ""


def read_blueprints(tree: ModuleTree) -> list[Blueprint]:
    """Return the services of all platform files. Within a file, web services come first."""
    found: list[Blueprint] = []
    outer = {name.partition("/")[0] for name in (*_FORMATS, "Procfile")}
    for folder, listing in tree.folders.items():
        if outer.isdisjoint(listing.files) and outer.isdisjoint(listing.folders):
            continue
        if "Procfile" in listing.files and (web := _WEB.search(tree.text(join(folder, "Procfile")) or "")):
            moved = Blueprint("web:", "web", start=web[1].strip())
            if _move(tree, folder, moved):
                moved.place = f"{join(folder, 'Procfile')}:1"
                found.append(moved)
        for name, read in _FORMATS.items():
            path = join(folder, name)
            known = name in listing.files or ("/" in name and tree.exists(path))
            if known and not any(part.lower() in NEVER_MODULES for part in folder.split("/")):
                found.extend(_placed(tree, folder, path, read))
    return found


def goes_elsewhere(tree: ModuleTree, folder: str, command: str) -> bool:
    """Return whether a command line starts a program in another folder of the tree."""
    return _move(tree, folder, Blueprint("", "", start=command))


def _move(tree: ModuleTree, home: str, service: Blueprint) -> bool:
    """Move a service to the folder that its command changes to, and return whether it does."""
    moved = _MOVED.fullmatch(service.start or "")
    root = within(home, moved[1]) if moved else None
    if moved is None or root is None or root == home or root not in tree.folders:
        return False
    built = _MOVED.fullmatch(service.build or "")
    service.root, service.start = root, moved[2]
    service.build = built[2] if built and within(home, built[1]) == root else None
    return True


def claim_blueprint(blueprint: Blueprint, draft: ModuleDraft) -> None:
    """Claim the settings of the platform; those of a Procfile take precedence."""
    place = blueprint.place
    draft.role.add(_ROLES.get(blueprint.kind), "configuration", place, confidence=0.9)
    draft.health.add(blueprint.health, "configuration", place)
    draft.port.add(blueprint.port, "configuration", place, confidence=0.932)
    if blueprint.dockerfile is None:
        draft.start.add(blueprint.start, "declared", place, confidence=0.955)
        draft.build.add(blueprint.build, "declared", place, confidence=0.955)
        draft.output.add(blueprint.output, "configuration", place)


def _placed(
    tree: ModuleTree, folder: str, path: str, read: Callable[[dict[str, Any]], Iterator[Blueprint]]
) -> list[Blueprint]:
    data = tree.json(path) if path.endswith(".json") else next(iter(tree.yaml(path)), None)
    lines = (tree.text(path) or "").splitlines()
    found = []
    for service in read(data) if isinstance(data, dict) else ():
        root = within(folder, service.root)
        if service.kind not in _ORDER or root is None or root not in tree.folders:
            continue
        line = next((n for n, text in enumerate(lines, 1) if service.name and service.name in text), 1)
        service.dockerfile = within(root, service.dockerfile) if service.dockerfile else None
        service.place = f"{path}:{line}"
        if service.dockerfile or not _move(tree, root, service):
            service.root = root
        found.append(service)
    return sorted(found, key=lambda service: _ORDER.index(service.kind))


def _render(data: dict[str, Any]) -> Iterator[Blueprint]:
    groups = [data]
    for project in _mappings(data, "projects"):
        groups.extend(_mappings(project, "environments"))
    for service in (service for group in groups for service in _mappings(group, "services")):
        runtime = _text(service, "runtime") or _text(service, "env")
        kind = "static" if runtime == "static" else _text(service, "type") or ""
        yield Blueprint(
            _text(service, "name") or "",
            "private" if kind == "pserv" else kind,
            _text(service, "rootDir") or ".",
            _text(service, "startCommand"),
            _text(service, "buildCommand"),
            _text(service, "healthCheckPath"),
            _text(service, "staticPublishPath"),
            next((_number(v.get("value")) for v in _mappings(service, "envVars") if v.get("key") == "PORT"), None),
            (_text(service, "dockerfilePath") or "Dockerfile") if runtime == "docker" else None,
        )


def _app_platform(data: dict[str, Any]) -> Iterator[Blueprint]:
    spec = data["spec"] if isinstance(data.get("spec"), dict) else data
    for section, kind in (("services", "web"), ("workers", "worker"), ("static_sites", "static")):
        for service in _mappings(spec, section):
            yield Blueprint(
                _text(service, "name") or "",
                kind,
                (_text(service, "source_dir") or ".").strip("/") or ".",
                _text(service, "run_command"),
                _text(service, "build_command"),
                _text(service.get("health_check"), "http_path"),
                _text(service, "output_dir"),
                _number(service.get("http_port")),
                _text(service, "dockerfile_path"),
            )


def _vercel(data: dict[str, Any]) -> Iterator[Blueprint]:
    services = data.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        entry = _text(service, "entrypoint") or ""
        if root := _text(service, "root"):
            yield Blueprint(
                name, "private", root, dockerfile=entry if is_dockerfile_name(entry.rpartition("/")[2]) else None
            )


def _app_runner(data: dict[str, Any]) -> Iterator[Blueprint]:
    run = data.get("run")
    network = run.get("network") if isinstance(run, dict) else None
    port = _number(network.get("port")) if isinstance(network, dict) else None
    yield Blueprint("run:", "web", start=_text(run, "command"), port=port)


def _captain(data: dict[str, Any]) -> Iterator[Blueprint]:
    lines = data.get("dockerfileLines")
    if path := _text(data, "dockerfilePath"):
        yield Blueprint("dockerfilePath", "web", dockerfile=path)
    elif isinstance(lines, list):
        facts = read_dockerfile("captain-definition", "\n".join(str(line) for line in lines))
        port = facts.variable or facts.port
        yield Blueprint("dockerfileLines", "web", start=(facts.command or (None,))[0], port=port[0] if port else None)


def _kamal(data: dict[str, Any]) -> Iterator[Blueprint]:
    proxy = data.get("proxy")
    if "servers" in data and isinstance(proxy, dict):
        yield Blueprint("app_port", "web", port=_number(proxy.get("app_port")), dockerfile="Dockerfile")


_FORMATS: dict[str, Callable[[dict[str, Any]], Iterator[Blueprint]]] = {
    "render.yaml": _render,
    "render.yml": _render,
    ".do/app.yaml": _app_platform,
    ".do/deploy.template.yaml": _app_platform,
    "vercel.json": _vercel,
    "apprunner.yaml": _app_runner,
    "captain-definition": _captain,
    "config/deploy.yml": _kamal,
}


def _mappings(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = data.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(data: Any, key: str) -> str | None:
    value = data.get(key) if isinstance(data, dict) else None
    return value.strip() or None if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdigit() and 0 < int(text[:6]) < 65536 else None
