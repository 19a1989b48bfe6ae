"""Programs without a port: jobs, which run to their end, and workers, which are healthy while they stay up."""

from __future__ import annotations

import anyio

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import candidate, diagnose
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion
from container_kit.stages.deploy.local.programs.one_off import wait_for_exit
from container_kit.stages.deploy.local.recovery import clean_up, retire
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker.labels import IMAGE

STAYS_UP_SECONDS = 5.0
"""A worker that runs so long has read its settings and reached what it works for."""
_USAGE = ("usage:", "Usage:")


async def deploy_portless(
    ctx: StageContext, containers: Containers, spec: ContainerSpec, active: ActiveVersion
) -> Deployment:
    """Run a job to its end, or start a worker and replace its previous version once it stays up.

    A program whose kind is not declared is a job if it ends within the health timeout, otherwise a worker.

    Raises:
        StageFailure: One of `diagnose.FAULTS` or `candidate.FAULTS`; the previous version keeps running.
    """
    if spec.kind == "command":
        return result_of(spec, output="")
    network = containers.networks.staging if active.version else containers.networks.public
    try:
        new = await candidate.start(ctx, containers, spec, None, network)
        seconds = STAYS_UP_SECONDS if spec.kind == "worker" else spec.options.health_timeout
        ctx.progress(f"waiting until {spec.app} {'stays up' if spec.kind == 'worker' else 'ends'}", 0.3)
        code = await wait_for_exit(containers, new, seconds)
        if code is not None:
            return await _ended(ctx, containers, spec, new, code)
        with anyio.CancelScope(shield=True):
            made = await _replace(containers, spec, active, new)
    except BaseException:
        await clean_up(containers, spec.app)
        raise
    return made


async def _ended(
    ctx: StageContext, containers: Containers, spec: ContainerSpec, container: str, code: int
) -> Deployment:
    """Return the result of a job that succeeded; a program that asks for arguments is a command."""
    snapshot = await diagnose.take_snapshot(containers, container, spec)
    asks = spec.kind == "job" and code in (1, 2) and any(sign in snapshot.log for sign in _USAGE)
    if spec.kind != "job" or (code != 0 and not asks):
        raise diagnose.exited(snapshot)
    await containers.remove(container)
    return result_of(spec, output=ctx.redact(snapshot.log)[-4000:], kind="command" if asks else "job")


async def _replace(containers: Containers, spec: ContainerSpec, active: ActiveVersion, new: str) -> Deployment:
    await containers.connect(new, containers.networks.public)
    existing = await containers.list_app(spec.app)
    container = next(c for c in existing if c.id == new)
    if active.version is not None:
        await containers.disconnect(active.version.id, containers.networks.public)
        await retire(containers, active.version)
    await containers.commit(container)
    for old in [c for c in existing if c.id != new][spec.options.keep_versions :]:
        await containers.remove(old.id)
    return worker_of(container, active.version.id if active.version else None)


def worker_of(container: AppContainer, previous: str | None) -> Deployment:
    """Describe the deployment of a worker."""
    return Deployment(
        name=container.app,
        kind="worker",
        url="",
        container_id=container.id,
        container_name=container.version_name,
        image=container.labels[IMAGE],
        image_id=container.image_id,
        host_port=0,
        container_port=0,
        previous_container_id=previous,
    )


def result_of(spec: ContainerSpec, *, output: str, kind: str | None = None) -> Deployment:
    """Describe a program that left no container."""
    return Deployment(
        name=spec.app,
        kind="command" if (kind or spec.kind) == "command" else "job",
        url="",
        container_id="",
        container_name="",
        image=spec.image,
        image_id=spec.image_id,
        host_port=0,
        container_port=0,
        output=output,
    )
