"""Finds a cluster as kubectl does: KUBECONFIG, `~/.kube/config`, or the pod's service account.

lightkube reads one file, authenticates and sets up TLS; this module merges several files and chooses a context.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container_kit.stages.contract.fault import Evidence, FaultCode

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import SingleConfig

CLIENT_NOT_FOUND = FaultCode(
    "kubernetes.client_not_found",
    means="The Kubernetes client of Container Kit is not installed.",
    hint="Install it: pip install 'container-kit[kubernetes]'.",
)
KUBECONFIG_NOT_FOUND = FaultCode(
    "kubernetes.kubeconfig_not_found",
    means="No kubeconfig was found, and this process does not run in a cluster.",
    hint="Set KUBECONFIG, or put a kubeconfig at ~/.kube/config (searched: {searched}).",
)
KUBECONFIG_INVALID = FaultCode(
    "kubernetes.kubeconfig_invalid",
    means="A kubeconfig is invalid.",
    hint="Correct {path}; `kubectl config view` shows what it should look like.",
)
CONTEXT_NOT_FOUND = FaultCode(
    "kubernetes.context_not_found",
    means="The kubeconfig has no context of this name, or no current context.",
    hint="Give kube_context, one of: {contexts}.",
)

FAULTS = (CLIENT_NOT_FOUND, KUBECONFIG_NOT_FOUND, KUBECONFIG_INVALID, CONTEXT_NOT_FOUND)

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_EXEC_VERSIONS = {"client.authentication.k8s.io/v1": "client.authentication.k8s.io/v1beta1"}
"""lightkube has only the older names of the same protocol."""


def read_config(context: str | None, kubeconfig: str | None = None) -> SingleConfig:
    """Return the cluster, user and namespace of a context.

    Args:
        context: None for the current one.
        kubeconfig: Paths as in KUBECONFIG; None reads that variable.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    try:
        from lightkube.config.kubeconfig import KubeConfig
    except ImportError as error:
        raise CLIENT_NOT_FOUND("lightkube is not installed") from error
    setting = kubeconfig or os.environ.get("KUBECONFIG")
    if setting is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return _in_cluster(KubeConfig)
    paths = [Path(path).expanduser() for path in (setting or "~/.kube/config").split(os.pathsep) if path]
    existing = [path for path in paths if path.is_file()]
    if not existing:
        raise KUBECONFIG_NOT_FOUND("no kubeconfig was found", searched=", ".join(map(str, paths)))
    merged = _merge([_read(path) for path in existing])
    contexts = sorted(entry["name"] for entry in merged["contexts"])
    selected = context or merged.get("current-context")
    if selected not in contexts:
        named = f"context {selected!r} is not in the kubeconfig"
        message = named if selected else "the kubeconfig has no current context"
        raise CONTEXT_NOT_FOUND(message, contexts=", ".join(contexts) or "no contexts exist")
    return _config(KubeConfig, merged, str(selected), existing[0])


def _config(kube_config: Any, merged: dict[str, Any], context: str, path: Path) -> SingleConfig:
    try:
        config: SingleConfig = kube_config.from_dict(merged, fname=path).get(context)
    except Exception as error:
        raise _invalid(path, f"{type(error).__name__} in context {context}") from error
    if config.user is not None and config.user.exec is not None:
        _prepare_exec(config)
    return config


def _prepare_exec(config: SingleConfig) -> None:
    """Support credential plugins of the current protocol version, and disable their interactive mode."""
    import json

    from lightkube.config.models import NameValue

    plugin = config.user.exec if config.user is not None else None
    if plugin is None:
        return
    info = {"kind": "ExecCredential", "apiVersion": plugin.apiVersion, "spec": {"interactive": False}}
    plugin.env = [*(plugin.env or []), NameValue(name="KUBERNETES_EXEC_INFO", value=json.dumps(info))]
    plugin.apiVersion = _EXEC_VERSIONS.get(plugin.apiVersion, plugin.apiVersion)


def _in_cluster(kube_config: Any) -> SingleConfig:
    from lightkube.core.exceptions import ConfigError

    try:
        config: SingleConfig = kube_config.from_service_account().get()
    except (ConfigError, KeyError) as error:
        raise KUBECONFIG_NOT_FOUND("no service account token in this pod", searched="the service account") from error
    return config


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _invalid(path, f"{type(error).__name__}: it cannot be read as YAML") from error
    if not isinstance(content, dict):
        raise _invalid(path, "it is not a kubeconfig")
    for group, inner in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
        entries = content[group] = content.get(group) or []
        if not isinstance(entries, list) or not all(
            isinstance(e, dict) and isinstance(e.get(inner), dict) for e in entries
        ):
            raise _invalid(path, f"{group} must be a list of names with their {inner}")
        for entry in entries:
            _make_absolute(entry[inner], path.parent)
    return content


def _make_absolute(entry: dict[str, Any], folder: Path) -> None:
    """Resolve the paths in a kubeconfig, which are relative to its folder."""
    for key in _FILES:
        if isinstance(entry.get(key), str):
            entry[key] = str(folder.resolve() / Path(entry[key]).expanduser())


def _merge(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge several files; of two entries with the same name the first counts, as in kubectl."""
    merged: dict[str, Any] = {
        "current-context": next((c["current-context"] for c in contents if c.get("current-context")), None)
    }
    for group in ("clusters", "contexts", "users"):
        by_name: dict[str, Any] = {}
        for content in contents:
            for entry in content[group]:
                by_name.setdefault(str(entry.get("name")), entry)
        merged[group] = [{**entry, "name": name} for name, entry in by_name.items()]
    return merged


def _invalid(path: Path, why: str) -> Exception:
    return KUBECONFIG_INVALID(
        f"{path} cannot be used: {why}", evidence=[Evidence(kind="file", text=why, where=str(path))], path=path
    )
