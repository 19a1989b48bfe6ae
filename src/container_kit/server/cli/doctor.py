"""`container-kit doctor`: check the prerequisites on this machine."""

from __future__ import annotations

import getpass
import json
import socket
from importlib.metadata import version
from pathlib import Path

import anyio

from container_kit.pipelines import catalog
from container_kit.pipelines.request import PipelineResponse
from container_kit.server import logs
from container_kit.server.cli.console import fault_lines
from container_kit.server.settings import Settings, load
from container_kit.stages.artifacts.host_checks import DoctorOptions, HostCheck, HostReport
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.workspace import Workspace

_ADDRESS = re.compile(r"\b(unix|npipe|tcp|ssh|https?)://[^\s,;`)]+")
_IPV4 = re.compile(r"\b(?!127\.0\.0\.)(?:\d{1,3}\.){3}\d{1,3}\b")
_PATH = re.compile(r"(?<![\w:/])(?:~|[A-Za-z]:)?[/\\][\w.@+~-]+(?:[/\\][\w.@+ ~-]*[\w.@+~-])*")
_MARKS = {"ok": ("✓", "green"), "missing": ("-", "yellow"), "problem": ("✗", "red")}


def doctor(*, as_json: bool, anonymous: bool = False) -> int:
    """Check the machine and print a report.

    Args:
        as_json: Print JSON.
        anonymous: Print a block for bug reports, without names of users, hosts and folders.

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
    if anonymous:
        print(_anonymous_block(report))  # noqa: T201
    elif as_json:
        data = {"ready": report.ready, **report.model_dump(mode="json")}
        print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        _print_report(report)
    return 0 if report.ready else 1


async def _check(settings: Settings) -> PipelineResponse:
    options = DoctorOptions(home=str(settings.home))
    return await catalog.pipeline("doctor").run(options, workspace=Workspace(settings.workspace))


def _anonymous_block(report: HostReport) -> str:
    """Return the report as Markdown; paths, addresses and names of this machine and user are replaced."""
    names = {str(Path.home()): "~", getpass.getuser(): "USER", socket.gethostname(): "HOST"}
    lines = [f"container-kit {version('container-kit')}", ""]
    lines += [f"{check.outcome:8} {check.name.split(' /')[0]}: {check.detail}" for check in report.checks]
    text = "\n".join(lines)
    for name in sorted((name for name in names if len(name) > 1), key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", names[name], text)
    text = _ADDRESS.sub(r"\1://ADDRESS", text)
    text = _IPV4.sub("ADDRESS", text)
    return f"```\n{_PATH.sub('PATH', text)}\n```"


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
