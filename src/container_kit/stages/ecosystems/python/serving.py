"""From the start command that the analysis found to one that serves in an image.

A development server, a server with one synchronous worker and a server on the loopback address are each replaced.
"""

from __future__ import annotations

from dataclasses import replace

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.start_command import Command, listening
from container_kit.stages.ecosystems.python.django_serving import static_files
from container_kit.stages.ecosystems.python.launcher import LAUNCHER, launcher
from container_kit.stages.ecosystems.python.requirements import declares
from container_kit.stages.ecosystems.python.shell_scripts import SERVE_FOLDER, Serving, shell_script
from container_kit.stages.ecosystems.python.source_files import PythonFile, read_python
from container_kit.stages.ecosystems.python.start_commands import ASGI, WSGI

_BY_FRAMEWORK = {
    "gradio": {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_ANALYTICS_ENABLED": "False"},  # noqa: S104 - a container
    "streamlit": {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"},
    "panel": {"BOKEH_ALLOW_WS_ORIGIN": "*"},
}
"""Variables with which a framework listens on every address, and opens its socket on every public port."""
THREADS = 8
"""Requests that one worker answers at the same time: an idle connection of a browser occupies a thread."""
_SERVERS = {
    "gunicorn": "gunicorn>=20",
    "uvicorn": "uvicorn>=0.20",
    "hypercorn": "hypercorn>=0.14",
    "daphne": "daphne>=4",
    "waitress-serve": "waitress>=2",
}
_PYTHON = ("python", "python3")
_CHOOSES_WORKERS = re.compile(r"(?:^|\s)(?:-k|--worker-class|--threads|-c|--config)\b")
_LOOPBACK = re.compile(r"localhost|127\.0\.0\.1|\[?::1\]?|[\"']::1[\"']")
_LISTENS_ON_LOOPBACK = re.compile(
    r"\buvicorn\.(?:run|Config)\(|\brun\(|\brun_server\(|\bserve\(|\blaunch\(|\bbind\(|\blisten\(|TCPServer\(|HTTPServer\("
    r"|make_server\(|run_app\(|start_server\(|create_server\("
)


def default_variables(app: App) -> dict[str, str]:
    """Return the variables that a framework needs to be reached."""
    return dict(_BY_FRAMEWORK.get(app.framework, {}))


def serving(app: App) -> Serving:
    """Return how an application is served."""
    command = app.command()
    if app.start_given or app.port is None:
        return _complete(app, Serving(command))
    arguments = command.arguments
    if app.framework == "django" and (static := static_files(app, arguments, app.port)):
        return _complete(app, Serving(Command(static.arguments, command.environment), static.requirements,
            static.files, static.reasons))  # fmt: skip
    if shell := shell_script(app, command):
        return shell
    if script := _script(app, arguments):
        return _complete(app, _serve_script(app, command, script))
    if arguments[:1] == ("flask",) and "run" in arguments:
        return _complete(app, _serve_flask(app, command))
    return _complete(app, Serving(replace(command, arguments=_without_development(arguments))))


def _complete(app: App, serving: Serving) -> Serving:
    """Add threads to gunicorn, and the server if the project does not declare it."""
    arguments = _with_threads(app, serving.command.arguments)
    server = _SERVERS.get(arguments[0], "")
    missing = (server,) if server and not declares(app, arguments[0].removesuffix("-serve")) else ()
    reasons = serving.reasons
    if missing:
        why = "the project declares no production server" if not app.start_given else "the start command needs it"
        reasons = (*reasons, Reason(decision=f"{arguments[0]} added", rationale=why))
    if arguments != serving.command.arguments:
        rationale = "one synchronous worker would wait for the idle connection of a browser"
        reasons = (*reasons, Reason(decision=f"{THREADS} threads", rationale=rationale))
    command = replace(serving.command, arguments=arguments)
    return replace(serving, command=command, requirements=(*missing, *serving.requirements), reasons=reasons)


def _with_threads(app: App, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Let a worker of gunicorn answer several requests, unless the project chose the kind of worker."""
    if any(app.tree.exists(app.inside(name)) for name in ("gunicorn.conf.py", "gunicorn_config.py")):
        return arguments
    if arguments[0] == "gunicorn" and not _CHOOSES_WORKERS.search(" ".join(arguments)):
        return (*arguments, f"--threads={THREADS}")
    if arguments[:2] == ("sh", "-c") and "gunicorn" in arguments[2] and not _CHOOSES_WORKERS.search(arguments[2]):
        return (*arguments[:2], re.sub(r"\bgunicorn ", f"gunicorn --threads={THREADS} ", arguments[2]))
    return arguments


def _without_development(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Drop the reloading of changed files, which starts a second process."""
    kept = tuple(word for word in arguments if word not in {"--reload", "--debug", "--dev"})
    return ("fastapi", "run", *kept[2:]) if kept[:2] == ("fastapi", "dev") else kept


def _script(app: App, arguments: tuple[str, ...]) -> PythonFile | None:
    """Return the file that a command runs with Python."""
    if arguments[0] not in _PYTHON or len(arguments) < 2:
        return None
    path = arguments[1]
    if path == "-m" and len(arguments) > 2:
        module = arguments[2].replace(".", "/")
        named = (f"{folder}{module}{end}" for folder in ("", "src/") for end in ("/__main__.py", ".py"))
        path = next((name for name in named if app.tree.exists(app.inside(name))), "")
    text = app.tree.text(app.inside(path)) if path.endswith(".py") else None
    return None if text is None else read_python(path, text)


def _serve_script(app: App, command: Command, file: PythonFile) -> Serving:
    """Serve what a script makes by a production server, else run the script so that it can be reached."""
    target = _importable(file)
    if target and (server := _server(app, file, target)):
        why = f"{file.path} starts a development server or listens on the loopback address; {server[0]} runs {target}"
        return Serving(
            Command(server, command.environment), reasons=(Reason(decision=f"{server[0]} {target}", rationale=why),)
        )
    text = app.tree.text(app.inside(file.path)) or ""
    if not _is_unreachable(app, text):
        return Serving(command)
    run = ("python", f"{SERVE_FOLDER}/{LAUNCHER}", *command.arguments[1:])
    packages = _patched(app, file)
    requirements = ("waitress>=2",) if "flask" in packages and not declares(app, "waitress") else ()
    rationale = f"{file.path} starts its server on the loopback address, or one for development"
    return Serving(
        Command(run, command.environment),
        requirements,
        ((LAUNCHER, launcher(packages)),),
        (Reason(decision=f"{file.path} listens on every address of the container", rationale=rationale),),
    )


def _patched(app: App, file: PythonFile) -> list[str]:
    """Return the packages whose servers the launcher replaces."""
    imported = {*file.imports, *({"flask"} if app.framework in {"flask", "dash"} else ())}
    return [name for name in ("flask", "flask_socketio", "uvicorn") if name in imported]


def _importable(file: PythonFile) -> str | None:
    """Return `module:application` if importing a file makes the application, and running it prepares nothing more."""
    if not file.application or file.is_factory or not file.only_runs or file.kind == "celery":
        return None
    if file.kind not in WSGI | ASGI | {None} or (file.kind == "dash" and not file.exposed):
        return None
    return f"{file.module}:{file.application}" if re.fullmatch(r"[\w.]+", file.module) else None


def _server(app: App, file: PythonFile, target: str) -> tuple[str, ...] | None:
    kind = file.kind or app.framework
    text = app.tree.text(app.inside(file.path)) or ""
    if "socketio" in text.lower() or ("falcon.asgi" in text and kind != "falcon"):
        return None
    if kind in ASGI or "falcon.asgi" in text:
        program = "hypercorn" if kind == "quart" else "uvicorn"
        return listening((program, target), app.port)
    if kind in WSGI:
        return listening(("gunicorn", target), app.port)
    return None


def _is_unreachable(app: App, text: str) -> bool:
    """Return whether a script listens on the loopback address by its text or by the default of its framework."""
    calls = _LISTENS_ON_LOOPBACK.search(text) is not None
    default = app.framework in {"flask", "dash", "bottle", "quart", "sanic", *ASGI}
    return calls and (default or _LOOPBACK.search(text) is not None)


def _serve_flask(app: App, command: Command) -> Serving:
    """Serve by gunicorn what `flask run` would serve, if its application is known."""
    entry = app.module.entrypoint.value or ""
    text = app.tree.text(app.inside(entry)) if entry.endswith(".py") else None
    file = read_python(entry, text) if text is not None else None
    if file is None or not file.application or file.kind not in {"flask", None}:
        return Serving(command)
    module = file.module
    if "--app" in command.arguments and app.tree.exists(app.inside(entry.removeprefix("src/"))):
        module = command.arguments[command.arguments.index("--app") + 1].partition(":")[0].removesuffix(".py")
    if not re.fullmatch(r"[\w.]+", module):
        return Serving(command)
    arguments = listening(("gunicorn", f"{module}:{file.application}"), app.port)
    why = "flask run is a server for development"
    return Serving(
        Command(arguments, command.environment), reasons=(Reason(decision=" ".join(arguments), rationale=why),)
    )
