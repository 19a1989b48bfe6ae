"""Find and read deployment files: Dockerfile, Compose, Kubernetes, Helm, Procfile and devcontainer files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from container_kit.stages.analyze.deployment_files.compose import BuildContext, context_home, read_compose
from container_kit.stages.analyze.deployment_files.kubernetes import read_workloads
from container_kit.stages.analyze.deployment_files.platforms import Blueprint, read_blueprints
from container_kit.stages.analyze.discovery import NEVER_MODULES, has_manifest
from container_kit.stages.analyze.evidence.services import kind_of_image
from container_kit.stages.artifacts.analysis import DeploymentFile
from container_kit.stages.contract import expressions as re
from container_kit.stages.docker.image_reference import short_name
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import DockerfileFacts, read_dockerfile
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import Listing, ModuleTree, join
from container_kit.stages.formats.dockerfile import is_dockerfile_name

MAX_FILES = 200
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")
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
_WORKLOAD = re.compile(r"(?:[\w.-]*-)?(?:k8s|kubernetes|deployment|service)\.ya?ml")
_RELEVANT = re.compile(r"docker|container|procfile|yaml$|yml$", re.MULTILINE | re.IGNORECASE)
"""A folder without a matching name has no deployment files."""

Kind = Literal["dockerfile", "dockerignore", "compose", "kubernetes", "helm", "procfile", "devcontainer"]


@dataclass(slots=True)
class Deployments:
    """All deployment files of a tree."""

    files: list[DeploymentFile] = field(default_factory=list)
    dockerfiles: dict[str, DockerfileFacts] = field(default_factory=dict)
    contexts: list[BuildContext] = field(default_factory=list)
    blueprints: list[Blueprint] = field(default_factory=list)
    running: dict[str, BuildContext] = field(default_factory=dict)
    """The services that run an existing image, by the last component of its name."""
    workloads: list[BuildContext] = field(default_factory=list)
    """The workloads of Kubernetes."""

    def context(self, path: str) -> BuildContext | None:
        """Return the service that is built from a folder, or that runs an image with the folder's name."""
        built = next((context for context in self.contexts if context.path == path), None)
        if built is None and not path and len({workload.name for workload in self.workloads}) == 1:
            return self.workloads[0]
        return built or (self.running.get(path.rpartition("/")[2]) if path else None)

    def add(self, context: BuildContext) -> BuildContext:
        """Add a context. The first of a folder counts; later ones fill in missing settings."""
        existing = next((other for other in self.contexts if other.path == context.path), None)
        if existing is None:
            self.contexts.append(context)
            return context
        if existing.port is None and context.port:
            existing.follow(context)
        return existing

    def blueprint(self, path: str) -> Blueprint | None:
        """Return the service of a platform file for a folder."""
        return next((blueprint for blueprint in self.blueprints if blueprint.root == path), None)

    def dockerfile(self, folder: str) -> DockerfileFacts | None:
        """Return the Dockerfile of a folder: `Dockerfile`, the one of its compose service, or one with a usual name."""
        context = self.context(folder)
        paths = [join(folder, "Dockerfile"), context.dockerfile if context else ""]
        paths.extend(join(folder, name) for name in _USUAL)
        return next((self.dockerfiles[path] for path in paths if path in self.dockerfiles), None)

    def homes(self, tree: ModuleTree) -> list[str]:
        """Return the folders that images of applications are built from, and the folders that a platform runs."""
        found = [c.path for c in self.contexts if has_manifest(tree, c.path) or not self._is_ready_made(tree, c.path)]
        found.extend(blueprint.root for blueprint in self.blueprints if blueprint.dockerfile is None)
        alone = [path.rpartition("/")[0] for path in self.dockerfiles if path.endswith("/Dockerfile")]
        found.extend(folder for folder in alone if self._builds_itself(tree, folder))
        return list(dict.fromkeys(found))

    def _is_ready_made(self, tree: ModuleTree, folder: str) -> bool:
        """Return whether an image is a database or a proxy with its configuration."""
        facts = self.dockerfile(folder)
        base = facts.base[0] if facts and facts.base else ""
        name = short_name(base)
        pages = name in _WEB_SERVERS and bool(Folder(tree, folder).files(".html", limit=1))
        return bool(folder) and (kind_of_image(base) is not None or (name in _READY_MADE and not pages))

    def _builds_itself(self, tree: ModuleTree, folder: str) -> bool:
        """Return whether the Dockerfile of a folder runs files that it copies from that folder."""
        facts = self.dockerfiles[join(folder, "Dockerfile")]
        if facts.command is None or _IMAGES_KEPT.search(folder.lower()) or self._is_ready_made(tree, folder):
            return False
        copies = [copy.removeprefix("./").rstrip("/") for copy in facts.copies]
        if any(f"{copy}/".startswith(f"{folder}/") for copy in copies):  # its context is an outer folder
            return False
        return any(join(folder, copy) in tree.folders for copy in copies if copy not in {"", "."}) or "." in copies


_USUAL = (
    "Containerfile",
    "dockerfile",
    "Dockerfile.prod",
    "Dockerfile.production",
    "prod.Dockerfile",
    "docker/Dockerfile",
    "docker/prod/Dockerfile",
    "docker/production/Dockerfile",
    ".docker/Dockerfile",
    "deploy/Dockerfile",
)
"""Other usual paths of the production Dockerfile."""

_WEB_SERVERS = frozenset(["nginx", "httpd", "caddy", "openresty", "nginx-unprivileged"])
_READY_MADE = _WEB_SERVERS | frozenset(
    ["traefik", "haproxy", "envoy", "grafana", "prometheus", "alertmanager", "jaeger", "zipkin", "kibana", "logstash"]
)
"""Images that need only a configuration."""
_IMAGES_KEPT = re.compile(r"(?:^|/)(?:\.\w+|docker\w*|images?|containers?|build|ci|deploy\w*|infra\w*|ops|base)(?:/|$)")
"""Folders with Dockerfiles for applications in other folders."""


def read_deployments(tree: ModuleTree) -> Deployments:
    """Find and read at most `MAX_FILES` deployment files, outermost first, without tests and examples."""
    found = Deployments()
    paths = list(_deployment_files(tree))[:MAX_FILES]
    for path, kind in paths:
        if kind == "dockerfile":
            found.dockerfiles[path] = read_dockerfile(path, tree.text(path) or "")
    compose_problems = _read_composes(tree, [path for path, kind in paths if kind == "compose"], found)
    for path, kind in paths:
        if kind == "kubernetes":
            found.workloads.extend(w for w in read_workloads(tree, path) if w.name not in _READY_MADE)
        problems = found.dockerfiles[path].problems if kind == "dockerfile" else compose_problems.get(path, ())
        if (problem := tree.problems.get(path)) is not None:
            problems = (f"line {problem.line or 1}: {problem.reason}",)
        found.files.append(DeploymentFile(path=path, kind=kind, problems=problems[:5]))
    for workload in found.workloads:
        found.running.setdefault(workload.name, workload)
    _read_blueprints(tree, found)
    return found


def _read_composes(tree: ModuleTree, paths: list[str], found: Deployments) -> dict[str, tuple[str, ...]]:
    """Read the compose files, overriding files last, and return the problems of each."""
    problems: dict[str, tuple[str, ...]] = {}
    by_service: dict[tuple[str, str], BuildContext] = {}
    for path in sorted(paths, key=lambda path: "override" in path):
        contexts, reported = read_compose(tree, path, found.dockerfiles)
        problems[path] = tuple(reported)
        folder = path.rpartition("/")[0]
        for context in contexts:
            before = by_service.get((folder, context.name))
            if before is not None and "override" in path:
                before.follow(context)
            elif not context.elsewhere:
                by_service[folder, context.name] = found.add(context)
            elif context.image and kind_of_image(context.image) is None:
                found.running.setdefault(short_name(context.image), context)
    return problems


def _read_blueprints(tree: ModuleTree, found: Deployments) -> None:
    found.blueprints.extend(read_blueprints(tree))
    for blueprint in found.blueprints:
        if blueprint.dockerfile is not None:
            home = context_home(tree, blueprint.root, blueprint.dockerfile, found.dockerfiles.get(blueprint.dockerfile))
            found.add(
                BuildContext(
                    home, blueprint.dockerfile, variable=(blueprint.port, blueprint.place) if blueprint.port else None
                )
            )


def _deployment_files(tree: ModuleTree) -> Iterator[tuple[str, Kind]]:
    found = [(path, kind) for path, listing in tree.folders.items() for path, kind in _kinds(tree, path, listing)]
    return iter(sorted(found, key=lambda item: (item[0].count("/"), item[0])))


def _kinds(tree: ModuleTree, folder: str, listing: Listing) -> Iterator[tuple[str, Kind]]:
    home = _MANIFEST_HOMES.search(folder) is not None
    if not home and not _RELEVANT.search(listing.text):
        return
    if any(part.lower() in NEVER_MODULES and part != ".devcontainer" for part in folder.split("/")):
        return
    for name in listing.files:
        if kind := _NAMED.get(name):
            yield join(folder, name), kind  # type: ignore[misc] # each value of the table is a kind
        elif is_dockerfile_name(name):
            yield join(folder, name), "dockerfile"
        elif "compose" in name and _COMPOSE.fullmatch(name):
            yield join(folder, name), "compose"
        elif (
            (home or _WORKLOAD.fullmatch(name))
            and name.endswith((".yaml", ".yml"))
            and "/templates" not in folder
            and _is_kubernetes(tree, join(folder, name))
        ):
            yield join(folder, name), "kubernetes"


def _is_kubernetes(tree: ModuleTree, path: str) -> bool:
    start = tree.source(path)[:2000]
    return "apiVersion:" in start and "kind:" in start
