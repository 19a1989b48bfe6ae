"""What starts a Python application: by the file that is its entry, what that does, and what is installed."""

from __future__ import annotations

from collections.abc import Iterable

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.python.packaging import normal
from container_kit.stages.ecosystems.python.source_files import PythonFile

ASGI = {"fastapi", "starlette", "litestar", "quart", "blacksheep"}
WSGI = {"flask", "bottle", "falcon", "pyramid", "dash"}
_NEEDS_ITS_COMMAND = {"streamlit", "chainlit", "reflex", "panel"}
"""Frameworks whose pages only their own command serves."""


def start_commands(framework: str, entry: PythonFile, draft: ModuleDraft) -> Iterable[tuple[str, float]]:
    """Yield start commands with their confidence, by what is installed and what the file does."""
    is_package = entry.path.endswith("/__main__.py")
    run = (run_command(entry), 0.85 if entry.runs_itself or is_package else 0.3)
    if draft.scripts and entry.package_depth > 0:
        yield draft.scripts[0], 0.865 if not is_package or is_own(draft.scripts[0], draft) else 0.6
    if framework in ASGI or framework in WSGI:
        yield from _server_commands(framework, entry, draft)
        yield run
        return
    if tool := _tool_command(framework, entry):
        yield tool, 0.86 if framework in _NEEDS_ITS_COMMAND else 0.8
    yield run[0], max(run[1], 0.6)


def _server_commands(framework: str, entry: PythonFile, draft: ModuleDraft) -> Iterable[tuple[str, float]]:
    port = entry.port[0] if entry.port else None
    target = entry.target if entry.application else f"{entry.module}:app"
    if "gunicorn" in draft.dependencies and (framework != "dash" or entry.exposed):
        yield _gunicorn(framework, target, port, draft), 0.86
    if framework in ASGI and not (entry.runs_itself and entry.port):
        name = f"{target.removesuffix('()')}{' --factory' if target.endswith('()') else ''}"
        yield f"uvicorn {name} --host 0.0.0.0 --port {port or 8000}", 0.84 if entry.runs_itself else 0.855
    if framework == "flask":
        command = f"flask --app {entry.module} run --host 0.0.0.0 --port {port or 5000}"
        yield command, 0.7 if entry.application else 0.35


def _gunicorn(framework: str, target: str, port: int | None, draft: ModuleDraft) -> str:
    asgi = framework in ASGI and "uvicorn" in draft.dependencies
    worker = " -k uvicorn.workers.UvicornWorker" if asgi else ""
    quoted = f"'{target}'" if target.endswith("()") else target
    return f"gunicorn{worker} --bind 0.0.0.0:{port or 8000} {quoted}"


def _tool_command(framework: str, entry: PythonFile) -> str | None:
    """Return the command of a framework that brings its own."""
    port = entry.port[0] if entry.port else None
    commands = {
        "streamlit": f"streamlit run {entry.path} --server.address 0.0.0.0 --server.port 8501",
        "chainlit": f"chainlit run {entry.path} --host 0.0.0.0 --port 8000",
        "reflex": "reflex run --env prod",
        "sanic": f"sanic {entry.module}:{entry.application or 'app'} --host 0.0.0.0 --port {port or 8000}",
        "celery": f"celery -A {entry.module} worker",
        "panel": f"panel serve {entry.path} --address 0.0.0.0 --port 5006",
    }
    return commands.get(framework)


def is_own(name: str, draft: ModuleDraft) -> bool:
    """Return whether a script or package starts with the distribution's name; `shopd` is a script of `shop`."""
    return bool(draft.name) and normal(name).startswith(normal(draft.name))


def run_command(entry: PythonFile) -> str:
    """Return the command that runs a file: a package by its name, a file by its path."""
    package = entry.path.endswith("/__main__.py") or entry.absolute
    return f"python -m {entry.module.removesuffix('.__main__')}" if package else f"python {entry.path}"
