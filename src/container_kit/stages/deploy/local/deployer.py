"""The local engine as a target: candidate, proof, change of hands, and the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import candidate, proxy, swap
from container_kit.stages.deploy.local import readiness as prove
from container_kit.stages.deploy.local.container import IMAGE, PUBLIC, STAGING, AppContainer, Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, cut_over, revert_cutover, serving
from container_kit.stages.deploy.local.lock import BUSY, held
from container_kit.stages.deploy.local.ports import free_port, is_free
from container_kit.stages.deploy.local.recovery import clean_up, recover, retire
from container_kit.stages.deploy.local.rollback import go_back
from container_kit.stages.deploy.local.services import manager as services
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.deploy.local.watchdog import guarded
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine

NO_WAY_BACK = FaultCode(
    "deploy.previous_version_missing",
    means="The container that this deployment replaced is not there any more.",
    hint="Deploy an earlier image of {app} by its name instead; `docker images` lists them.",
)

FAULTS = (
    BUSY,
    NO_WAY_BACK,
    swap.SWAP_FAILED,
    *services.FAULTS,
    *proxy.FAULTS,
    *candidate.FAULTS,
    *prove.FAULTS,
    *ENGINE_FAULTS,
)

_RUN = "io.container-kit.run"


class LocalTarget:
    """Runs applications as containers of the machine's engine, each on a port of 127.0.0.1.

    Args:
        engine: The engine, which must run on this machine.
        networks: Other names for the two networks, for an installation apart from others.
    """

    def __init__(self, engine: DockerEngine, networks: Networks | None = None) -> None:
        self._engine = engine
        self._containers = Containers(engine, networks or Networks())

    async def check(self, wish: ContainerSpec) -> None:
        """Find out, changing nothing, whether the port can be had.

        Raises:
            StageFailure: `deploy.port_in_use`, or the engine's.
        """
        found = await self._containers.of(wish.app)
        wanted = wish.options.port
        if wanted is not None and wanted not in {one.port for one in found if one.running} and not is_free(wanted):
            raise await candidate.port_in_use(self._containers, wish.app, wanted)

    async def plan(self, wish: ContainerSpec) -> tuple[str, ...]:
        """Say what would change, a line for each."""
        found = await self._containers.of(wish.app)
        now = await serving(self._containers, found)
        port, old = self._port_for(wish, now), now.version
        how = (
            "without a gap, through HAProxy" if wish.options.zero_downtime else "once the new version has proved itself"
        )
        lines = [f"run {wish.image} as {wish.app} on {PUBLIC}:{port}"]
        if old:
            what = (
                f"{old.image} by {wish.image}" if old.image != wish.image else f"the running {old.image} by a new one"
            )
            lines = [f"replace {what} on {PUBLIC}:{port}, {how}"]
        if old and old.port != port:
            lines.append(f"move from port {old.port} to {port}")
        lines += [f"remove {one.name}, which a deployment that died left behind" for one in found if one.candidate]
        return tuple(lines)

    async def apply(self, ctx: StageContext, wish: ContainerSpec) -> Deployment:
        """Run the version, let it serve in the place of what does when it has proved itself, and stop that.

        Raises:
            StageFailure: One of `FAULTS`. The version that served before then serves still.
        """
        async with held(self._engine.host, wish.app):
            now, found = await recover(self._containers, wish.app)
            port = self._port_for(wish, now)
            async with self._services(ctx, wish, found) as wish:
                wish = await self._with_container_port(ctx, wish)
                if not found and not wish.options.zero_downtime:
                    return await self._first(ctx, wish, port)
                return await self._replace(ctx, wish, now, port)

    async def _first(self, ctx: StageContext, wish: ContainerSpec, port: int) -> Deployment:
        """Run the first version of an application: nobody has the port, so that it starts there."""
        async with self._candidate(ctx, wish, port, self._containers.networks.front) as new:
            ctx.progress(f"waiting until {wish.app} is healthy", 0.2)
            seconds = await prove.healthy(self._containers, new, wish, PUBLIC, port)
            with anyio.CancelScope(shield=True):
                made = _among(await self._containers.of(wish.app), wish.app, new)
                await self._containers.commit(made)
        return deployment(made, None, seconds, 0.0)

    async def _replace(self, ctx: StageContext, wish: ContainerSpec, now: ActiveVersion, port: int) -> Deployment:
        """Run a version beside what serves, and let it take over when it has proved itself."""
        haproxy = await self._prepare(ctx, wish, now)
        out = self._containers.networks.out
        async with self._candidate(ctx, wish, port, out) as new, guarded(self._containers, wish.app):
            ctx.progress(f"waiting until {wish.app} is healthy", 0.2)
            staging = await self._containers.staging_port(new, wish.container_port or 0)
            seconds = await prove.healthy(self._containers, new, wish, STAGING, staging)
            ctx.progress(f"healthy after {seconds:.1f} s; taking port {port}", 0.7)
            with anyio.CancelScope(shield=True):
                found = await self._containers.of(wish.app)
                made = _among(found, wish.app, new)
                gap = await self._change(now, made, haproxy)
        with anyio.CancelScope(shield=True):
            await self._settle(ctx, wish, now, made, found)
        return deployment(made, _before(made, found) if now.version else None, seconds, gap)

    async def undo(self, ctx: StageContext, made: Deployment) -> None:
        """Go back to the version that a deployment replaced, or to none. Undone already, it stays undone.

        Raises:
            StageFailure: `deploy.previous_version_missing`, or the engine's.
        """
        async with held(self._engine.host, made.name):
            now, _ = await recover(self._containers, made.name)
            if now.version is None or now.version.id != made.container_id:
                return  # undone before, or replaced by a later deployment
            if made.previous_container_id is None:
                await self._remove_all(now)
                return
            previous = await self._containers.get(made.name, made.previous_container_id)
            if previous is None:
                raise NO_WAY_BACK(f"the version before {made.container_name} is gone", app=made.name)
            ctx.progress(f"starting {previous.name} again")
            await go_back(self._containers, now, previous)
            with anyio.CancelScope(shield=True):
                await self._containers.remove(made.container_id)
                await recover(self._containers, made.name)

    @asynccontextmanager
    async def _services(
        self, ctx: StageContext, wish: ContainerSpec, found: list[AppContainer]
    ) -> AsyncIterator[ContainerSpec]:
        """Have the services run that are asked for; they go again where the first version of an application fails."""
        try:
            if wish.services:
                kinds = tuple(kind for kind, _ in wish.services)
                addresses = await services.bring_up(ctx, self._containers, wish.app, kinds)
                ctx.redact.add(addresses.values())
                wish = wish.linked({variable: addresses[kind] for kind, variable in wish.services})
            yield wish
        except BaseException:
            if wish.services and not found:
                with anyio.CancelScope(shield=True), suppress(StageFailure):
                    await services.remove(self._containers, wish.app)
            raise

    @asynccontextmanager
    async def _candidate(
        self, ctx: StageContext, wish: ContainerSpec, port: int | None, network: str
    ) -> AsyncIterator[str]:
        """A started container, which is removed if the block fails."""
        ctx.progress(f"starting {wish.image} beside what runs", 0.1)
        try:
            yield await candidate.start(ctx, self._containers, wish, port, network)
        except BaseException:
            await clean_up(self._containers, wish.app)
            raise

    async def _prepare(self, ctx: StageContext, wish: ContainerSpec, now: ActiveVersion) -> str | None:
        """Make the networks where nothing shows that they are there; find the proxy's image where one is wanted."""
        if wish.options.zero_downtime or now.holder is None:
            await self._containers.make_networks()
        if not wish.options.zero_downtime:
            return None
        await self._containers.make_app_network(proxy.network(wish.app))
        ctx.progress("looking for HAProxy")
        return await proxy.make_image(self._containers)

    async def _change(self, now: ActiveVersion, new: AppContainer, haproxy: str | None) -> float:
        try:
            gap = await cut_over(self._containers, now, new, haproxy)
            await swap.settled(new.app, new.port, new.probe, new.health_path)
            await self._containers.commit(new)
        except BaseException as error:
            await revert_cutover(self._containers, now, new)
            moved = now.holder is None or now.holder.port != new.port
            if moved and isinstance(error, StageFailure) and candidate.is_port_conflict(error):
                raise await candidate.port_in_use(self._containers, new.app, new.port) from error
            raise
        return gap

    async def _settle(
        self,
        ctx: StageContext,
        wish: ContainerSpec,
        before: ActiveVersion,
        new: AppContainer,
        found: list[AppContainer],
    ) -> None:
        """Stop the old version and drop what is too old to go back to."""
        if before.version is not None:
            ctx.progress(f"stopping {before.version.name}", 0.9)
            await retire(self._containers, before.version)
        if before.holder and before.holder.proxy and before.proxy_for(new) is None:
            await self._containers.remove(before.holder.id)
        kept = [one for one in found if one.id != new.id and not one.candidate and not one.proxy]
        for one in kept[wish.options.keep :]:
            await self._containers.remove(one.id)

    async def _remove_all(self, now: ActiveVersion) -> None:
        for one in (now.holder, now.version):
            if one is not None:
                await self._containers.remove(one.id)
        if now.version is not None:
            await services.remove(self._containers, now.version.app)

    async def _with_container_port(self, ctx: StageContext, wish: ContainerSpec) -> ContainerSpec:
        """Where nothing tells the application's port, run it once and look."""
        if wish.container_port is not None:
            return wish
        ctx.progress(f"finding out on which port {wish.app} listens")
        async with self._candidate(ctx, wish, None, self._containers.networks.out) as trial:
            port = await prove.detect_port(self._containers, trial, wish)
        with anyio.CancelScope(shield=True):
            await self._containers.remove(trial)
        return wish.on(port)

    def _port_for(self, wish: ContainerSpec, now: ActiveVersion) -> int:
        return wish.options.port or (now.version.port if now.version else 0) or free_port(wish.app)


def _among(found: list[AppContainer], app: str, container: str) -> AppContainer:
    made = next((one for one in found if one.id == container), None)
    if made is None:
        raise swap.SWAP_FAILED(f"the new container of {app} was removed by somebody else")
    return made


def _before(made: AppContainer, found: list[AppContainer]) -> str | None:
    """The version that a new one replaced: the newest other one.

    A run that died after its swap and is run again replaces itself; the way back leads past it.
    """
    others = (one for one in found if one.id != made.id and not one.proxy)
    return next((one.id for one in others if one.labels.get(_RUN) != made.labels.get(_RUN)), None)


def deployment(made: AppContainer, previous: str | None, seconds: float, gap: float) -> Deployment:
    """What a container tells of the deployment that made it."""
    return Deployment(
        name=made.app,
        url=f"http://{PUBLIC}:{made.port}",
        container_id=made.id,
        container_name=made.served_name,
        image=made.labels[IMAGE],
        image_id=made.image_id,
        host_port=made.port,
        container_port=made.container_port,
        previous_container_id=previous,
        seconds_to_healthy=round(seconds, 3),
        gap_seconds=round(gap, 3),
        probe=made.probe,
        health_path=made.health_path,
        zero_downtime=made.zero_downtime,
    )
