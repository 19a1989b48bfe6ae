"""Reads a user's manifests: a file, a folder of files, or a kustomization."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.workspace import PATH_NOT_FOUND, below
from container_kit.stages.deploy.kubernetes.manifests.kustomization import (
    KUSTOMIZE_FAILED,
    check_references,
    find_kustomization,
    offline_environment,
    read_kustomization,
)
from container_kit.stages.deploy.kubernetes.manifests.yaml_text import YAML_INVALID, read
from container_kit.stages.formats import files

Json = dict[str, Any]

KUSTOMIZE_NOT_FOUND = FaultCode(
    "kubernetes.kustomize_not_found",
    means="The kustomization needs kustomize or kubectl, and neither is installed.",
    hint="Install kubectl or kustomize, or give a file that was built elsewhere; the kustomization uses: {uses}.",
)
USER_MANIFEST_FAULTS = (KUSTOMIZE_FAILED, KUSTOMIZE_NOT_FOUND)

_SUFFIXES = (".yaml", ".yml", ".json")
_MAX_FILES = 500
_MAX_BYTES = 8 * 2**20
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
    tree = ctx.workspace.directory(root)
    location = _inside(tree, path)
    kustomization = find_kustomization(location)
    if kustomization is not None:
        objects = await _build(tree, kustomization)
    else:
        objects = await anyio.to_thread.run_sync(_read_files, tree, location)
    for obj in objects:
        if obj["kind"] == "Secret":
            ctx.redact.add(_secret_values(obj))
    return sorted(objects, key=lambda obj: _ORDER.index(obj["kind"]) if obj["kind"] in _ORDER else len(_ORDER))


def digest(objects: Sequence[Json]) -> str:
    """Return the digest of objects, to recognize them again."""
    return hashlib.sha256(json.dumps(list(objects), sort_keys=True, default=str).encode()).hexdigest()


def _inside(root: Path, path: str) -> Path:
    location = below(root, path)
    if not location.exists():
        evidence = [Evidence(kind="value", text=f"resolved to {location}")]
        raise PATH_NOT_FOUND(f"{path} does not exist", evidence=evidence)
    return location


def _read_files(root: Path, location: Path) -> list[Json]:
    if not location.is_dir():
        return _read_file(root, location)
    inside = sorted(path for path in location.rglob("*") if path.suffix in _SUFFIXES)[:_MAX_FILES]
    return [obj for path in inside if path.is_file() for obj in _read_file(root, path)]


def _read_file(root: Path, path: Path) -> list[Json]:
    """Read a file through the source tree. A link that leads out of the tree has no objects."""
    name = path.relative_to(root).as_posix()
    try:
        content = files.read_inside(str(root), name, _MAX_BYTES)
    except files.LinkOutsideError:
        return []
    except OSError as error:
        raise YAML_INVALID(f"{name} cannot be read: {error.strerror}", place=name, rule="it must be a file") from error
    if len(content) > _MAX_BYTES:
        raise YAML_INVALID(f"{name} is too large", place=name, rule=f"at most {_MAX_BYTES} bytes in one file")
    return read(files.decoded(content), path.name)


async def _build(root: Path, kustomization: Path) -> list[Json]:
    """Build a kustomization with kustomize or kubectl; without them, only resources and a namespace."""
    await anyio.to_thread.run_sync(check_references, root, kustomization)
    folder = str(kustomization.parent)
    for command in (["kustomize", "build", folder], ["kubectl", "kustomize", folder]):
        if shutil.which(command[0]) is not None:
            return read(await _run(command, folder), "kustomize")
    content = read_kustomization(root, kustomization)
    if uses := sorted(set(content) - _SUPPORTED_FIELDS):
        raise KUSTOMIZE_NOT_FOUND("the kustomization needs kustomize", uses=", ".join(uses))
    return await anyio.to_thread.run_sync(_build_simple, root, kustomization.parent, content)


def _build_simple(root: Path, folder: Path, content: Json) -> list[Json]:
    objects: list[Json] = []
    for name in content.get("resources") or []:
        path = (folder / str(name)).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise KUSTOMIZE_FAILED(f"resource {name} is not a file of the folder", folder=folder)
        objects += _read_file(root, path)
    if namespace := content.get("namespace"):
        for obj in objects:
            if obj["kind"] not in ("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"):
                obj["metadata"]["namespace"] = str(namespace)
    return objects


async def _run(command: list[str], folder: str) -> str:
    done = None
    with anyio.move_on_after(_BUILD_SECONDS):
        done = await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False, env=offline_environment())
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
