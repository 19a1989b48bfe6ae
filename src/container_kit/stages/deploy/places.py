"""The places of configured targets: protection and limits belong to a place, not to the name used for it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from container_kit.stages.artifacts.target import Limits, Target
from container_kit.stages.contract.fault import StageFailure

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class _Place:
    """The engine of this machine, or a namespace of a cluster."""

    kind: str
    server: str = ""
    """The URL of the API server; empty for the engine, and for a cluster that is not known."""
    namespace: str = ""

    def may_be(self, other: _Place) -> bool:
        """Return whether two places are the same, or could be because one of them is not known."""
        if self.kind != other.kind or not (self.server and other.server):
            return self.kind == other.kind
        return self.namespace == other.namespace and _is_same_server(self.server, other.server)


def resolve_targets(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Resolve each target to its place, and give all targets of a place its strictest settings. It blocks.

    A target without a context gets the current one, and a target without a namespace that of its context, so that a
    later change of the kubeconfig does not move the target.
    """
    resolved = [_resolve(target) for target in targets]
    return tuple(
        _strictest(target, [other for other, elsewhere in resolved if place.may_be(elsewhere)])
        for target, place in resolved
    )


def _resolve(target: Target) -> tuple[Target, _Place]:
    if target.kind == "local":
        return target, _Place(target.kind)
    from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import read_config  # imports the cluster client

    try:
        config = read_config(target.context)
    except StageFailure:  # using the target will report it
        return target, _Place(target.kind)
    namespace = target.namespace or config.namespace
    location = {"context": target.context or config.context_name, "namespace": namespace}
    return target.model_copy(update=location), _Place(target.kind, str(config.cluster.server), namespace)


def _strictest(target: Target, same_place: Sequence[Target]) -> Target:
    def lowest(field: str) -> float | None:
        values = [value for other in same_place if (value := getattr(other.limits, field)) is not None]
        return min(values, default=None)

    limits = Limits.model_validate({field: lowest(field) for field in Limits.model_fields})
    protected = any(other.protected for other in same_place)
    return target.model_copy(update={"protected": protected, "limits": limits})


def _is_same_server(one: str, other: str) -> bool:
    (host, *rest), (other_host, *other_rest) = _parts(one), _parts(other)
    return rest == other_rest and (host == other_host or bool(_addresses(host) & _addresses(other_host)))


def _parts(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0), parts.path.strip("/")


def _addresses(host: str) -> set[str]:
    """Return the addresses of a host; all loopback addresses are one."""
    with suppress(OSError, UnicodeError):
        found = {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None)}
        return {"loopback" if ip_address(address).is_loopback else address for address in found}
    return set()
