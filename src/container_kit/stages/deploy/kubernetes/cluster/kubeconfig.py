"""Finding a cluster as kubectl does: KUBECONFIG, `~/.kube/config`, or the pod that we run in.

lightkube reads one file, signs in and sets up TLS; merging several files and choosing a context is done here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container_kit.stages.contract.fault import Evidence, FaultCode

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import SingleConfig

EXTRA_MISSING = FaultCode(
    "kubernetes.extra_missing",
    means="The part of Container Kit that speaks to Kubernetes is not installed.",
    hint="Install it: pip install 'container-kit[kubernetes]'.",
)
KUBECONFIG_MISSING = FaultCode(
    "kubernetes.kubeconfig_missing",
    means="No kubeconfig was found, and we do not run in a cluster.",
    hint="Set KUBECONFIG, or put a kubeconfig at ~/.kube/config (looked for: {looked}).",
)
KUBECONFIG_INVALID = FaultCode(
    "kubernetes.kubeconfig_invalid",
    means="A kubeconfig cannot be used.",
    hint="Correct {path}; `kubectl config view` shows what it should look like.",
)
CONTEXT_UNKNOWN = FaultCode(
    "kubernetes.context_unknown",
    means="The kubeconfig has no context of this name, or none is current.",
    hint="Give kube_context, one of: {known}.",
)

FAULTS = (EXTRA_MISSING, KUBECONFIG_MISSING, KUBECONFIG_INVALID, CONTEXT_UNKNOWN)

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_EXEC_VERSIONS = {"client.authentication.k8s.io/v1": "client.authentication.k8s.io/v1beta1"}
"""lightkube knows the older names of the same protocol."""


def read_config(context: str | None, kubeconfig: str | None = None) -> SingleConfig:
    """The cluster, user and namespace of a context.

    Args:
        context: None for the current one.
        kubeconfig: Paths as in KUBECONFIG; None takes that variable.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    try:
        from lightkube.config.kubeconfig import KubeConfig
    except ImportError as error:
        raise EXTRA_MISSING("lightkube is not installed") from error
    named = kubeconfig or os.environ.get("KUBECONFIG")
    if named is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return _in_cluster(KubeConfig)
    paths = [Path(path).expanduser() for path in (named or "~/.kube/config").split(os.pathsep) if path]
    there = [path for path in paths if path.is_file()]
    if not there:
        raise KUBECONFIG_MISSING("no kubeconfig was found", looked=", ".join(map(str, paths)))
    merged = _merge([_read(path) for path in there])
    known = sorted(entry["name"] for entry in merged["contexts"])
    wanted = context or merged.get("current-context")
    if wanted not in known:
        what = f"context {wanted!r} is not in the kubeconfig" if wanted else "the kubeconfig has no current context"
        raise CONTEXT_UNKNOWN(what, known=", ".join(known) or "there are none")
    return _config(KubeConfig, merged, str(wanted), there[0])


def _config(kube_config: Any, merged: dict[str, Any], context: str, path: Path) -> SingleConfig:
    try:
        config: SingleConfig = kube_config.from_dict(merged, fname=path).get(context)
    except Exception as error:
        raise _invalid(path, f"{type(error).__name__} in context {context}") from error
    if config.user is not None and config.user.exec is not None:
        _prepare_exec(config)
    return config


def _prepare_exec(config: SingleConfig) -> None:
    """Let credential plugins of the present protocol version work, and tell them that they cannot ask a person."""
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
        raise KUBECONFIG_MISSING("no service account token in this pod", looked="the service account") from error
    return config


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
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
    """Paths in a kubeconfig are relative to the file that they stand in."""
    for key in _FILES:
        if isinstance(entry.get(key), str):
            entry[key] = str(folder.resolve() / Path(entry[key]).expanduser())


def _merge(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Several files as one: of two entries with one name the first counts, as kubectl has it."""
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
