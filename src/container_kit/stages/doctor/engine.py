"""Docker Engine: its version, builder, disk and limits; the base images it has; whether it reaches a registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio.to_thread

from container_kit.stages.artifacts.host_checks import HostCheck
from container_kit.stages.docker.labels import BASE_IMAGE_LOCAL, BASE_IMAGE_SOURCE
from container_kit.stages.doctor.ask_engine import AskEngine, NoAnswer

BASE_IMAGES = ("debian:bookworm-slim", "python:3.11-slim", "node:20-slim", "eclipse-temurin:17-jdk")
_OLDEST_API = (1, 41)  # Docker Engine 20.10
_LITTLE_DISK = 2 * 10**9


async def engine(ask: AskEngine) -> list[HostCheck]:
    """Look at the engine itself."""
    try:
        ping, info = await ask.get("/_ping"), await ask.get("/info")
    except NoAnswer as trouble:
        outcome = "missing" if "no answer" in str(trouble) else "problem"
        return [HostCheck(name="docker engine", outcome=outcome, detail=str(trouble), get=trouble.repair, needed=True)]
    if info.status != 200 or not isinstance(info.content, dict):
        detail = f"it answers {info.status}: {info.message}"
        repair = "See the engine's own log; something else may listen at this address."
        return [HostCheck(name="docker engine", outcome="problem", detail=detail, get=repair, needed=True)]
    api = ping.headers.get("api-version", "")
    return [
        _version(ask, info.content, api),
        _builder(ping.headers),
        _limits(info.content),
        *await _disk(ask, info.content),
    ]


def _version(ask: AskEngine, info: dict[str, Any], api: str) -> HostCheck:
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    said = f"{info.get('ServerVersion') or 'unknown version'}, API {api or 'unknown'}, {info.get('Driver')}"
    detail = f"{said}{', rootless' if rootless else ''}, at {ask.docker.host}"
    if _numbers(api) >= _OLDEST_API:
        return HostCheck(name="docker engine", outcome="ok", detail=detail, needed=True)
    repair = "Update it to Docker Engine 20.10 (API 1.41) or newer."
    return HostCheck(name="docker engine", outcome="problem", detail=detail, get=repair, needed=True)


def _builder(headers: dict[str, str]) -> HostCheck:
    if "libpod-api-version" not in headers:  # every engine that is new enough has BuildKit; Podman never has
        return HostCheck(name="buildkit", outcome="ok", detail="the engine builds with BuildKit")
    detail = "Podman builds without BuildKit: no build secrets, less progress"
    return HostCheck(name="buildkit", outcome="missing", detail=detail, get="Use Docker Engine 20.10 or newer.")


def _limits(info: dict[str, Any]) -> HostCheck:
    fields = {"memory": "MemoryLimit", "CPU": "CpuCfsQuota", "processes": "PidsLimit"}
    lacking = [name for name, key in fields.items() if not info.get(key)]
    version = f"cgroup v{info.get('CgroupVersion') or '?'}"
    if not lacking:
        return HostCheck(name="limits", outcome="ok", detail=f"{version}: memory, CPU and processes can be limited")
    detail = f"{version}: no limit for {', '.join(lacking)}, so containers run without it"
    repair = "Mount the control groups before the engine starts; a rootless engine needs them delegated to its user."
    return HostCheck(name="limits", outcome="problem", detail=detail, get=repair)


async def _disk(ask: AskEngine, info: dict[str, Any]) -> list[HostCheck]:
    """Only an engine on this machine has its data where we can look."""
    folder = Path(str(info.get("DockerRootDir") or ""))
    if not ask.docker.host.startswith("unix://") or not folder.is_absolute():
        return []
    try:
        free = await anyio.to_thread.run_sync(_free, folder, abandon_on_cancel=True)
    except OSError:  # an engine in a virtual machine, or a folder that is not ours to see
        return []
    detail = f"{free / 10**9:.1f} GB free at {folder}"
    if free >= _LITTLE_DISK:
        return [HostCheck(name="engine disk", outcome="ok", detail=detail)]
    repair = "Free space on the engine's disk: `docker system df`, `docker builder prune`."
    return [HostCheck(name="engine disk", outcome="problem", detail=detail, get=repair)]


def _free(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


async def base_image(ask: AskEngine, name: str) -> list[HostCheck]:
    """Look for a base image, and whether it is the public one."""
    title = f"base image {name}"
    try:
        answer = await ask.get(f"/images/{name}/json")
    except NoAnswer as trouble:
        return [HostCheck(name=title, outcome="problem", detail=str(trouble), get=trouble.repair)]
    if answer.status != 200:
        repair = "A build pulls it where the engine reaches a registry; else `docker load` it from another machine."
        return [HostCheck(name=title, outcome="missing", detail="not in the engine", get=repair)]
    labels = answer.content.get("Config", {}).get("Labels") or {}
    if labels.get(BASE_IMAGE_LOCAL) != "true":
        return [HostCheck(name=title, outcome="ok", detail="in the engine")]
    source = labels.get(BASE_IMAGE_SOURCE, "what this machine has")
    detail = f"{name} was made here from {source}; it is not the public image"
    return [HostCheck(name=title, outcome="ok", detail=detail)]


async def registry(ask: AskEngine) -> list[HostCheck]:
    """Have the engine ask for a public image, as it would for a pull."""
    try:
        answer = await ask.get(f"/distribution/{BASE_IMAGES[0]}/json")
    except NoAnswer as trouble:
        return [HostCheck(name="registry", outcome="problem", detail=str(trouble), get=trouble.repair)]
    if answer.status == 200:
        return [HostCheck(name="registry", outcome="ok", detail="the engine reaches docker.io")]
    if answer.status < 500:
        detail = f"docker.io refuses: {answer.message}"
        return [HostCheck(name="registry", outcome="problem", detail=detail, get="`docker login` raises limits.")]
    repair = "Give the engine a proxy or a registry mirror (`registry-mirrors` in daemon.json), or load base images."
    return [HostCheck(name="registry", outcome="missing", detail=answer.message, get=repair)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
