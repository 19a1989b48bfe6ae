"""Checks of optional programs: their versions, and how to install them."""

from __future__ import annotations

import mmap
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.host_checks import HostCheck
from container_kit.stages.contract import expressions as re

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]+)?")
_TRIVY_STAMP = re.compile(
    rb"mod\tgithub\.com/aquasecurity/trivy\tv([0-9][0-9A-Za-z.+-]*)|trivy/pkg/version[/a-z]*\.ver(?:sion)?=([0-9][0-9A-Za-z.+-]*)"
)
_MALICIOUS_TRIVY = frozenset({"0.69.4", "0.69.5", "0.69.6"})  # CVE-2026-33634: they must not run


@dataclass(frozen=True, slots=True)
class Program:
    """An optional program."""

    name: str
    command: tuple[str, ...]
    """The command that prints its version."""
    use: str
    """The effect if it is missing."""
    get: str


PROGRAMS = (
    Program(
        "hadolint",
        ("hadolint", "--version"),
        "Dockerfiles are not linted",
        "One program: https://github.com/hadolint/hadolint/releases",
    ),
    Program(
        "trivy",
        ("trivy", "--version"),
        "images are not scanned by Trivy",
        "https://trivy.dev/latest/getting-started/installation/",
    ),
    Program(
        "grype",
        ("grype", "version"),
        "images are not scanned by Grype",
        "https://github.com/anchore/grype#installation",
    ),
    Program(
        "buildx",
        ("docker", "buildx", "version"),
        "no builds for other platforms than the engine's",
        "The plugin docker-buildx: https://github.com/docker/buildx#installing",
    ),
    Program(
        "kubectl",
        ("kubectl", "version", "--client"),
        "clusters can only be inspected with Container Kit",
        "https://kubernetes.io/docs/tasks/tools/#kubectl",
    ),
)


async def check(program: Program) -> list[HostCheck]:
    """Check one program, and read its version."""
    path = shutil.which(program.command[0])
    if path is None:
        return [_missing(program)]
    if program.name == "trivy":
        stamp = await anyio.to_thread.run_sync(_trivy_stamp, Path(path), abandon_on_cancel=True)
        if stamp in _MALICIOUS_TRIVY:
            detail = f"{stamp} at {path} is one of the malicious releases (CVE-2026-33634); it is never run"
            return [HostCheck(name=program.name, outcome="problem", detail=detail, get=f"Remove it. {program.get}")]
    return [await _check_version(program, path)]


async def _check_version(program: Program, path: str) -> HostCheck:
    try:
        done = await anyio.run_process(
            [path, *program.command[1:]], check=False, cwd="/", stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
    except OSError as error:
        detail = f"{path} cannot be started: {error.strerror}"
        return HostCheck(name=program.name, outcome="problem", detail=detail, get=program.get)
    output = done.stdout.decode("utf-8", "replace")
    version = _VERSION.search(output)
    if done.returncode == 0 and version:
        return HostCheck(name=program.name, outcome="ok", detail=f"{version.group()} at {path}")
    if program.command[0] != program.name:  # the plugin is not installed
        return _missing(program)
    detail = f"could not read the version of {path}: {(output.strip().splitlines() or ['no output'])[-1][:200]}"
    return HostCheck(name=program.name, outcome="problem", detail=detail, get=program.get)


def _missing(program: Program) -> HostCheck:
    detail = f"not installed: {program.use}"
    return HostCheck(name=program.name, outcome="missing", detail=detail, get=program.get)


def _trivy_stamp(path: Path) -> str | None:
    """Read the version from Trivy's program file, without running it."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = _TRIVY_STAMP.search(content)
            return next(part for part in found.groups() if part).decode() if found else None
    except (OSError, ValueError):  # unreadable, or empty
        return None
