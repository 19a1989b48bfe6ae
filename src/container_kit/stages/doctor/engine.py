"""Checks of Docker Engine: version, builder, disk, limits, base images, and access to a registry."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import anyio.to_thread

from container_kit.stages.artifacts.host_checks import HostCheck
from container_kit.stages.docker import labels
from container_kit.stages.doctor import environment
from container_kit.stages.doctor.engine_client import EngineClient, NoAnswer

BASE_IMAGES = ("debian:bookworm-slim", "python:3.11-slim", "node:20-slim", "eclipse-temurin:17-jdk")
_MIN_API = (1, 41)  # Docker Engine 20.10
_LOW_DISK = 2 * 10**9


async def engine(client: EngineClient) -> list[HostCheck]:
    """Check the engine."""
    try:
        ping, info = await client.get("/_ping"), await client.get("/info")
    except NoAnswer as error:
        outcome = "missing" if "no answer" in str(error) else "problem"
        return [HostCheck(name="docker engine", outcome=outcome, detail=str(error), get=error.repair, needed=True)]
    if info.status != 200 or not isinstance(info.content, dict):
        detail = f"it answers {info.status}: {info.message}"
        repair = "See the engine's own log; something else may listen at this address."
        return [HostCheck(name="docker engine", outcome="problem", detail=detail, get=repair, needed=True)]
    api = ping.headers.get("api-version", "")
    return [
        _version(client, info.content, api),
        *environment.describe(client.docker, info.content, ping.headers),
        _builder(ping.headers),
        _limits(info.content),
        *await _disk(client, info.content),
    ]


def _version(client: EngineClient, info: dict[str, Any], api: str) -> HostCheck:
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    said = f"{info.get('ServerVersion') or 'unknown version'}, API {api or 'unknown'}, {info.get('Driver')}"
    detail = f"{said}{', rootless' if rootless else ''}, at {client.docker.host}"
    if _numbers(api) >= _MIN_API:
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
    missing = [name for name, key in fields.items() if not info.get(key)]
    version = f"cgroup v{info.get('CgroupVersion') or '?'}"
    if not missing:
        return HostCheck(name="limits", outcome="ok", detail=f"{version}: memory, CPU and processes can be limited")
    detail = f"{version}: no limit for {', '.join(missing)}, so containers run without it"
    repair = "Mount the control groups before the engine starts; a rootless engine needs them delegated to its user."
    return HostCheck(name="limits", outcome="problem", detail=detail, get=repair)


async def _disk(client: EngineClient, info: dict[str, Any]) -> list[HostCheck]:
    """Check the disk of an engine on this machine; the data of other engines is not visible."""
    folder = Path(str(info.get("DockerRootDir") or ""))
    if not client.docker.host.startswith("unix://") or not folder.is_absolute():
        return []
    try:
        free = await anyio.to_thread.run_sync(_free, folder, abandon_on_cancel=True)
    except OSError:  # an engine in a virtual machine, or a folder without permission
        return []
    detail = f"{free / 10**9:.1f} GB free at {folder}"
    if free >= _LOW_DISK:
        return [HostCheck(name="engine disk", outcome="ok", detail=detail)]
    repair = "Free space on the engine's disk: `docker system df`, `docker builder prune`."
    return [HostCheck(name="engine disk", outcome="problem", detail=detail, get=repair)]


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


async def base_image(client: EngineClient, name: str) -> list[HostCheck]:
    """Check that a base image exists, and whether it is the public one."""
    title = f"base image {name}"
    try:
        answer = await client.get(f"/images/{name}/json")
    except NoAnswer as error:
        return [HostCheck(name=title, outcome="problem", detail=str(error), get=error.repair)]
    if answer.status != 200:
        repair = "A build pulls it if the engine reaches a registry; otherwise `docker load` it from another machine."
        return [HostCheck(name=title, outcome="missing", detail="not in the engine", get=repair)]
    image_labels = answer.content.get("Config", {}).get("Labels") or {}
    if image_labels.get(labels.BASE_IMAGE_LOCAL) != "true":
        return [HostCheck(name=title, outcome="ok", detail="in the engine")]
    origin = image_labels.get(labels.BASE_IMAGE_SOURCE, "local files")
    detail = f"{name} was built here from {origin}; it is not the public image"
    return [HostCheck(name=title, outcome="ok", detail=detail)]


async def registry(client: EngineClient) -> list[HostCheck]:
    """Let the engine request a public image, as it does for a pull."""
    try:
        answer = await client.get(f"/distribution/{BASE_IMAGES[0]}/json")
    except NoAnswer as error:
        return [HostCheck(name="registry", outcome="problem", detail=str(error), get=error.repair)]
    if answer.status == 200:
        return [HostCheck(name="registry", outcome="ok", detail="the engine reaches docker.io")]
    if answer.status < 500:
        detail = f"docker.io refuses: {answer.message}"
        return [HostCheck(name="registry", outcome="problem", detail=detail, get="`docker login` raises limits.")]
    repair = "Give the engine a proxy or a registry mirror (`registry-mirrors` in daemon.json), or load base images."
    return [HostCheck(name="registry", outcome="missing", detail=answer.message, get=repair)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
