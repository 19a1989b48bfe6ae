"""The stage `check-host`: all probes side by side, each bounded, none able to fail the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import anyio

from container_kit.stages.artifacts.host_checks import DoctorOptions, HostCheck, HostReport
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.doctor import engine, machine, programs
from container_kit.stages.doctor.ask_engine import AskEngine

_WITHIN = 3.0
_SILENT = "See why it does not answer: a network that drops packets, a dead network drive, an overloaded machine."


@dataclass(frozen=True, slots=True)
class _Probe:
    name: str
    """What is told when it does not answer in time."""
    look: Callable[[], Awaitable[list[HostCheck]]]
    needed: bool = False
    through_engine: bool = False
    """Left out where the engine cannot be asked, for that is told already."""


class CheckHost(Stage[HostReport]):
    """Look at what this machine has for Container Kit.

    Args:
        docker: The engine to look at; None finds it.
        within: Seconds that each look may take.
    """

    read_only: ClassVar[bool] = True

    def __init__(self, docker: DockerEngine | None = None, within: float = _WITHIN) -> None:
        self._docker = docker
        self._within = within

    async def execute(self, ctx: StageContext, surroundings: DoctorOptions) -> HostReport:
        """Look at everything. What is missing or broken is part of the result, never a fault."""
        probes = self._probes(ctx, surroundings)
        found: dict[_Probe, list[HostCheck]] = {}

        async def look(probe: _Probe) -> None:
            found[probe] = await self._bounded(probe)
            ctx.progress(f"looked at {probe.name}", len(found) / len(probes))

        async with anyio.create_task_group() as tasks:
            for probe in probes:
                tasks.start_soon(look, probe)
        told = [check for probe in probes if not probe.through_engine for check in found[probe]]
        if any(check.name == "docker engine" and check.outcome == "ok" for check in told):
            told = [check for probe in probes for check in found[probe]]
        return HostReport(checks=tuple(_redacted(check, ctx) for check in told))

    def _probes(self, ctx: StageContext, surroundings: DoctorOptions) -> list[_Probe]:
        ask = AskEngine(self._docker or DockerEngine(), self._within)
        return [
            _Probe("python", machine.python, needed=True),
            *_folders(ctx, surroundings),
            _Probe("docker engine", partial(engine.engine, ask), needed=True),
            _Probe("registry", partial(engine.registry, ask), through_engine=True),
            *(
                _Probe(f"base image {name}", partial(engine.base_image, ask, name), through_engine=True)
                for name in engine.BASE_IMAGES
            ),
            *(_Probe(program.name, partial(programs.look, program)) for program in programs.PROGRAMS),
            *_exports(surroundings),
        ]

    async def _bounded(self, probe: _Probe) -> list[HostCheck]:
        with anyio.move_on_after(self._within):
            return await probe.look()
        detail = f"no answer within {self._within:g} s"
        return [HostCheck(name=probe.name, outcome="problem", detail=detail, get=_SILENT, needed=probe.needed)]


def _folders(ctx: StageContext, surroundings: DoctorOptions) -> Iterator[_Probe]:
    for root in ctx.workspace.roots:
        yield _Probe(f"workspace {root}", partial(machine.workspace, root), needed=True)
    if surroundings.home is not None:
        home = Path(surroundings.home)
        yield _Probe(f"state folder {home}", partial(machine.state_folder, home), needed=True)


def _exports(surroundings: DoctorOptions) -> Iterator[_Probe]:
    if surroundings.home is not None:
        yield _Probe(machine.ADVISORIES, partial(machine.advisories, Path(surroundings.home) / "osv"))


def _redacted(check: HostCheck, ctx: StageContext) -> HostCheck:
    return check.model_copy(update={"detail": ctx.redact(check.detail)})
