"""The stage `check-host`: all checks run concurrently, each with a time limit."""

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
from container_kit.stages.doctor import engine, environment, machine, programs
from container_kit.stages.doctor.engine_client import EngineClient

_TIMEOUT = 3.0
_TIMEOUT_HINT = "See why it does not answer: a network that drops packets, a dead network drive, an overloaded machine."


@dataclass(frozen=True, slots=True)
class _Probe:
    name: str
    """The name in the report if it does not end in time."""
    check: Callable[[], Awaitable[list[HostCheck]]]
    needed: bool = False
    through_engine: bool = False
    """Whether it is omitted if the engine does not answer, which another check reports."""


class CheckHost(Stage[HostReport]):
    """Check this machine's prerequisites.

    Args:
        docker: The engine to check; None finds it.
        within: Seconds for each check.
    """

    read_only: ClassVar[bool] = True

    def __init__(self, docker: DockerEngine | None = None, within: float = _TIMEOUT) -> None:
        self._docker = docker
        self._within = within

    async def execute(self, ctx: StageContext, options: DoctorOptions) -> HostReport:
        """Run all checks. Missing or broken prerequisites are part of the result, never a fault."""
        probes = self._probes(ctx, options)
        found: dict[_Probe, list[HostCheck]] = {}

        async def check(probe: _Probe) -> None:
            found[probe] = await self._bounded(probe)
            ctx.progress(f"checked {probe.name}", len(found) / len(probes))

        async with anyio.create_task_group() as tasks:
            for probe in probes:
                tasks.start_soon(check, probe)
        told = [check for probe in probes if not probe.through_engine for check in found[probe]]
        if any(check.name == "docker engine" and check.outcome == "ok" for check in told):
            told = [check for probe in probes for check in found[probe]]
        return HostReport(checks=tuple(_redacted(check, ctx) for check in told))

    def _probes(self, ctx: StageContext, options: DoctorOptions) -> list[_Probe]:
        client = EngineClient(self._docker or DockerEngine(), self._within)
        return [
            _Probe("python", machine.python, needed=True),
            *_folders(ctx, options),
            _Probe("docker engine", partial(engine.engine, client), needed=True),
            _Probe("credential helpers", environment.credential_helpers),
            _Probe("registry", partial(engine.registry, client), through_engine=True),
            *(
                _Probe(f"base image {name}", partial(engine.base_image, client, name), through_engine=True)
                for name in engine.BASE_IMAGES
            ),
            *(_Probe(program.name, partial(programs.check, program)) for program in programs.PROGRAMS),
            *_exports(options),
        ]

    async def _bounded(self, probe: _Probe) -> list[HostCheck]:
        with anyio.move_on_after(self._within):
            return await probe.check()
        detail = f"no answer within {self._within:g} s"
        return [HostCheck(name=probe.name, outcome="problem", detail=detail, get=_TIMEOUT_HINT, needed=probe.needed)]


def _folders(ctx: StageContext, options: DoctorOptions) -> Iterator[_Probe]:
    for root in ctx.workspace.roots:
        yield _Probe(f"workspace {root}", partial(machine.workspace, root), needed=True)
    if options.home is not None:
        home = Path(options.home)
        yield _Probe(f"state folder {home}", partial(machine.state_folder, home), needed=True)


def _exports(options: DoctorOptions) -> Iterator[_Probe]:
    if options.home is not None:
        yield _Probe(machine.ADVISORIES, partial(machine.advisories, Path(options.home) / "osv"))


def _redacted(check: HostCheck, ctx: StageContext) -> HostCheck:
    return check.model_copy(update={"detail": ctx.redact(check.detail)})
