"""Compose files: the folders of services, with the ports, variables and commands of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.analyze.discovery import has_manifest
from container_kit.stages.analyze.evidence.services import kind_of_image
from container_kit.stages.contract import expressions as re
from container_kit.stages.docker.image_reference import is_pinned
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import DockerfileFacts, unwrapped
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree, within

_PORT_VARIABLES = {"PORT", "SERVER_PORT", "APP_PORT", "FLASK_RUN_PORT", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_URLS"}


@dataclass(slots=True)
class BuildContext:
    """A folder that a service is built from, and the settings of the service."""

    path: str
    dockerfile: str
    port: tuple[int, str] | None = None
    """The container port of the first published port, with its place."""
    variable: tuple[int, str] | None = None
    """The port in a variable of the service such as `PORT`."""
    command: tuple[str, str] | None = None
    services: list[tuple[str, str]] = field(default_factory=list)
    """The kinds of the other services in the file, with their places."""
    name: str = ""
    """The name of the service."""
    image: str = ""
    elsewhere: bool = False
    """Whether this file has neither a build context nor a mounted folder for it."""

    def follow(self, other: BuildContext) -> None:
        """Apply the settings of another service of the folder, or of the same service in an overriding file."""
        self.port, self.command = other.port or self.port, other.command or self.command
        self.variable = other.variable or self.variable


def read_compose(
    tree: ModuleTree, path: str, dockerfiles: Mapping[str, DockerfileFacts]
) -> tuple[list[BuildContext], list[str]]:
    """Return the services of a compose file with their folders, and the problems of the file."""
    services = _services(tree, path)
    if services is None:
        return [], ["line 1: no services"] if path not in tree.problems else []
    text = tree.text(path) or ""
    images = [str(service.get("image", "")) for service in services.values()]
    neighbours = [
        (kind, f"{path}:{_line(text, image)}") for image in images if image and (kind := kind_of_image(image))
    ]
    contexts: list[BuildContext] = []
    problems: list[str] = []
    for name, service in services.items():
        problems.extend(_problems(text, name, service))
        at = _line(text, f"{name}:")
        home = _home(tree, path, service, dockerfiles)
        context = BuildContext(*(home or ("", "")), _published(text, path, service, at), services=neighbours, name=name)
        context.variable = _variable(service, f"{path}:{at}")
        if command := _command(service):
            context.command = (command, f"{path}:{at}")
        context.image, context.elsewhere = str(service.get("image", "")), home is None
        contexts.append(context)
    return contexts, problems


def context_home(tree: ModuleTree, folder: str, dockerfile: str, facts: DockerfileFacts | None) -> str:
    """Return the folder of the application: the context, or the Dockerfile's folder if only that is copied."""
    inner = dockerfile.rpartition("/")[0]
    if inner == folder or not inner.startswith(f"{folder}/" if folder else "") or inner not in tree.folders:
        return folder
    if has_manifest(tree, inner):
        return inner
    own = inner[len(folder) :].strip("/")
    copies = [copy.removeprefix("./").rstrip("/") for copy in (facts.copies if facts else ())]
    only_own = any(copy == own or copy.startswith(f"{own}/") for copy in copies) and not {"", "*", "."} & set(copies)
    return inner if only_own else folder


def _services(tree: ModuleTree, path: str) -> dict[str, dict[str, Any]] | None:
    documents = tree.yaml(path)
    if not documents or not isinstance(documents[0], dict):
        return None
    services = documents[0].get("services")
    if services is None:  # the first version of the format
        services = {k: v for k, v in documents[0].items() if isinstance(v, dict) and ("image" in v or "build" in v)}
    return {str(k): v for k, v in services.items() if isinstance(v, dict)} if isinstance(services, dict) else None


def _problems(text: str, name: str, service: dict[str, Any]) -> Iterator[str]:
    image = str(service.get("image", ""))
    if image and "build" not in service and "$" not in image and not is_pinned(image):
        yield f"line {_line(text, image)}: image {image} of {name} is not pinned to a version"
    if service.get("privileged") is True:
        yield f"line {_line(text, 'privileged')}: {name} runs privileged"
    if any("docker.sock" in str(volume) for volume in _entries(service, "volumes")):
        yield f"line {_line(text, 'docker.sock')}: {name} mounts the Docker socket"


def _home(
    tree: ModuleTree, path: str, service: dict[str, Any], dockerfiles: Mapping[str, DockerfileFacts]
) -> tuple[str, str] | None:
    """Return the folder and the Dockerfile of a service, or the folder that is mounted over its image."""
    base = path.rpartition("/")[0]
    if "build" not in service:
        mounted = _mounted(tree, base, service)
        return (mounted, "") if mounted is not None else None
    build = service["build"]
    where = build.get("context", ".") if isinstance(build, dict) else build
    if not isinstance(where, str) or "://" in where or where.startswith("/"):
        return None
    folder = within(base, where)
    if folder is None or folder not in tree.folders:
        return None
    named = build.get("dockerfile") if isinstance(build, dict) else None
    dockerfile = within(folder, named if isinstance(named, str) else "Dockerfile") or ""
    return context_home(tree, folder, dockerfile, dockerfiles.get(dockerfile)), dockerfile


def _mounted(tree: ModuleTree, base: str, service: dict[str, Any]) -> str | None:
    """Return a folder with a manifest that is mounted into a service with a command."""
    if not service.get("command"):
        return None
    for volume in _entries(service, "volumes"):
        source = str(volume.get("source", "") if isinstance(volume, dict) else volume).partition(":")[0]
        source = re.sub(r"^\$\{?PWD\}?", ".", source)
        folder = within(base, source) if source.startswith(".") else None
        if folder is not None and folder in tree.folders and has_manifest(tree, folder):
            return folder
    return None


def _entries(service: dict[str, Any], key: str) -> list[Any]:
    """Return the list under `key`; an empty list for any other value."""
    found = service.get(key)
    return found if isinstance(found, list) else []


def _command(service: dict[str, Any]) -> str | None:
    command = service.get("command")
    if isinstance(command, list):
        return unwrapped(" ".join(str(part) for part in command))
    return unwrapped(command) if isinstance(command, str) and command else None


def _variable(service: dict[str, Any], place: str) -> tuple[int, str] | None:
    """Return the port in the variables of a service."""
    given = service.get("environment")
    pairs: Iterable[Any] = (
        given.items()
        if isinstance(given, dict)
        else [str(entry).partition("=")[::2] for entry in _entries(service, "environment")]
    )
    for name, value in pairs:
        text = re.sub(r"\$\{[^}]*?:?-(\d+)\}", r"\1", str(value)).strip("\"' ")
        text = re.sub(r"^http://[^:;/]*:(\d+).*$", r"\1", text)
        if str(name).strip() in _PORT_VARIABLES and text.isdigit() and 0 < int(text) < 65536:
            return int(text), place
    return None


def _published(text: str, path: str, service: dict[str, Any], at: int) -> tuple[int, str] | None:
    for entry in [*_entries(service, "ports"), *_entries(service, "expose")]:
        target = str(entry.get("target", "")) if isinstance(entry, dict) else str(entry)
        target = re.sub(r"\$\{[^}]*?:?-?(\d+)\}", r"\1", target).rpartition(":")[2].partition("/")[0]
        if target.isdigit() and 0 < int(target) < 65536:
            line = _line(text, str(entry) if not isinstance(entry, dict) else f"{target}", after=at)
            return int(target), f"{path}:{line}"
    return None


def _line(text: str, needle: str, after: int = 1) -> int:
    lines = text.splitlines()
    for number, line in enumerate(lines[after - 1 :], after):
        if needle in line:
            return number
    return after
