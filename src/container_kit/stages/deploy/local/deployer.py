"""The deployer of the local engine: candidate, readiness, cutover and undo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.faults import VERSION_NOT_FOUND, version_not_found
from container_kit.stages.deploy.local import candidate, readiness, swap, unchanged
from container_kit.stages.deploy.local.container import PUBLIC_ADDRESS, AppContainer, Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, cut_over, find_active, revert_cutover
from container_kit.stages.deploy.local.lock import BUSY, hold_lock
from container_kit.stages.deploy.local.ports import free_port, is_free
from container_kit.stages.deploy.local.probe import probe_address
from container_kit.stages.deploy.local.programs import portless, release
from container_kit.stages.deploy.local.proxied import proxy
from container_kit.stages.deploy.local.proxied.probe_inside import probe_public, probe_staged
from container_kit.stages.deploy.local.recovery import clean_up, recover, retire
from container_kit.stages.deploy.local.rollback import activate
from container_kit.stages.deploy.local.services import manager as services
from container_kit.stages.deploy.local.services.passwords import generate_secrets
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.deploy.local.watchdog import watchdog
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.labels import IMAGE, RUN

FAULTS = (
    BUSY,
    VERSION_NOT_FOUND,
    swap.SWAP_FAILED,
    *services.FAULTS,
    *proxy.FAULTS,
    *candidate.FAULTS,
    *release.FAULTS,
    *readiness.FAULTS,
    *ENGINE_FAULTS,
)


class LocalDeployer:
    """Runs applications as containers of the local engine, each on a port of 127.0.0.1.

    Args:
        engine: The engine, on this machine, in a virtual machine or remote.
        networks: Other names for the two networks, for a separate installation.
    """

    def __init__(self, engine: DockerEngine, networks: Networks | None = None) -> None:
        self._engine = engine
        self._containers = Containers(engine, networks or Networks())

    async def check(self, spec: ContainerSpec) -> None:
        """Check that the requested port is available, without changing anything.

        Raises:
            StageFailure: `deploy.port_in_use`, or a fault of the engine.
        """
        port = spec.options.port
        if port is None:
            return
        own_ports = {c.port for c in await self._containers.list_app(spec.app) if c.running}
        taken = await self._containers.published_ports()
        if port not in own_ports and (port in taken or (self._engine.is_local and not is_free(port))):
            raise await candidate.port_in_use(self._containers, spec.app, port)

    async def _adapt(self, ctx: StageContext | None, spec: ContainerSpec) -> ContainerSpec:
        """Require zero downtime if the port of a container cannot move between networks on this engine.

        A program without a port needs no proxy.
        """
        if spec.kind != "web":
            return replace(spec, options=spec.options.model_copy(update={"zero_downtime": False}))
        if spec.options.zero_downtime or await self._containers.can_swap():
            return spec
        if ctx is not None:
            ctx.progress("the engine forwards ports, so HAProxy holds the port")
        return replace(spec, options=spec.options.model_copy(update={"zero_downtime": True}))

    async def plan(self, spec: ContainerSpec) -> tuple[str, ...]:
        """Describe the changes, one line each."""
        existing = await self._containers.list_app(spec.app)
        active = await find_active(self._containers, existing)
        spec = await self._adapt(None, spec)
        port, old = await self._port_for(spec, active), active.version
        if spec.kind != "web":
            what = {"worker": "as a worker", "job": "to its end"}.get(spec.kind)
            return (f"run {spec.image} {what}, without a port" if what else f"nothing: {spec.image} is a command",)
        lines = [f"run {spec.image} as {spec.app} on {PUBLIC_ADDRESS}:{port}"]
        if old:
            how = (
                "with zero downtime, through HAProxy"
                if spec.options.zero_downtime
                else "once the new version is healthy"
            )
            change = f"{old.image} with {spec.image}"
            if old.image == spec.image:
                change = f"the running {old.image}, if anything changed,"
            lines = [f"replace {change} on {PUBLIC_ADDRESS}:{port}, {how}"]
        if old and old.port != port:
            lines.append(f"move from port {old.port} to {port}")
        if spec.release:
            lines.append(f"run {release.release_text(spec.release)} in the new image first")
        lines += [f"keep {path} on the volume {name}" for name, path in spec.volumes.items()]
        lines += [f"remove {c.name}, left over from an interrupted deployment" for c in existing if c.is_candidate]
        return tuple(lines)

    async def apply(self, ctx: StageContext, spec: ContainerSpec) -> Deployment:
        """Run the version, make it active once it is healthy, and stop the previous one.

        Raises:
            StageFailure: One of `FAULTS`; the previous version keeps serving.
        """
        async with hold_lock(self._engine.host, spec.app):
            spec = await self._adapt(ctx, spec)
            active, existing = await recover(self._containers, spec.app)
            port = await self._port_for(spec, active)
            spec = spec.with_env(await anyio.to_thread.run_sync(generate_secrets, spec.app, spec.generated))
            async with self._with_services(ctx, spec, existing) as complete:
                complete = replace(complete, digest=unchanged.digest(complete) if complete.image_id else "")
                if active.version and await unchanged.is_unchanged(ctx, self._containers, complete, active, port):
                    return self._keep(ctx, complete, active.version)
                await release.run_release(ctx, self._containers, complete)
                if complete.kind != "web":
                    return await portless.deploy_portless(ctx, self._containers, complete, active)
                complete = await self._with_container_port(ctx, complete)
                if not existing and not spec.options.zero_downtime:
                    deployment = await self._deploy_first(ctx, complete, port)
                else:
                    deployment = await self._replace(ctx, complete, active, port)
            command = release.release_text(spec.release) if spec.release else None
            return deployment.model_copy(
                update={"volumes": dict(spec.volumes), "release_command": command, "generated": spec.generated}
            )

    def _keep(self, ctx: StageContext, spec: ContainerSpec, version: AppContainer) -> Deployment:
        ctx.progress(f"unchanged: {version.name} runs this version and is healthy")
        found = {"unchanged": True, "volumes": dict(spec.volumes), "generated": spec.generated}
        return self._describe(version, None, 0.0, 0.0).model_copy(update=found)

    async def _deploy_first(self, ctx: StageContext, spec: ContainerSpec, port: int) -> Deployment:
        """Run the first version of an application directly on the port, since nothing else uses it."""
        async with self._candidate(ctx, spec, port, self._containers.networks.public) as new:
            ctx.progress(f"waiting until {spec.app} is healthy", 0.2)
            send = probe_address(PUBLIC_ADDRESS, port)
            seconds = await readiness.wait_until_healthy(self._containers, new, spec, send)
            with anyio.CancelScope(shield=True):
                container = _require(await self._containers.list_app(spec.app), spec.app, new)
                await self._containers.commit(container)
        return self._describe(container, None, seconds, 0.0)

    async def _replace(self, ctx: StageContext, spec: ContainerSpec, active: ActiveVersion, port: int) -> Deployment:
        """Run a version next to the active one, and make it active once it is healthy."""
        haproxy = await self._prepare(ctx, spec, active)
        network = self._containers.networks.staging
        async with self._candidate(ctx, spec, port, network) as new, watchdog(self._containers, spec.app):
            prober = await self._prober(ctx, spec, active, port, haproxy)
            ctx.progress(f"waiting until {spec.app} is healthy", 0.2)
            send = await probe_staged(self._containers, new, spec.container_port or 0, prober)
            seconds = await readiness.wait_until_healthy(self._containers, new, spec, send)
            ctx.progress(f"healthy after {seconds:.1f} s; taking port {port}", 0.7)
            with anyio.CancelScope(shield=True):
                existing = await self._containers.list_app(spec.app)
                container = _require(existing, spec.app, new)
                gap = await self._cut_over(active, container, haproxy)
        with anyio.CancelScope(shield=True):
            await self._finish(ctx, spec, active, container, existing)
        return self._describe(container, _previous(container, existing) if active.version else None, seconds, gap)

    async def undo(self, ctx: StageContext, made: Deployment) -> None:
        """Restore the version that a deployment replaced, or remove a first one. Does nothing the second time.

        Raises:
            StageFailure: `deployment.version_not_found`, or a fault of the engine.
        """
        if made.unchanged:
            return
        async with hold_lock(self._engine.host, made.name):
            active, existing = await recover(self._containers, made.name)
            if active.version is None or active.version.id != made.container_id:
                return  # undone before, or replaced by a later deployment
            if made.previous_container_id is None:
                await self._remove_all(active)
                return
            previous = await self._containers.get(made.name, made.previous_container_id)
            if previous is None:
                kept = [c.version_name for c in existing if not c.is_proxy and c.id != made.container_id]
                raise version_not_found(made.name, None, kept)
            ctx.progress(f"starting {previous.name} again")
            await activate(self._containers, active, previous)
            with anyio.CancelScope(shield=True):
                await self._containers.remove(made.container_id)
                await recover(self._containers, made.name)

    @asynccontextmanager
    async def _with_services(
        self, ctx: StageContext, spec: ContainerSpec, existing: list[AppContainer]
    ) -> AsyncIterator[ContainerSpec]:
        """Run the requested services; remove them if the first version of an application fails."""
        try:
            if spec.services:
                kinds = tuple(kind for kind, _ in spec.services)
                addresses = await services.start_services(ctx, self._containers, spec.app, kinds)
                ctx.redact.add(addresses.values())
                yield spec.with_env({variable: addresses[kind] for kind, variable in spec.services})
            else:
                yield spec
        except BaseException:
            if spec.services and not existing:
                with anyio.CancelScope(shield=True), suppress(StageFailure):
                    await services.remove(self._containers, spec.app)
            raise

    @asynccontextmanager
    async def _candidate(
        self, ctx: StageContext, spec: ContainerSpec, port: int | None, network: str
    ) -> AsyncIterator[str]:
        """Start a container; remove it if the block fails."""
        ctx.progress(f"starting {spec.image}", 0.1)
        try:
            yield await candidate.start(ctx, self._containers, spec, port, network)
        except BaseException:
            await clean_up(self._containers, spec.app)
            raise

    async def _prepare(self, ctx: StageContext, spec: ContainerSpec, active: ActiveVersion) -> str | None:
        """Create the networks unless an active version shows that they exist; find the image of a proxy."""
        if spec.options.zero_downtime or active.port_holder is None:
            await self._containers.create_networks()
        if not spec.options.zero_downtime:
            return None
        await self._containers.create_app_network(proxy.app_network(spec.app))
        ctx.progress("looking for HAProxy")
        return await proxy.find_image(self._containers)

    async def _cut_over(self, active: ActiveVersion, new: AppContainer, haproxy: str | None) -> float:
        try:
            gap = await cut_over(self._containers, active, new, haproxy)
            send = await probe_public(self._containers, new)
            await swap.wait_until_answering(new.app, new.port, new.probe, new.health_path, send)
            await self._containers.commit(new)
        except BaseException as error:
            await revert_cutover(self._containers, active, new)
            moved = active.port_holder is None or active.port_holder.port != new.port
            if moved and isinstance(error, StageFailure) and candidate.is_port_conflict(error):
                raise await candidate.port_in_use(self._containers, new.app, new.port) from error
            raise
        return gap

    async def _finish(
        self,
        ctx: StageContext,
        spec: ContainerSpec,
        before: ActiveVersion,
        new: AppContainer,
        existing: list[AppContainer],
    ) -> None:
        """Stop the old version, and remove the versions that are no longer kept."""
        if before.version is not None:
            ctx.progress(f"stopping {before.version.name}", 0.9)
            await retire(self._containers, before.version)
        if before.port_holder and before.port_holder.is_proxy and before.proxy_for(new) is None:
            await self._containers.remove(before.port_holder.id)
        kept = [c for c in existing if c.id != new.id and not c.is_candidate and not c.is_proxy]
        for container in kept[spec.options.keep_versions :]:
            await self._containers.remove(container.id)

    async def _remove_all(self, active: ActiveVersion) -> None:
        for container in (active.port_holder, active.version):
            if container is not None:
                await self._containers.remove(container.id)
        if active.version is not None:
            await services.remove(self._containers, active.version.app)

    async def _with_container_port(self, ctx: StageContext, spec: ContainerSpec) -> ContainerSpec:
        """Run the application once to detect its port if it is not known."""
        if spec.container_port is not None:
            return spec
        ctx.progress(f"detecting the port that {spec.app} listens on")
        async with self._candidate(ctx, spec, None, self._containers.networks.staging) as trial:
            port = await readiness.detect_port(self._containers, trial, spec)
        with anyio.CancelScope(shield=True):
            await self._containers.remove(trial)
        return spec.with_port(port)

    async def _port_for(self, spec: ContainerSpec, active: ActiveVersion) -> int:
        if port := spec.options.port or (active.version.port if active.version else 0):
            return port
        return free_port(spec.app, taken=await self._containers.published_ports())

    async def _prober(
        self, ctx: StageContext, spec: ContainerSpec, active: ActiveVersion, port: int, haproxy: str | None
    ) -> str | None:
        """Return a proxy that can probe the candidate; None if this machine reaches the staging network."""
        if haproxy is None or await self._containers.can_swap():
            return None
        if active.port_holder is not None and active.port_holder.is_proxy:
            return active.port_holder.id
        labels = {RUN: ctx.run_id}
        try:
            return await proxy.create_published(self._containers, haproxy, labels, spec.app, port)
        except StageFailure as failure:
            if candidate.is_port_conflict(failure):
                raise await candidate.port_in_use(self._containers, spec.app, port) from failure
            raise

    def _describe(self, container: AppContainer, previous: str | None, seconds: float, gap: float) -> Deployment:
        return deployment_of(self._engine, container, previous, seconds, gap)


def _require(existing: list[AppContainer], app: str, container_id: str) -> AppContainer:
    container = next((c for c in existing if c.id == container_id), None)
    if container is None:
        raise swap.SWAP_FAILED(f"another process removed the new container of {app}")
    return container


def _previous(new: AppContainer, existing: list[AppContainer]) -> str | None:
    """Return the version that a new one replaced: the newest other one.

    A run that died after its swap and is executed again replaces itself; undoing it must skip that version.
    """
    others = (c for c in existing if c.id != new.id and not c.is_proxy)
    return next((c.id for c in others if c.labels.get(RUN) != new.labels.get(RUN)), None)


def deployment_of(
    engine: DockerEngine, container: AppContainer, previous: str | None, seconds: float, gap: float
) -> Deployment:
    """Describe the deployment that a container belongs to."""
    if not container.container_port:
        return portless.worker_of(container, previous)
    return Deployment(
        name=container.app,
        url=f"http://{PUBLIC_ADDRESS}:{container.port}",
        forward_command=engine.forward_command(container.port),
        container_id=container.id,
        container_name=container.version_name,
        image=container.labels[IMAGE],
        image_id=container.image_id,
        host_port=container.port,
        container_port=container.container_port,
        previous_container_id=previous,
        seconds_to_healthy=round(seconds, 3),
        gap_seconds=round(gap, 3),
        probe=container.probe,
        health_path=container.health_path,
        zero_downtime=container.zero_downtime,
    )
