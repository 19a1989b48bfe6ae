"""One call of `full-deployment` through the tool, the visit, and the removal of what it made."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import anyio
import anyio.to_thread
from docker import APIClient
from mcp.client import Client

from container_kit import Workspace
from container_kit.pipelines.runs.service import RunService
from street.application import Application
from street.visit import look, visit
from support.engine.cleanup import sweep
from support.mcp.tools import connected


@dataclass(frozen=True)
class Outcome:
    """What one call achieved.

    Attributes:
        application: The application.
        holds: Whether the visitor saw the page, or the fault is the expected one.
        seconds: How long the call took.
        detail: The code of a fault, or what is wrong with the page.
        fault: The whole fault, if the call failed.
        same_call: Whether the first next action is the call that failed.
    """

    application: Application
    holds: bool
    seconds: float
    detail: str = ""
    fault: dict[str, Any] = field(default_factory=dict)
    same_call: bool = False

    @property
    def line(self) -> str:
        """One line of the table."""
        state = "ok    " if self.holds else "FAILED"
        return f"{state} {self.seconds:6.1f} s  {self.application.name:<40} {self.detail}".rstrip()


async def deploy(application: Application, parent: Path, name: str, api: APIClient) -> Outcome:
    """Make an application in a new folder, deploy it with one call, visit it and remove it.

    Args:
        application: What to deploy.
        parent: The folder for the tree; it is the server's workspace.
        name: The name of the folder, and so of the deployment and its images.
        api: The engine, for the removal.
    """
    folder = parent / name
    folder.mkdir()
    try:
        await anyio.to_thread.run_sync(application.make, folder)
    except Exception:  # noqa: BLE001 - the generator's failure is a line of the table
        return Outcome(application, False, 0, f"not made: {traceback.format_exc(limit=0).strip()[-1500:]}")
    try:
        async with _client(parent) as client:
            return await _deploy(application, client, name)
    finally:
        await anyio.to_thread.run_sync(sweep, api, [name], parent)


@contextlib.asynccontextmanager
async def _client(workspace: Path) -> AsyncIterator[Client]:
    async with RunService(Workspace([workspace])).open() as runs, connected(runs) as client:
        yield client


async def _deploy(application: Application, client: Client, name: str) -> Outcome:
    arguments = {"path": name, **application.arguments}
    started = time.monotonic()
    result = await client.call_tool("full-deployment", arguments)
    seconds = time.monotonic() - started
    content: dict[str, Any] = result.structured_content or {}
    if result.is_error:
        return _failed(application, content, arguments, seconds)
    if application.fault:
        return Outcome(application, False, seconds, f"deployed, but {application.fault} was expected")
    wrong = await _visit(application, content)
    return Outcome(application, wrong is None, seconds, wrong or "")


def _failed(application: Application, fault: dict[str, Any], arguments: dict[str, Any], seconds: float) -> Outcome:
    code = str(fault.get("code"))
    first = next(iter(fault.get("next_actions", ())), {})
    same = first.get("tool") == "full-deployment" and first.get("arguments") == arguments
    detail = f"{code}: {fault.get('message', '')}"
    return Outcome(application, code == application.fault and not same, seconds, detail, fault, same)


async def _visit(application: Application, content: dict[str, Any]) -> str | None:
    url = content["deployment"].get("url")
    if not url:
        return "the deployment has no URL"
    address = urljoin(url, application.page)
    text = "" if application.browser else application.text
    wrong = await anyio.to_thread.run_sync(visit, address, text)
    return wrong or (await look(address, application.text) if application.browser else None)
