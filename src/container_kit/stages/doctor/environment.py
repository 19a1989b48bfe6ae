"""Checks of where the engine runs, how its ports are reached, and which platforms it builds for."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from container_kit.stages.artifacts.host_checks import HostCheck
from container_kit.stages.contract import expressions as re
from container_kit.stages.docker.endpoint import docker_configuration_folder
from container_kit.stages.docker.engine import DockerEngine

_VIRTUAL = {
    "docker desktop": "Docker Desktop",
    "docker-desktop": "Docker Desktop",
    "colima": "Colima",
    "rancher": "Rancher Desktop",
    "orbstack": "OrbStack",
    "lima": "Lima",
    "podman-machine": "a Podman machine",
}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_INSTALL_EMULATION = "docker run --privileged --rm tonistiigi/binfmt --install all"
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_SLOW_MOUNT = re.compile(r"/mnt/[a-z](/|$)")


def describe(docker: DockerEngine, info: dict[str, Any], headers: dict[str, str]) -> list[HostCheck]:
    """Return the checks of an engine's environment from its own description."""
    return [_kind(docker, info, headers), _ports(docker), _platform(docker, info), *_selinux(info)]


def _kind(docker: DockerEngine, info: dict[str, Any], headers: dict[str, str]) -> HostCheck:
    program = "Podman" if "libpod-api-version" in headers else "Docker Engine"
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ()) or info.get("Rootless")
    where = _place(docker, info)
    detail = f"{program}{', rootless' if rootless else ''}, {where}, {info.get('OperatingSystem') or 'unknown system'}"
    if not rootless:
        return HostCheck(name="engine kind", outcome="ok", detail=detail)
    repair = "Limits need control groups v2 that are delegated to the user; ports below 1024 need a sysctl."
    if info.get("CgroupVersion") == "2" and info.get("MemoryLimit"):
        return HostCheck(name="engine kind", outcome="ok", detail=detail)
    return HostCheck(name="engine kind", outcome="problem", detail=f"{detail}; limits do not work", get=repair)


def _place(docker: DockerEngine, info: dict[str, Any]) -> str:
    if docker.forward_command(1):
        return "remote"
    described = f"{info.get('OperatingSystem')} {info.get('Name')}".lower()
    if name := next((name for word, name in _VIRTUAL.items() if word in described), None):
        return f"in the virtual machine of {name}"
    if info.get("KernelVersion") == platform.release():
        return "native"
    return "in a virtual machine or on another machine"


def _ports(docker: DockerEngine) -> HostCheck:
    if docker.forward_command(1):
        detail = f"published on the engine's machine; `{docker.forward_command(8080)}` makes port 8080 work here"
        return HostCheck(name="ports", outcome="ok", detail=detail)
    with closing(socket.socket()) as trial:
        try:
            trial.bind(("127.0.0.2", 0))
        except OSError:
            detail = "this machine has only 127.0.0.1; HAProxy holds the port of each application"
            return HostCheck(name="ports", outcome="ok", detail=detail)
    return HostCheck(name="ports", outcome="ok", detail="published on 127.0.0.1; all of 127.0.0.0/8 is available")


def _platform(docker: DockerEngine, info: dict[str, Any]) -> HostCheck:
    engine = _machine(str(info.get("Architecture") or "unknown"))
    detail = f"images are built for linux/{engine}"
    here = _machine(platform.machine())
    if here != engine:
        detail += f"; this machine is {here}"
    if docker.forward_command(1) or not _BINFMT.is_dir():
        return HostCheck(name="platform", outcome="ok", detail=f"{detail}; the emulators are not visible from here")
    emulators = sorted(entry.name.removeprefix("qemu-") for entry in _BINFMT.glob("qemu-*"))
    if emulators:
        return HostCheck(name="platform", outcome="ok", detail=f"{detail}; emulators: {', '.join(emulators)}")
    detail += "; no emulators, so images for other processors cannot be built"
    return HostCheck(name="platform", outcome="missing", detail=detail, get=f"`{_INSTALL_EMULATION}`")


def _machine(name: str) -> str:
    return _MACHINES.get(name.lower(), name.lower())


def _selinux(info: dict[str, Any]) -> list[HostCheck]:
    if not any("selinux" in str(option) for option in info.get("SecurityOptions") or ()):
        return []
    return [HostCheck(name="selinux", outcome="ok", detail="the engine labels its volumes")]


async def credential_helpers() -> list[HostCheck]:
    """Check that the credential helpers of Docker's configuration are installed."""
    file = docker_configuration_folder() / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        repair = f"Correct {file}, or set DOCKER_CONFIG."
        return [HostCheck(name="credential helpers", outcome="problem", detail=f"{file}: {error}", get=repair)]
    names = (
        {config.get("credsStore"), *(config.get("credHelpers") or {}).values()} if isinstance(config, dict) else set()
    )
    helpers = sorted(f"docker-credential-{name}" for name in names if name)
    missing = [helper for helper in helpers if shutil.which(helper) is None]
    if missing:
        detail = f"{', '.join(missing)} named in {file}, but not installed: logins cannot be read"
        repair = f"Install it, or remove it from {file} and log in again (`docker login`)."
        return [HostCheck(name="credential helpers", outcome="problem", detail=detail, get=repair)]
    return [HostCheck(name="credential helpers", outcome="ok", detail=", ".join(helpers))] if helpers else []


def slow_mount(root: Path) -> str:
    """Return a remark if a folder of WSL is a Windows drive, which is slow; else an empty text."""
    in_wsl = "microsoft" in platform.release().lower() or "WSL_DISTRO_NAME" in os.environ
    return "a Windows drive, which is slow in WSL" if in_wsl and _SLOW_MOUNT.match(str(root)) else ""
