"""`container-kit doctor`: check the prerequisites on this machine."""

from __future__ import annotations

import json

import anyio

from container_kit.pipelines import catalog
from container_kit.pipelines.request import PipelineResponse
from container_kit.server import logs
from container_kit.server.cli.console import fault_lines
from container_kit.server.settings import Settings, load
from container_kit.stages.artifacts.host_checks import DoctorOptions, HostCheck, HostReport
from container_kit.stages.contract.workspace import Workspace

_MARKS = {"ok": ("✓", "green"), "missing": ("-", "yellow"), "problem": ("✗", "red")}


def doctor(*, as_json: bool) -> int:
    """Check the machine and print a report.

    Returns:
        0 if everything required works, else 1.

    Raises:
        ConfigurationError: The settings are invalid.
    """
    settings = load()
    logs.configure(settings.log_level, settings.log_format)
    response = anyio.run(_check, settings)
    if response.fault is not None:
        print("\n".join(fault_lines(response.fault)))  # noqa: T201
        return 1
    report = response.artifacts[HostReport]
    if as_json:
        data = {"ready": report.ready, **report.model_dump(mode="json")}
        print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        _print_report(report)
    return 0 if report.ready else 1


async def _check(settings: Settings) -> PipelineResponse:
    options = DoctorOptions(home=str(settings.home))
    return await catalog.pipeline("doctor").run(options, workspace=Workspace(settings.workspace))


def _print_report(report: HostReport) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)  # keep URLs in one piece
    width = max(len(_title(check)) for check in report.checks)
    for check in report.checks:
        mark, style = _MARKS[check.outcome]
        console.print(Text(f"{mark} {_title(check):{width}}  ", style=style) + Text(check.detail, style=""))
        if check.get:
            console.print(Text(f"{'':{width + 4}}{check.get}", style="dim"))
    if report.ready:
        console.print("Ready: everything required is available.", style="green")
    else:
        console.print('Not ready: fix the items marked "required".', style="red")


def _title(check: HostCheck) -> str:
    return f"{check.name} (required)" if check.needed and check.outcome != "ok" else check.name
