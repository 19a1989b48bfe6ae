"""Kustomizations of an untrusted source tree: every file that they name must be in the tree.

kustomize fetches what it takes for a URL or a Git repository, and it reads base folders anywhere on the machine. A
kustomization is therefore checked before kustomize sees it, with the kustomizations that it refers to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.formats import files

Json = dict[str, Any]

KUSTOMIZE_FAILED = FaultCode(
    "kubernetes.kustomize_failed",
    means="The kustomization cannot be built.",
    hint="Correct what kustomize names in the evidence; try `kubectl kustomize {folder}`.",
)

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PLUGINS = ("generators", "transformers", "validators")
"""Fields with configurations of plugins, which may name files too."""
_ENTRIES = ("resources", "bases", "components", "crds", "configurations", "patchesStrategicMerge", *_PLUGINS)
"""Fields with lists of files and folders, or of inline YAML."""
_PATCHES = ("patches", "patchesJson6902", "replacements", "openapi")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_PROGRAMS = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
"""Fields that fetch charts."""
_REMOTE = re.compile(r"[:?@\\%*\x00-\x1f]|//|\.git\b|\b_git\b|^github\.com|^~", re.IGNORECASE)
_URL = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:/|[^/]*@|git::|github\.com)", re.IGNORECASE)
_LARGEST = 2**20
_MOST = 200
"""Kustomizations that one kustomization may refer to."""


def find_kustomization(location: Path) -> Path | None:
    """Return the kustomization that a path names, or that its folder has."""
    if location.name in _NAMES and location.is_file():
        return location
    return next((location / name for name in _NAMES if (location / name).is_file()), None)


def read_kustomization(root: Path, path: Path) -> Json:
    """Read a kustomization, which has no metadata.

    Raises:
        StageFailure: `kubernetes.kustomize_failed`.
    """
    import yaml

    try:
        content = files.read_inside(str(root), path.relative_to(root).as_posix(), _LARGEST)
        loaded = yaml.safe_load(content.decode()) if len(content) <= _LARGEST else None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        evidence = [Evidence(kind="file", text=(reason or "")[:500], where=path.name)]
        raise KUSTOMIZE_FAILED(f"{path.name} cannot be read", evidence=evidence, folder=path.parent) from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("resources", []), list):
        raise KUSTOMIZE_FAILED(f"{path.name} is not a kustomization", folder=path.parent)
    return loaded


def check_references(root: Path, kustomization: Path) -> None:
    """Check that a kustomization, and each one that it refers to, names only files and folders of the source tree.

    Args:
        root: The resolved root of the source tree.
        kustomization: In the tree.

    Raises:
        StageFailure: `kubernetes.kustomize_failed`.
    """
    pending, checked = [kustomization], set[Path]()
    while pending:
        current = pending.pop()
        if current in checked:
            continue
        checked.add(current)
        if len(checked) > _MOST:
            raise KUSTOMIZE_FAILED(f"more than {_MOST} kustomizations refer to one another", folder=current.parent)
        content = read_kustomization(root, current)
        if programs := sorted(set(content) & set(_PROGRAMS)):
            raise _refused(current, programs[0], "charts are not rendered: render the chart to a file first")
        pending += _referenced(root, current, content)


def _referenced(root: Path, kustomization: Path, content: Json) -> list[Path]:
    """Check the entries of one kustomization, and return the kustomizations among them."""
    found = []
    for field, entry in _entries(content):
        if "\n" in entry.strip() or entry.lstrip().startswith("{"):  # inline YAML
            if field in _PLUGINS:
                _check_plugin(kustomization, entry)
            continue
        path = _local(root, kustomization, entry.strip())
        if path.is_dir():
            inner = find_kustomization(path)
            if inner is None:
                raise _refused(kustomization, entry, "the folder has no kustomization")
            found.append(inner)
        elif field in _PLUGINS:
            text = files.read_inside(str(root), path.relative_to(root).as_posix(), _LARGEST)
            _check_plugin(kustomization, files.decoded(text))
    return found


def _entries(content: Json) -> Iterator[tuple[str, str]]:
    """Return the files and folders that a kustomization names, each with its field."""
    for field in _ENTRIES:
        yield from ((field, entry) for entry in _texts(content.get(field)))
    for field in _PATCHES:
        yield from ((field, entry) for item in _items(content.get(field)) for entry in _texts(item.get("path")))
    for field in _GENERATORS:
        for item in _items(content.get(field)):
            named = [*_texts(item.get("files")), *_texts(item.get("env")), *_texts(item.get("envs"))]
            yield from ((field, entry.rpartition("=")[2]) for entry in named)


def _check_plugin(kustomization: Path, text: str) -> None:
    """Refuse the configuration of a plugin with a URL."""
    import yaml

    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refused(kustomization, text, "it is not YAML") from error
    for value in _all_texts(documents, set()):
        if _URL.match(value):
            raise _refused(kustomization, value, "only files and folders of the repository can be used")


def _all_texts(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)) and id(value) not in seen:
        seen.add(id(value))
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _all_texts(inner, seen)


def _items(value: Any) -> list[Json]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, dict)]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


def _local(root: Path, kustomization: Path, entry: str) -> Path:
    """Return the file or folder that an entry names."""
    first = entry.partition("/")[0]
    if _REMOTE.search(entry) or entry.startswith("/"):
        raise _refused(kustomization, entry, "only files and folders of the repository can be used")
    path = (kustomization.parent / entry).resolve()
    if "." in first.strip(".") and (kustomization.parent / first).is_dir():  # it could be taken for a host
        raise _refused(kustomization, entry, f"write ./{entry}")
    if not path.is_relative_to(root) or not path.exists():
        raise _refused(kustomization, entry, "it is not a file or folder of the repository")
    return path


def _refused(kustomization: Path, entry: str, reason: str) -> StageFailure:
    evidence = [Evidence(kind="file", text=f"{entry[:200]!r}: {reason}", where=kustomization.name)]
    return KUSTOMIZE_FAILED(
        f"{kustomization.name} refers to {entry[:100]!r}: {reason}", evidence=evidence, folder=kustomization.parent
    )


def offline_environment() -> dict[str, str]:
    """Return the environment of kustomize: no secret of this process, no Git protocol and no way to a network."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "TEMP") if name in os.environ}
    nowhere = "http://127.0.0.1:9"  # the discard port: nothing answers
    return {
        **kept,
        "GIT_ALLOW_PROTOCOL": "none",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "KUBECONFIG": os.devnull,
    }
