"""Reading a user's own manifests: a file, a folder of files, or a kustomization."""

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
KUSTOMIZE_MISSING = FaultCode(
    "kubernetes.kustomize_missing",
    means="The kustomization uses more than resources and namespace, and neither kustomize nor kubectl is installed.",
    hint="Install kubectl or kustomize, or build it elsewhere and give the file; it uses: {uses}.",
)
OWN_FAULTS = (KUSTOMIZE_FAILED, KUSTOMIZE_MISSING)

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES = (".yaml", ".yml", ".json")
_MOST_FILES = 500
_BUILD_SECONDS = 60.0
_UNDERSTOOD = {"apiVersion", "kind", "namespace", "resources"}
_ORDER = (
    "Namespace", "CustomResourceDefinition", "ResourceQuota", "LimitRange", "PriorityClass", "StorageClass",
    "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy", "Service",
)  # fmt: skip


async def own_objects(ctx: StageContext, root: str, path: str) -> list[Json]:
    """The objects below a path of the source, in an order in which each finds what it needs.

    Values of Secrets among them are learnt by the redactor.

    Raises:
        StageFailure: `path.not_found`, `path.outside_workspace`, `kubernetes.yaml_invalid`,
            `kubernetes.kustomize_failed`, `kubernetes.kustomize_missing`.
    """
    found = _inside(ctx.workspace.directory(root), path)
    kustomization = next((found / name for name in _KUSTOMIZATIONS if (found / name).is_file()), None)
    if found.name in _KUSTOMIZATIONS and found.is_file():
        kustomization = found
    if kustomization is not None:
        objects = await _built(kustomization)
    else:
        objects = await anyio.to_thread.run_sync(_read_files, found)
    for one in objects:
        if one["kind"] == "Secret":
            ctx.redact.add(_secret_values(one))
    return sorted(objects, key=lambda one: _ORDER.index(one["kind"]) if one["kind"] in _ORDER else len(_ORDER))


def _inside(root: Path, path: str) -> Path:
    found = below(root, path)
    if not found.exists():
        raise PATH_NOT_FOUND(f"{path} does not exist", evidence=[Evidence(kind="value", text=f"resolved to {found}")])
    return found


def _read_files(found: Path) -> list[Json]:
    files = [found] if found.is_file() else sorted(p for p in found.rglob("*") if p.suffix in _SUFFIXES)[:_MOST_FILES]
    root = found.resolve()
    objects = []
    for path in files:
        if path.resolve().is_relative_to(root) and path.is_file():
            objects += read(path.read_text(encoding="utf-8", errors="replace"), path.name)
    return objects


async def _built(kustomization: Path) -> list[Json]:
    """What kustomize makes of it: its own program where it is installed, else the simplest kind by ourselves."""
    folder = str(kustomization.parent)
    for command in (["kustomize", "build", folder], ["kubectl", "kustomize", folder]):
        if shutil.which(command[0]) is not None:
            return read(await _run(command, folder), "kustomize")
    content = read_kustomization(kustomization)
    if uses := sorted(set(content) - _UNDERSTOOD):
        raise KUSTOMIZE_MISSING("the kustomization needs kustomize", uses=", ".join(uses))
    return await anyio.to_thread.run_sync(_simplest, kustomization.parent, content)


def read_kustomization(path: Path) -> Json:
    """The content of a kustomization, which has no metadata.

    Raises:
        StageFailure: `kubernetes.kustomize_failed`.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        evidence = [Evidence(kind="file", text=str(error)[:500], where=path.name)]
        raise KUSTOMIZE_FAILED(f"{path.name} cannot be read", evidence=evidence, folder=path.parent) from error
    if not isinstance(content, dict) or not isinstance(content.get("resources", []), list):
        raise KUSTOMIZE_FAILED(f"{path.name} is not a kustomization", folder=path.parent)
    return content


def _simplest(folder: Path, content: Json) -> list[Json]:
    objects: list[Json] = []
    for name in content.get("resources") or []:
        path = (folder / str(name)).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise KUSTOMIZE_FAILED(f"resource {name} is not a file of the folder", folder=folder)
        objects += read(path.read_text(encoding="utf-8", errors="replace"), path.name)
    if namespace := content.get("namespace"):
        for one in objects:
            if one["kind"] not in ("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"):
                one["metadata"]["namespace"] = str(namespace)
    return objects


async def _run(command: list[str], folder: str) -> str:
    done = None
    with anyio.move_on_after(_BUILD_SECONDS):
        done = await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False)
    if done is None or done.returncode != 0:
        said = done.stderr.decode(errors="replace")[-2000:] if done else f"no end within {_BUILD_SECONDS:g} s"
        evidence = [Evidence(kind="log", text=said, where=" ".join(command[:2]))]
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
