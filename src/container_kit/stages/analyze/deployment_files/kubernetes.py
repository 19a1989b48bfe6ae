"""Workloads of Kubernetes: their images, ports and variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from container_kit.stages.analyze.deployment_files.compose import BuildContext
from container_kit.stages.analyze.evidence.services import kind_of_image
from container_kit.stages.docker.image_reference import short_name
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree

_KEPT_RUNNING = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Rollout"}


def read_workloads(tree: ModuleTree, path: str) -> list[BuildContext]:
    """Return the containers of a file's workloads that run images of applications."""
    lines = (tree.text(path) or "").splitlines()
    found: list[BuildContext] = []
    for document in tree.yaml(path):
        for container in _containers(document):
            image = str(container.get("image", ""))
            name = short_name(image)
            if not name or kind_of_image(image) is not None:
                continue
            place = f"{path}:{next((n for n, line in enumerate(lines, 1) if image in line), 1)}"
            port = _port(container)
            given = {entry.get("name"): str(entry.get("value", "")) for entry in _mappings(container.get("env"))}
            variable = given.get("PORT", "")
            context = BuildContext("", "", (port, place) if port else None, name=name, image=image, elsewhere=True)
            if variable.isdigit() and 0 < int(variable) < 65536:
                context.variable = int(variable), place
            found.append(context)
    return found


def _containers(document: Any) -> Iterator[dict[str, Any]]:
    """Return the main containers of a document. Services of Knative are workloads too."""
    for item in [document, *_mappings(document.get("items") if isinstance(document, dict) else None)]:
        kind, version = _at(item, "kind"), str(_at(item, "apiVersion") or "")
        if kind in _KEPT_RUNNING or (kind == "Service" and version.startswith("serving.knative.dev/")):
            spec = _at(item, "spec") if kind == "Pod" else _at(item, "spec", "template", "spec")
            yield from _mappings(_at(spec, "containers"))


def _port(container: dict[str, Any]) -> int | None:
    ports = [entry for entry in _mappings(container.get("ports")) if entry.get("protocol") != "UDP"]
    ports.sort(key=lambda entry: "http" not in str(entry.get("name", "http")))
    numbers = [entry.get("containerPort") for entry in ports]
    return next((n for n in numbers if isinstance(n, int) and 0 < n < 65536), None)


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
