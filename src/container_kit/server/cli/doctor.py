"""`container-kit doctor`: what this machine has, what it lacks and how to get it."""

from __future__ import annotations

import json

import anyio

from container_kit.pipelines import catalog
from container_kit.pipelines.request import PipelineResponse
from container_kit.server import logs, settings
from container_kit.server.cli.console import fault_lines
from container_kit.stages.artifacts.host_checks import DoctorOptions, HostCheck, HostReport
from container_kit.stages.contract.workspace import Workspace

_MARKS = {"ok": ("✓", "green"), "missing": ("-", "yellow"), "problem": ("✗", "red")}


def doctor(*, as_json: bool) -> int:
    """Examine the machine and print what was found.

    Returns:
        0 where all that is needed is there and works, else 1.

    Raises:
        WiringError: The settings cannot be used.
    """
    chosen = settings.load()
    logs.configure(chosen.log_level, chosen.log_format)
    response = anyio.run(_examine, chosen)
    if response.fault is not None:
        print("\n".join(fault_lines(response.fault)))  # noqa: T201
        return 1
    examination = response.artifacts[HostReport]
    if as_json:
        found = {"ready": examination.ready, **examination.model_dump(mode="json")}
        print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        _show(examination)
    return 0 if examination.ready else 1


async def _examine(chosen: settings.Settings) -> PipelineResponse:
    surroundings = DoctorOptions(home=str(chosen.home))
    return await catalog.pipeline("doctor").run(surroundings, workspace=Workspace(chosen.workspace))


def _show(examination: HostReport) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)  # addresses must stay whole
    width = max(len(_name(check)) for check in examination.checks)
    for check in examination.checks:
        mark, style = _MARKS[check.outcome]
        console.print(Text(f"{mark} {_name(check):{width}}  ", style=style) + Text(check.detail, style=""))
        if check.get:
            console.print(Text(f"{'':{width + 4}}{check.get}", style="dim"))
    if examination.ready:
        console.print("ready: all that is needed is there", style="green")
    else:
        console.print("not ready: repair what is marked as needed", style="red")


def _name(check: HostCheck) -> str:
    return f"{check.name} (needed)" if check.needed and check.outcome != "ok" else check.name
