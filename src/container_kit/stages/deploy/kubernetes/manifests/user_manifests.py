"""Reads a user's manifests: a file, a folder of files, or a kustomization."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.workspace import PATH_NOT_FOUND, below
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import read

Json = dict[str, Any]

KUSTOMIZE_FAILED = FaultCode(
    "kubernetes.kustomize_failed",
    means="The kustomization cannot be built.",
    hint="Correct what kustomize names in the evidence; try `kubectl kustomize {folder}`.",
)
KUSTOMIZE_NOT_FOUND = FaultCode(
    "kubernetes.kustomize_not_found",
    means="The kustomization needs kustomize or kubectl, and neither is installed.",
    hint="Install kubectl or kustomize, or give a file that was built elsewhere; the kustomization uses: {uses}.",
)
USER_MANIFEST_FAULTS = (KUSTOMIZE_FAILED, KUSTOMIZE_NOT_FOUND)

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES = (".yaml", ".yml", ".json")
_MAX_FILES = 500
_BUILD_SECONDS = 60.0
_SUPPORTED_FIELDS = {"apiVersion", "kind", "namespace", "resources"}
_ORDER = (
    "Namespace", "CustomResourceDefinition", "ResourceQuota", "LimitRange", "PriorityClass", "StorageClass",
    "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy", "Service",
)  # fmt: skip


async def read_user_manifests(ctx: StageContext, root: str, path: str) -> list[Json]:
    """Return the objects in a path of the source, each after the objects that it needs.

    The redactor hides the values of Secrets among them.

    Raises:
        StageFailure: `path.not_found`, `path.outside_workspace`, `kubernetes.yaml_invalid`,
            `kubernetes.kustomize_failed`, `kubernetes.kustomize_not_found`.
    """
    location = _inside(ctx.workspace.directory(root), path)
    kustomization = next((location / name for name in _KUSTOMIZATIONS if (location / name).is_file()), None)
    if location.name in _KUSTOMIZATIONS and location.is_file():
        kustomization = location
    if kustomization is not None:
        objects = await _build(kustomization)
    else:
        objects = await anyio.to_thread.run_sync(_read_files, location)
    for obj in objects:
        if obj["kind"] == "Secret":
            ctx.redact.add(_secret_values(obj))
    return sorted(objects, key=lambda obj: _ORDER.index(obj["kind"]) if obj["kind"] in _ORDER else len(_ORDER))


def _inside(root: Path, path: str) -> Path:
    location = below(root, path)
    if not location.exists():
        evidence = [Evidence(kind="value", text=f"resolved to {location}")]
        raise PATH_NOT_FOUND(f"{path} does not exist", evidence=evidence)
    return location


def _read_files(location: Path) -> list[Json]:
    files = sorted(path for path in location.rglob("*") if path.suffix in _SUFFIXES)[:_MAX_FILES]
    files = [location] if location.is_file() else files
    root = location.resolve()
    objects = []
    for path in files:
        if path.resolve().is_relative_to(root) and path.is_file():
            objects += read(path.read_text(encoding="utf-8", errors="replace"), path.name)
    return objects


async def _build(kustomization: Path) -> list[Json]:
    """Build a kustomization with kustomize or kubectl; without them, only resources and a namespace."""
    folder = str(kustomization.parent)
    for command in (["kustomize", "build", folder], ["kubectl", "kustomize", folder]):
        if shutil.which(command[0]) is not None:
            return read(await _run(command, folder), "kustomize")
    content = read_kustomization(kustomization)
    if uses := sorted(set(content) - _SUPPORTED_FIELDS):
        raise KUSTOMIZE_NOT_FOUND("the kustomization needs kustomize", uses=", ".join(uses))
    return await anyio.to_thread.run_sync(_build_simple, kustomization.parent, content)


def read_kustomization(path: Path) -> Json:
    """Read a kustomization, which has no metadata.

    Raises:
        StageFailure: `kubernetes.kustomize_failed`.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        evidence = [Evidence(kind="file", text=str(error)[:500], where=path.name)]
        raise KUSTOMIZE_FAILED(f"{path.name} cannot be read", evidence=evidence, folder=path.parent) from error
    if not isinstance(content, dict) or not isinstance(content.get("resources", []), list):
        raise KUSTOMIZE_FAILED(f"{path.name} is not a kustomization", folder=path.parent)
    return content


def _build_simple(folder: Path, content: Json) -> list[Json]:
    objects: list[Json] = []
    for name in content.get("resources") or []:
        path = (folder / str(name)).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise KUSTOMIZE_FAILED(f"resource {name} is not a file of the folder", folder=folder)
        objects += read(path.read_text(encoding="utf-8", errors="replace"), path.name)
    if namespace := content.get("namespace"):
        for obj in objects:
            if obj["kind"] not in ("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"):
                obj["metadata"]["namespace"] = str(namespace)
    return objects


async def _run(command: list[str], folder: str) -> str:
    done = None
    with anyio.move_on_after(_BUILD_SECONDS):
        done = await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False)
    if done is None or done.returncode != 0:
        text = done.stderr.decode(errors="replace")[-2000:] if done else f"not finished within {_BUILD_SECONDS:g} s"
        evidence = [Evidence(kind="log", text=text, where=" ".join(command[:2]))]
        raise KUSTOMIZE_FAILED(f"{command[0]} cannot build the kustomization", evidence=evidence, folder=folder)
    return done.stdout.decode(errors="replace")


def _secret_values(secret: Json) -> list[str]:
    values = [str(value) for value in (secret.get("stringData") or {}).values()]
    for encoded in (secret.get("data") or {}).values():
        values.append(str(encoded))
        try:
            values.append(base64.b64decode(str(encoded), validate=True).decode())
        except (binascii.Error, UnicodeDecodeError, ValueError):
            continue
    return values
