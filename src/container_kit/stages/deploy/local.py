"""The local engine as a target: candidate, proof, swap, and the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio

from container_kit.stages.artifacts.deployment import Deployment, Probe
from container_kit.stages.contract import StageContext
from container_kit.stages.deploy import candidate, prove, swap
from container_kit.stages.deploy.containers import PUBLIC, Containers, Found, Networks
from container_kit.stages.deploy.guard import guarded
from container_kit.stages.deploy.lock import BUSY, held
from container_kit.stages.deploy.ports import free_port, is_free
from container_kit.stages.deploy.recovery import recover, retire
from container_kit.stages.deploy.wish import Wish
from container_kit.stages.docker_engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker_engine import DockerEngine
from container_kit.stages.fault import FaultCode, StageFailure

NO_WAY_BACK = FaultCode(
    "deploy.previous_gone",
    means="The container that this deployment replaced is not there any more.",
    hint="Deploy the earlier image {image} by its name instead.",
)

FAULTS = (BUSY, NO_WAY_BACK, swap.SWAP_FAILED, *candidate.FAULTS, *prove.FAULTS, *ENGINE_FAULTS)

_RUN = "io.container-kit.run"
_CLEANUP_SECONDS = 60.0
_RETURN_SECONDS = 30.0


class LocalTarget:
    """Runs applications as containers of the machine's engine, each on a port of 127.0.0.1.

    Args:
        engine: The engine, which must run on this machine.
        networks: Other names for the two networks, for an installation apart from others.
    """

    def __init__(self, engine: DockerEngine, networks: Networks | None = None) -> None:
        self._engine = engine
        self._containers = Containers(engine, networks or Networks())

    async def check(self, wish: Wish) -> None:
        """Find out, changing nothing, whether the port can be had.

        Raises:
            StageFailure: `deploy.port_in_use`, or the engine's.
        """
        found = await self._containers.of(wish.app)
        wanted = wish.options.port
        if wanted is not None and wanted not in {_port(one) for one in found if one.running} and not is_free(wanted):
            raise await candidate.port_in_use(self._containers, wish.app, wanted)

    async def plan(self, wish: Wish) -> tuple[str, ...]:
        """Say what would change, a line for each."""
        found = await self._containers.of(wish.app)
        old = self._containers.served(found)
        port = self._port_for(wish, old)
        lines = [
            f"replace {old.image} by {wish.image} on {PUBLIC}:{port}, once the new version has proved itself"
            if old
            else f"run {wish.image} as {wish.app} on {PUBLIC}:{port}"
        ]
        if old and _port(old) != port:
            lines.append(f"move from port {_port(old)} to {port}")
        lines += [f"remove {one.name}, which a deployment that died left behind" for one in found if one.candidate]
        return tuple(lines)

    async def apply(self, ctx: StageContext, wish: Wish) -> Deployment:
        """Run the version, replace the one that serves when it has proved itself, and stop that one.

        Raises:
            StageFailure: One of `FAULTS`. The version that served before then serves still.
        """
        async with held(self._engine.host, wish.app):
            await self._containers.make_networks()
            old = await recover(self._containers, wish.app)
            port = self._port_for(wish, old)
            wish = await self._with_container_port(ctx, wish)
            async with self._candidate(ctx, wish, port) as new, guarded(self._containers, wish.app):
                ctx.progress(f"waiting until {wish.app} is healthy", 0.2)
                seconds = await prove.healthy(self._containers, new, wish, port)
                ctx.progress(f"healthy after {seconds:.1f} s; taking port {port}", 0.7)
                with anyio.CancelScope(shield=True):
                    gap = await self._change(wish, old, new, port)
            with anyio.CancelScope(shield=True):
                await self._settle(ctx, wish, old, new)
            return await self._deployment(wish.app, new, old, seconds, gap)

    async def undo(self, ctx: StageContext, made: Deployment) -> None:
        """Go back to the version that a deployment replaced, or to none. Undone already, it stays undone.

        Raises:
            StageFailure: `deploy.previous_gone`, or the engine's.
        """
        async with held(self._engine.host, made.name):
            serving = await recover(self._containers, made.name)
            if serving is None or serving.id != made.container_id:
                return  # undone before, or replaced by a later deployment
            if made.previous_container_id is None:
                await self._containers.remove(made.container_id)
                return
            found = {one.id: one for one in await self._containers.of(made.name)}
            previous = found.get(made.previous_container_id)
            if previous is None:
                raise NO_WAY_BACK(f"the version before {made.container_name} is gone", image="")
            ctx.progress(f"starting {previous.name} again")
            async with guarded(self._containers, made.name):
                await self._return(serving, previous)
            with anyio.CancelScope(shield=True):
                await self._containers.remove(made.container_id)

    async def _return(self, serving: Found, previous: Found) -> None:
        """Start a kept version beside the one that serves, and swap them."""
        await self._containers.connect(previous.id, self._containers.networks.out)
        await self._containers.start(previous.id)
        with anyio.move_on_after(_RETURN_SECONDS):  # going back works even for one that answers nothing
            await prove.answers(self._containers, previous.id, _port(previous), *_probe(previous))
        with anyio.CancelScope(shield=True):
            await swap.swap(self._containers, serving, _port(serving), previous.id)

    @asynccontextmanager
    async def _candidate(self, ctx: StageContext, wish: Wish, port: int | None) -> AsyncIterator[str]:
        """A started container, which is removed if the block fails."""
        ctx.progress(f"starting {wish.image} beside what runs", 0.1)
        try:
            yield await candidate.start(ctx, self._containers, wish, port)
        except BaseException:
            # Without an engine nothing can be cleaned up: the next deployment does it.
            with anyio.CancelScope(shield=True), anyio.move_on_after(_CLEANUP_SECONDS), suppress(StageFailure):
                await recover(self._containers, wish.app)
            raise

    async def _change(self, wish: Wish, old: Found | None, new: str, port: int) -> float:
        try:
            gap = await swap.swap(self._containers, old, _port(old) if old else port, new)
            await swap.settled(wish.app, port, wish.options.probe, wish.health_path)
            await self._containers.commit(new)
        except BaseException as error:
            await swap.revert(self._containers, old, new)
            moved = old is None or _port(old) != port
            if moved and isinstance(error, StageFailure) and candidate.is_port_conflict(error):
                raise await candidate.port_in_use(self._containers, wish.app, port) from error
            raise
        return gap

    async def _settle(self, ctx: StageContext, wish: Wish, old: Found | None, new: str) -> None:
        """Stop the old version and drop what is too old to go back to."""
        if old is not None:
            ctx.progress(f"stopping {old.name}", 0.9)
            await retire(self._containers, old.id)
        kept = [one for one in await self._containers.of(wish.app) if one.id != new and not one.candidate]
        for one in kept[wish.options.keep :]:
            await self._containers.remove(one.id)

    async def _with_container_port(self, ctx: StageContext, wish: Wish) -> Wish:
        """Where nothing tells the application's port, run it once and look."""
        if wish.container_port is not None:
            return wish
        ctx.progress(f"finding out on which port {wish.app} listens")
        async with self._candidate(ctx, wish, None) as trial:
            port = await prove.open_port(self._containers, trial, wish)
        with anyio.CancelScope(shield=True):
            await self._containers.remove(trial)
        return wish.on(port)

    def _port_for(self, wish: Wish, old: Found | None) -> int:
        return wish.options.port or (_port(old) if old else 0) or free_port(wish.app)

    async def _deployment(self, app: str, new: str, old: Found | None, seconds: float, gap: float) -> Deployment:
        found = {one.id: one for one in await self._containers.of(app)}
        run = found[new].labels.get(_RUN)
        # A run that died after its swap and is run again replaces itself; the way back leads past it.
        before = [one.id for one in found.values() if one.id != new and one.labels.get(_RUN) != run]
        probe, path = _probe(found[new])
        port = _port(found[new])
        return Deployment(
            name=app,
            url=f"http://{PUBLIC}:{port}",
            container_id=new,
            container_name=found[new].name,
            image=found[new].labels[candidate.IMAGE],
            image_id=found[new].image_id,
            host_port=port,
            container_port=int(found[new].labels[candidate.CONTAINER_PORT]),
            previous_container_id=before[0] if old and before else None,
            seconds_to_healthy=round(seconds, 3),
            gap_seconds=round(gap, 3),
            probe=probe,
            health_path=path,
        )


def _port(found: Found) -> int:
    return int(found.labels.get(candidate.PORT) or 0)


def _probe(found: Found) -> tuple[Probe, str]:
    kind: Probe = "tcp" if found.labels.get(candidate.PROBE) == "tcp" else "http"
    return kind, found.labels.get(candidate.HEALTH_PATH) or "/"
