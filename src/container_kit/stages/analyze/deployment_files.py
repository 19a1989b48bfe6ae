"""Files that say how to build or run something: Dockerfile, compose, Kubernetes, Helm, Procfile, devcontainer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from container_kit.stages.analyze.discovery import NEVER_MODULES
from container_kit.stages.analyze.dockerfile_facts import DockerfileFacts, read_dockerfile
from container_kit.stages.analyze.services import kind_of_image
from container_kit.stages.analyze.tree import Tree, join
from container_kit.stages.artifacts.analysis import DeploymentFile

MAX_FILES = 200
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")
_DOCKERFILE = re.compile(r"(?:Dockerfile|Containerfile)(?:[.-][\w.-]+)?|[\w.-]+\.[Dd]ockerfile")
_MANIFEST_HOMES = re.compile(
    r"(?:^|/)(?:k8s|kubernetes|manifests|deploy|deployment|deployments|kube|kustomize|base|overlays)(?:/|$)"
)
_NAMED = {
    ".dockerignore": "dockerignore",
    "Procfile": "procfile",
    "devcontainer.json": "devcontainer",
    "Chart.yaml": "helm",
    ".devcontainer.json": "devcontainer",
    "kustomization.yaml": "kubernetes",
}

Kind = Literal["dockerfile", "dockerignore", "compose", "kubernetes", "helm", "procfile", "devcontainer"]


@dataclass(slots=True)
class BuildContext:
    """A folder that a compose service builds from, and what the service says of it."""

    path: str
    dockerfile: str
    port: tuple[int, str] | None = None
    """The container's side of the first published port, with its place."""
    variable: tuple[int, str] | None = None
    """The port that the service sets the variable `PORT` to."""
    command: tuple[str, str] | None = None
    services: list[tuple[str, str]] = field(default_factory=list)
    """Kinds of the services that start beside it, with their places."""


@dataclass(slots=True)
class Deployments:
    """All deployment files of a tree."""

    files: list[DeploymentFile] = field(default_factory=list)
    dockerfiles: dict[str, DockerfileFacts] = field(default_factory=dict)
    contexts: list[BuildContext] = field(default_factory=list)

    def context(self, path: str) -> BuildContext | None:
        """What compose files say of a folder."""
        return next((context for context in self.contexts if context.path == path), None)

    def dockerfile(self, folder: str) -> DockerfileFacts | None:
        """The Dockerfile of a folder: the plainly named one, or the one that a compose service names for it."""
        context = self.context(folder)
        paths = [join(folder, "Dockerfile"), context.dockerfile if context else "", join(folder, "Containerfile")]
        return next((self.dockerfiles[path] for path in paths if path in self.dockerfiles), None)


def read_deployments(tree: Tree) -> Deployments:
    """Find and read them, outermost first, none below tests or examples, at most `MAX_FILES`."""
    found = Deployments()
    for path, kind in list(_deployment_files(tree))[:MAX_FILES]:
        problems: tuple[str, ...] = ()
        if kind == "dockerfile":
            facts = read_dockerfile(path, tree.text(path) or "")
            found.dockerfiles[path] = facts
            problems = facts.problems
        elif kind == "compose":
            problems = _read_compose(tree, path, found)
        elif kind == "kubernetes":
            tree.yaml(path)  # a broken manifest is noted among the tree's problems
        if (problem := tree.problems.get(path)) is not None:
            problems = (f"line {problem.line or 1}: {problem.reason}",)
        found.files.append(DeploymentFile(path=path, kind=kind, problems=problems[:5]))
    return found


def _deployment_files(tree: Tree) -> Iterator[tuple[str, Kind]]:
    found = [(path, kind) for path, listing in tree.folders.items() for path, kind in _kinds(tree, path, listing.files)]
    return iter(sorted(found, key=lambda item: (item[0].count("/"), item[0])))


def _kinds(tree: Tree, folder: str, names: set[str]) -> Iterator[tuple[str, Kind]]:
    if folder and any(part.lower() in NEVER_MODULES and part != ".devcontainer" for part in folder.split("/")):
        return
    home = _MANIFEST_HOMES.search(folder) is not None
    for name in names:
        if kind := _NAMED.get(name):
            yield join(folder, name), kind  # type: ignore[misc] # the table's values are all kinds
        elif (
            "ocker" in name
            and _DOCKERFILE.fullmatch(name)
            and not name.endswith((".md", ".yml", ".yaml", ".dockerignore"))
        ) or name == "Containerfile":
            yield join(folder, name), "dockerfile"
        elif "compose" in name and _COMPOSE.fullmatch(name):
            yield join(folder, name), "compose"
        elif (
            home
            and name.endswith((".yaml", ".yml"))
            and "/templates" not in folder
            and _is_kubernetes(tree, join(folder, name))
        ):
            yield join(folder, name), "kubernetes"


def _is_kubernetes(tree: Tree, path: str) -> bool:
    start = tree.source(path)[:2000]
    return "apiVersion:" in start and "kind:" in start


def _read_compose(tree: Tree, path: str, found: Deployments) -> tuple[str, ...]:
    documents = tree.yaml(path)
    services = documents[0].get("services") if documents and isinstance(documents[0], dict) else None
    if services is None and documents and isinstance(documents[0], dict):
        services = {k: v for k, v in documents[0].items() if isinstance(v, dict) and ("image" in v or "build" in v)}
    if not isinstance(services, dict):
        return ("line 1: no services",) if documents or path not in tree.problems else ()
    text = tree.text(path) or ""
    problems: list[str] = []
    beside = _services_beside(path, text, services)
    for name, service in services.items():
        if isinstance(service, dict):
            problems.extend(_compose_problems(text, str(name), service))
            if "build" in service:
                _add_context(tree, path, text, str(name), service, beside, found)
    return tuple(problems)


def _services_beside(path: str, text: str, services: dict[str, Any]) -> list[tuple[str, str]]:
    images = [str(service.get("image", "")) for service in services.values() if isinstance(service, dict)]
    return [(kind, f"{path}:{_line(text, image)}") for image in images if image and (kind := kind_of_image(image))]


def _compose_problems(text: str, name: str, service: dict[str, Any]) -> Iterator[str]:
    image = str(service.get("image", ""))
    if image and "build" not in service and "$" not in image and "@" not in image:
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in {"", "latest"}:
            yield f"line {_line(text, image)}: image {image} of {name} is not pinned to a version"
    if service.get("privileged") is True:
        yield f"line {_line(text, 'privileged')}: {name} runs privileged"
    if any("docker.sock" in str(volume) for volume in service.get("volumes") or []):
        yield f"line {_line(text, 'docker.sock')}: {name} mounts the Docker socket"


def _add_context(
    tree: Tree,
    path: str,
    text: str,
    name: str,
    service: dict[str, Any],
    beside: list[tuple[str, str]],
    found: Deployments,
) -> None:
    build = service["build"]
    where = build.get("context", ".") if isinstance(build, dict) else build
    if not isinstance(where, str) or "://" in where or where.startswith("/"):
        return
    folder = _within(path.rpartition("/")[0], where)
    if folder is None or folder not in tree.folders:
        return
    named = build.get("dockerfile") if isinstance(build, dict) else None
    dockerfile = _within(folder, named if isinstance(named, str) else "Dockerfile") or ""
    inner = dockerfile.rpartition("/")[0]
    if inner != folder and inner.startswith(folder) and tree.folders.get(inner) and len(tree.folders[inner].files) > 2:
        folder = inner  # a context at the root with the Dockerfile beside the application
    at = _line(text, f"{name}:")
    context = BuildContext(folder, dockerfile, _published(text, path, service, at), services=beside)
    context.variable = _variable(service, f"{path}:{at}")
    command = service.get("command")
    if isinstance(command, list):
        command = " ".join(str(part) for part in command)
    if isinstance(command, str) and command:
        context.command = (command, f"{path}:{at}")
    known = found.context(folder)
    if known is None:
        found.contexts.append(context)
    elif known.port is None and context.port:
        known.port, known.command = context.port, context.command


def _variable(service: dict[str, Any], place: str) -> tuple[int, str] | None:
    """`PORT` among the variables of a service."""
    given = service.get("environment")
    pairs = given.items() if isinstance(given, dict) else [str(e).partition("=")[::2] for e in given or []]
    for name, value in pairs:
        text = re.sub(r"\$\{[^}]*?:?-(\d+)\}", r"\1", str(value)).strip("\"' ")
        if str(name).strip() in {"PORT", "SERVER_PORT", "APP_PORT"} and text.isdigit() and 0 < int(text) < 65536:
            return int(text), place
    return None


def _published(text: str, path: str, service: dict[str, Any], at: int) -> tuple[int, str] | None:
    for entry in [*(service.get("ports") or []), *(service.get("expose") or [])]:
        target = str(entry.get("target", "")) if isinstance(entry, dict) else str(entry)
        target = re.sub(r"\$\{[^}]*?:?-?(\d+)\}", r"\1", target).rpartition(":")[2].partition("/")[0]
        if target.isdigit() and 0 < int(target) < 65536:
            line = _line(text, str(entry) if not isinstance(entry, dict) else f"{target}", after=at)
            return int(target), f"{path}:{line}"
    return None


def _within(folder: str, relative: str) -> str | None:
    """A path from a folder of the tree, or None where it leads out."""
    parts = [part for part in folder.split("/") if part]
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _line(text: str, needle: str, after: int = 1) -> int:
    lines = text.splitlines()
    for number, line in enumerate(lines[after - 1 :], after):
        if needle in line:
            return number
    return after
