"""Files of hosting platforms next to a module: Procfile, nixpacks, railpack, railway, fly and heroku."""

from __future__ import annotations

from typing import Any

from container_kit.stages.analyze.deployment_files.platforms import goes_elsewhere
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.command_ports import PORT_OPTION, port_of_command
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_PROCESS = re.compile(r"^(\w[\w-]*):\s*(\S.*)$", re.MULTILINE)


def read_platform_files(folder: Folder, draft: ModuleDraft) -> None:
    """Claim start command, build command, port and health endpoint. The first web process of a Procfile wins."""
    _read_procfile(folder, draft)
    for path, keys in _FILES.items():
        if folder.has(path):
            read = {".json": folder.json, ".toml": folder.toml}.get(path[-5:], folder.yaml)
            data = read(path)
            for field, dotted in keys.items():
                _claim(folder, draft, path, field, _at(data, dotted))
    if folder.has("app.yaml") and isinstance(folder.yaml("app.yaml").get("runtime"), str):
        draft.port.add(8080, "configuration", folder.place("app.yaml", "runtime"), confidence=0.83)  # the value of PORT


_RAILWAY = {
    "release": "deploy.preDeployCommand",
    "start": "deploy.startCommand",
    "build": "build.buildCommand",
    "health": "deploy.healthcheckPath",
}
_FILES: dict[str, dict[str, str]] = {
    "nixpacks.toml": {"start": "start.cmd", "build": "phases.build.cmds.0"},
    "nixpacks.json": {"start": "start.cmd", "build": "phases.build.cmds.0"},
    "railpack.json": {"start": "deploy.startCommand"},
    "railway.json": {
        "release": "deploy.preDeployCommand",
        "start": "deploy.startCommand",
        "build": "build.buildCommand",
        "health": "deploy.healthcheckPath",
    },
    "railway.toml": {
        "release": "deploy.preDeployCommand",
        "start": "deploy.startCommand",
        "build": "build.buildCommand",
        "health": "deploy.healthcheckPath",
    },
    "fly.toml": {
        "release": "deploy.release_command",
        "port": "http_service.internal_port",
        "port2": "services.0.internal_port",
        "start": "processes.app",
    },
    "heroku.yml": {"start": "run.web"},
    "app.yaml": {"start": "entrypoint"},
    "zbpack.json": {"start": "start_command", "build": "build_command", "output": "output_dir"},
    "vercel.json": {"build": "buildCommand", "output": "outputDirectory"},
    "netlify.toml": {"build": "build.command", "output": "build.publish"},
}


def _read_procfile(folder: Folder, draft: ModuleDraft) -> None:
    processes = dict(_PROCESS.findall(folder.text("Procfile")))
    if release := processes.pop("release", None):
        draft.release.add(release.strip(), "declared", folder.place("Procfile", "release:"), confidence=0.97)
    for name in ("web", "worker", *processes):
        if command := processes.get(name):
            if goes_elsewhere(folder.tree, folder.path, command.strip()):
                return
            place = folder.place("Procfile", f"{name}:")
            draft.start.add(command.strip(), "declared", place, confidence=0.97 if name == "web" else 0.6)
            if name == "web":
                draft.role.add("web", "declared", place, confidence=0.95)
            elif "web" not in processes:
                draft.role.add("worker", "declared", place, confidence=0.7)
            return


def _at(data: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        if isinstance(data, list):
            data = data[int(key)] if key.isdigit() and int(key) < len(data) else None
        else:
            data = data.get(key) if isinstance(data, dict) else None
    return data


def _claim(folder: Folder, draft: ModuleDraft, path: str, field: str, value: Any) -> None:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return
    place = folder.place(path, str(value).splitlines()[0][:60])
    if field.startswith("port"):
        if str(value).isdigit():
            draft.port.add(int(value), "configuration", place, confidence=0.94)
    elif field == "health":
        draft.health.add(str(value), "configuration", place)
    elif field == "output":
        draft.output.add(str(value), "configuration", place)
    elif not goes_elsewhere(folder.tree, folder.path, str(value)):
        claims = {"start": draft.start, "release": draft.release}.get(field, draft.build)
        claims.add(str(value), "declared", place, confidence=0.96)


def read_command_port(draft: ModuleDraft, script: str) -> None:
    """Claim the port of the best start command, or the default of gunicorn.

    Args:
        draft: The claims.
        script: The program that the start command's script runs, or an empty text.
    """
    best = draft.start.best
    if best is None or best.confidence < 0.6:
        return
    if port := port_of_command(best.value) or port_of_command(script):
        sure = max(best.confidence, 0.93) if best.provenance in {"declared", "configuration"} else 0.61
        draft.port.add(port, best.provenance, *best.locations[:1], confidence=sure)
    elif re.search(r"\bgunicorn\b", f"{best.value} {script}") and "PORT" not in f"{best.value} {script}":
        draft.port.add(8000, "framework", *best.locations[:1], confidence=0.61)


def agree(draft: ModuleDraft) -> None:
    """Add the port to an inferred start command."""
    best, port = draft.start.best, draft.port.best
    if best is None or port is None or best.provenance not in {"code", "framework", "guess"}:
        return
    found = PORT_OPTION.search(f" {best.value}")
    if found and int(found[1]) != port.value:
        start, end = found.start(1) - 1, found.end(1) - 1
        command = f"{best.value[:start]}{port.value}{best.value[end:]}"
        draft.start.add(command, best.provenance, *best.locations, confidence=best.confidence + 0.001)
