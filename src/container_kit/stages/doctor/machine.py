"""Checks of this machine: Python, and the folders that Container Kit reads and writes."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import anyio.to_thread

from container_kit.stages.artifacts.host_checks import HostCheck
from container_kit.stages.doctor.environment import slow_mount

ADVISORIES = "advisories"
_EXPORTS = "Put exports of OSV there, as {folder}/PyPI/all.zip: https://google.github.io/osv.dev/data/#data-dumps"


async def python() -> list[HostCheck]:
    """Report the Python version. An unsupported version cannot run this code."""
    detail = f"{platform.python_version()} at {sys.executable}, on {platform.platform(terse=True)}"
    return [HostCheck(name="python", outcome="ok", detail=detail, needed=True)]


async def workspace(root: Path) -> list[HostCheck]:
    """Check that a workspace root is readable."""
    return [await anyio.to_thread.run_sync(_workspace, root, abandon_on_cancel=True)]


def _workspace(root: Path) -> HostCheck:
    name = f"workspace {root}"
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except PermissionError:
        detail, repair = "this user may not read it", f"Give this user read and execute permission on {root}."
    except OSError as error:
        detail, repair = f"it cannot be read: {error.strerror}", "Name folders that exist in CONTAINER_KIT_WORKSPACE."
    else:
        if remark := slow_mount(root):
            repair = "Keep repositories in the Linux file system of WSL, for example below ~."
            return HostCheck(name=name, outcome="problem", detail=remark, get=repair)
        return HostCheck(name=name, outcome="ok", detail="readable", needed=True)
    return HostCheck(name=name, outcome="problem", detail=detail, get=repair, needed=True)


async def state_folder(home: Path) -> list[HostCheck]:
    """Check that the state folder is writable."""
    return [await anyio.to_thread.run_sync(_state_folder, home, abandon_on_cancel=True)]


def _state_folder(home: Path) -> HostCheck:
    name = f"state folder {home}"
    nearest = next(folder for folder in (home, *home.parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        detail, repair = f"{nearest} is not a directory", "Set CONTAINER_KIT_HOME to a folder."
    elif not os.access(nearest, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        detail, repair = f"this user may not write to {nearest}", "Set CONTAINER_KIT_HOME to a folder of this user."
    else:
        detail = "writable" if nearest == home else "created at the first run"
        return HostCheck(name=name, outcome="ok", detail=detail, needed=True)
    return HostCheck(name=name, outcome="problem", detail=detail, get=repair, needed=True)


async def advisories(folder: Path) -> list[HostCheck]:
    """Check for the exports of OSV that the built-in matcher uses."""
    return [await anyio.to_thread.run_sync(_advisories, folder, abandon_on_cancel=True)]


def _advisories(folder: Path) -> HostCheck:
    exported: list[str] = []
    with suppress(OSError):
        exported = sorted({export.parent.name for export in folder.glob("*/*")})
    if exported:
        return HostCheck(name=ADVISORIES, outcome="ok", detail=f"{', '.join(exported)} in {folder}")
    detail = f"without a scanner, there is no check for vulnerabilities: no readable exports of OSV in {folder}"
    return HostCheck(name=ADVISORIES, outcome="missing", detail=detail, get=_EXPORTS.format(folder=folder))
