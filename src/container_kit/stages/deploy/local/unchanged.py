"""Recognition of a deployment that would change nothing: the same specification, running and healthy."""

from __future__ import annotations

import hashlib
import json

from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion
from container_kit.stages.deploy.local.proxied.probe_inside import probe_public
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker.labels import RUN, SPECIFICATION

_NOT_OF_THE_CONTAINER = {"health_timeout", "keep_versions", "name", "port", "env", "env_file", "release", "services"}
"""Options that decide how a version is deployed, or that the rest of the specification contains as they turned out."""


def digest(spec: ContainerSpec) -> str:
    """Return a digest of everything that decides how a container runs, except for its public port."""
    described = {
        "image": [spec.image, spec.image_id],
        "kind": spec.kind,
        "container_port": spec.container_port,
        "user": spec.user,
        "health_path": spec.health_path,
        "env": dict(spec.env),
        "services": [[service.name, variable] for service, variable in spec.services],
        "volumes": dict(spec.volumes),
        "writable": spec.writable,
        "release": list(spec.release),
        "options": spec.options.model_dump(mode="json", exclude=_NOT_OF_THE_CONTAINER),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


async def is_unchanged(
    ctx: StageContext, containers: Containers, spec: ContainerSpec, active: ActiveVersion, port: int
) -> bool:
    """Return whether the active version runs by the same specification on this port, and is healthy.

    A version that this run has deployed itself does not count: the run was interrupted, and has replaced another one.
    """
    version = active.version
    if version is None or not spec.digest or version.labels.get(SPECIFICATION) != spec.digest:
        return False
    if version.labels.get(RUN) == ctx.run_id or spec.kind == "job" or not version.running:
        return False
    details = await containers.inspect(version.id) or {}
    state = details.get("State") or {}
    if not state.get("Running") or state.get("Paused") or (state.get("Health") or {}).get("Status") == "unhealthy":
        return False
    if spec.kind != "web":
        return not state.get("Restarting")
    if version.port != port:
        return False
    send = await probe_public(containers, version)
    return (await send(version.probe, version.health_path)).healthy
