"""Python: pip, uv, poetry, pdm, pipenv, conda."""

from __future__ import annotations

from collections.abc import Iterable

from container_kit.stages.analyze.claims import Draft
from container_kit.stages.analyze.ecosystem import Ecosystem, Framework
from container_kit.stages.analyze.ecosystems._python_code import PythonFile, read_python
from container_kit.stages.analyze.ecosystems._python_packages import normal, read_packages
from container_kit.stages.analyze.folder import Folder

FRAMEWORKS = (
    Framework("django", ("django", "djangorestframework", "wagtail", "django-cms"), 8000),
    Framework("reflex", ("reflex",), 3000),
    Framework("chainlit", ("chainlit",), 8000),
    Framework("streamlit", ("streamlit",), 8501),
    Framework("gradio", ("gradio",), 7860),
    Framework("nicegui", ("nicegui",), 8080),
    Framework("fasthtml", ("python-fasthtml",), 5001),
    Framework("dash", ("dash",), 8050),
    Framework("fastapi", ("fastapi", "fastapi-cli", "fastapi-slim"), 8000),
    Framework("litestar", ("litestar",), 8000),
    Framework("quart", ("quart",), 5000),
    Framework("sanic", ("sanic",), 8000),
    Framework("robyn", ("robyn",), 8080),
    Framework("blacksheep", ("blacksheep",), 8000),
    Framework("flask", ("flask", "apiflask", "flask-restful", "connexion"), 5000),
    Framework("pyramid", ("pyramid",), 6543),
    Framework("falcon", ("falcon",), 8000),
    Framework("bottle", ("bottle",), 8080),
    Framework("tornado", ("tornado",), 8888),
    Framework("aiohttp", ("aiohttp",), 8080, also_client=True),
    Framework("cherrypy", ("cherrypy",), 8080),
    Framework("starlette", ("starlette",), 8000, also_client=True),
    Framework("panel", ("panel",), 5006),
    Framework("shiny", ("shiny",), 8000),
    Framework("solara", ("solara",), 8765),
    Framework("marimo", ("marimo",), 2718),
    Framework("mesop", ("mesop",), 32123),
    Framework("taipy", ("taipy",), 5000),
    Framework("flet", ("flet",), 8550),
    Framework("bentoml", ("bentoml",), 3000),
    Framework("masonite", ("masonite",), 8000),
    Framework("eve", ("eve",), 5000),
    Framework("hug", ("hug",), 8000),
    Framework("responder", ("responder",), 5042),
    Framework("web.py", ("web-py",), 8080),
    Framework("locust", ("locust",), 8089),
    Framework("airflow", ("apache-airflow",), 8080),
    Framework("mlflow", ("mlflow",), 5000),
    Framework("jupyter", ("jupyterlab", "notebook"), 8888),
    Framework("fastmcp", ("fastmcp",), 8000, also_client=True),
    Framework("celery", ("celery",), None, "worker", also_client=True),
    Framework("scrapy", ("scrapy",), None, "worker"),
    Framework("discord.py", ("discord-py", "py-cord", "nextcord"), None, "worker"),
    Framework("aiogram", ("aiogram",), None, "worker"),
    Framework("python-telegram-bot", ("python-telegram-bot",), None, "worker"),
    Framework("pytelegrambotapi", ("pytelegrambotapi",), None, "worker"),
    Framework("pyrogram", ("pyrogram",), None, "worker"),
    Framework("telethon", ("telethon",), None, "worker"),
)
_BY_PACKAGE = {package: framework for framework in FRAMEWORKS for package in framework.packages}
_ASGI = {"fastapi", "starlette", "litestar", "quart", "blacksheep"}
_SERVERS = {"uvicorn", "hypercorn", "granian", "waitress", "gunicorn"}
"""Servers that a file starts with the name of an application that another file makes."""
_WSGI = {"flask", "bottle", "falcon", "pyramid", "dash"}
_ENTRIES = (
    "main.py",
    "app.py",
    "server.py",
    "wsgi.py",
    "asgi.py",
    "application.py",
    "run.py",
    "api.py",
    "index.py",
    "bot.py",
    "worker.py",
    "web.py",
    "start.py",
    "hello.py",
    "__main__.py",
    "streamlit_app.py",
    "Home.py",
)
_MAX_READ = 60


def describe(folder: Folder, draft: Draft) -> None:
    """Read packaging first, then the files that could be the application."""
    draft.language.add("python", "declared", *[folder.place(path) for path in _manifests(folder)[:1]])
    read_packages(folder, draft)
    draft.package_manager.add("pip", "guess", confidence=0.5)
    files = _read_files(folder)
    if not draft.language.best or not draft.language.best.places:
        draft.language.add("python", "code", *[folder.place(f.path) for f in files[:1]], confidence=0.981)
    manage = _django_manage(folder)
    if manage:
        _describe_django(folder, draft, manage)
        return
    application = _application(files)
    framework = _framework(application, files, draft)
    if framework is None:
        _describe_program(folder, draft, files)
        return
    declared = next((draft.dependencies[name] for name in framework.packages if name in draft.dependencies), None)
    place = _at(folder, application) if application else None
    if application and declared:
        draft.framework.add(framework.name, "code", place, declared, confidence=0.97)
    else:
        draft.framework.add(framework.name, "code" if application else "declared", place, declared, confidence=0.88)
    if framework.name == "django":
        _claim_django_server(folder, draft, "")
    else:
        _describe_application(folder, draft, framework.name, application or _entry(files, framework))


def _manifests(folder: Folder) -> list[str]:
    names = ("pyproject.toml", "requirements.txt", "Pipfile", "setup.py", "environment.yml", "setup.cfg", "uv.lock")
    return [name for name in names if folder.has(name)]


def _read_files(folder: Folder) -> list[PythonFile]:
    """The likeliest entry files first, then the others from the outside in."""
    paths = folder.files(".py", limit=200, depth=4)
    order = {name: place for place, name in enumerate(_ENTRIES)}

    def likely(path: str) -> tuple[int, int, str]:
        name = path.rpartition("/")[2]
        skipped = name in {"setup.py", "conftest.py"} or name.startswith("test_")
        depth = path.removeprefix("src/").count("/") - (name in order)
        return (99 if skipped else depth, order.get(name, 50), path)

    chosen = sorted(paths, key=likely)[:_MAX_READ]
    return [read_python(path, folder.source(path)) for path in chosen]


def _at(folder: Folder, file: PythonFile) -> str:
    return f"{folder.place(file.path).rpartition(':')[0]}:{file.line}"


def _application(files: list[PythonFile]) -> PythonFile | None:
    """The file with the outermost application object; one that is bound at module level wins."""
    found = [file for file in files if file.application and file.kind and file.kind != "celery"]
    bound = [file for file in found if file.application and not file.application.endswith("()")]
    outermost = [*bound[:1], *found[:1]]
    if not outermost:
        return next((file for file in files if file.application and file.path.endswith(("wsgi.py", "asgi.py"))), None)
    depth = min(file.path.count("/") for file in found)
    near = [file for file in bound if file.path.count("/") <= depth + 1]
    running = [f for f in files if f.application and f.runs_itself and f.kind is None and "/" not in f.path]
    starters = [*(f for f in files if f.application and f.path in {"wsgi.py", "asgi.py"}), *running]
    for starter in starters:
        starter.kind = starter.kind or found[0].kind
    return (near or starters or outermost)[0]


def _framework(application: PythonFile | None, files: list[PythonFile], draft: Draft) -> Framework | None:
    if application and application.kind:
        for framework in FRAMEWORKS:
            if framework.name == application.kind:
                return framework
    made = next((file.kind for file in files if file.kind and file.kind != "celery"), None)
    if made and (found := next((framework for framework in FRAMEWORKS if framework.name == made), None)):
        return found
    imported = [_BY_PACKAGE.get(normal(name)) for file in files[:12] for name in sorted(file.imports)]
    used = {framework.name for framework in imported if framework}
    declared = [f for f in FRAMEWORKS if any(package in draft.dependencies for package in f.packages)]
    if not any(file.kind == "celery" and file.path.removeprefix("src/").count("/") < 2 for file in files):
        declared = [f for f in declared if f.name != "celery"]
        used.discard("celery")
    declared = [f for f in declared if not f.also_client or f.name == "celery"]
    chosen = [f for f in declared if f.name in used] or declared
    return next(iter([*chosen, *(f for f in FRAMEWORKS if f.name in used and not f.also_client)]), None)


def _entry(files: list[PythonFile], framework: Framework) -> PythonFile | None:
    served = next((f for f in files if f.runs_itself and f.imports & _SERVERS), None)
    if served and framework.name in _ASGI | _WSGI:
        return served
    using = [f for f in files if any(normal(name) in framework.packages for name in f.imports)]
    named = [f for f in using if f.path.rpartition("/")[2] in _ENTRIES]
    return next(iter([*(f for f in using if f.runs_itself), *named, *using]), None) or _program(files, packaged=False)


def _describe_application(folder: Folder, draft: Draft, framework: str, entry: PythonFile | None) -> None:
    if entry is None:
        return
    place = _at(folder, entry)
    draft.entrypoint.add(entry.path, "code", place)
    if entry.port:
        draft.port.add(entry.port[0], "code", f"{place.rpartition(':')[0]}:{entry.port[1]}")
    if framework == "pyramid" and (settings := folder.first("production.ini", "development.ini")):
        draft.start.add(f"pserve {settings}", "framework", folder.place(settings), confidence=0.86)
    for command, trust in _commands(framework, entry, draft):
        draft.start.add(command, "code" if trust > 0.8 else "framework", place, confidence=trust)


def _commands(framework: str, entry: PythonFile, draft: Draft) -> Iterable[tuple[str, float]]:
    """Start commands with what each is worth, by what is installed and what the file does."""
    port = entry.port[0] if entry.port else None
    run = (_run(entry), 0.85 if entry.runs_itself else 0.3)
    has = draft.dependencies.__contains__
    target = entry.target if entry.application else f"{entry.module}:app"
    if draft.scripts and entry.path.removeprefix("src/").count("/") > 0:
        yield draft.scripts[0], 0.865
    if framework in _ASGI or framework in _WSGI:
        target = f"'{target}'" if target.endswith("()") and has("gunicorn") else target
        if has("gunicorn"):
            worker = " -k uvicorn.workers.UvicornWorker" if framework in _ASGI and has("uvicorn") else ""
            yield f"gunicorn{worker} --bind 0.0.0.0:{port or 8000} {target}", 0.86
        if framework in _ASGI and not (entry.runs_itself and entry.port):
            factory = " --factory" if target.strip("'").endswith("()") else ""
            name = target.strip("'").removesuffix("()")
            yield (
                f"uvicorn {name}{factory} --host 0.0.0.0 --port {port or 8000}",
                0.855 if not entry.runs_itself else 0.84,
            )
        if framework == "flask":
            yield (
                f"flask --app {entry.module} run --host 0.0.0.0 --port {port or 5000}",
                0.7 if entry.application else 0.35,
            )
        yield run
        return
    tools = {
        "streamlit": f"streamlit run {entry.path} --server.address 0.0.0.0 --server.port 8501",
        "chainlit": f"chainlit run {entry.path} --host 0.0.0.0 --port 8000",
        "reflex": "reflex run --env prod",
        "sanic": f"sanic {entry.module}:{entry.application or 'app'} --host 0.0.0.0 --port {port or 8000}",
        "celery": f"celery -A {entry.module} worker",
        "panel": f"panel serve {entry.path} --address 0.0.0.0 --port 5006",
    }
    if framework in tools:
        yield tools[framework], 0.8
    yield run[0], max(run[1], 0.6)


def _run(entry: PythonFile) -> str:
    package = entry.path.endswith("/__main__.py")
    return f"python -m {entry.module.removesuffix('.__main__')}" if package else f"python {entry.path}"


def _django_manage(folder: Folder) -> str | None:
    """The outermost `manage.py` that is Django's, looking two folders deep."""
    for path in folder.files("manage.py", limit=5, depth=3):
        if path.rpartition("/")[2] == "manage.py" and "django" in folder.source(path).lower():
            return path
    return None


def _describe_django(folder: Folder, draft: Draft, manage: str) -> None:
    place = folder.place(manage, "DJANGO_SETTINGS_MODULE")
    draft.framework.add("django", "code", place, draft.dependencies.get("django"), confidence=0.985)
    draft.entrypoint.add(manage, "code", place)
    _claim_django_server(folder, draft, manage)
    draft.start.add(f"python {manage} runserver 0.0.0.0:8000", "framework", place, confidence=0.8)
    draft.port.add(8000, "framework", place, confidence=0.85)


def _claim_django_server(folder: Folder, draft: Draft, manage: str) -> None:
    """Claim the production server that is a dependency, with the module that serves."""
    has = draft.dependencies.__contains__
    for path in folder.files("wsgi.py", "asgi.py", limit=10, depth=4):
        asgi = path.endswith("asgi.py")
        module = path.removesuffix(".py").removeprefix("src/").replace("/", ".")
        inside = manage.rpartition("/")[0]
        if inside:
            module = module.removeprefix(inside.replace("/", ".") + ".")
        if not asgi and has("gunicorn"):
            draft.start.add(f"gunicorn --bind 0.0.0.0:8000 {module}", "code", folder.place(path), confidence=0.86)
        elif asgi and (has("daphne") or has("uvicorn")) and not has("gunicorn"):
            server = "daphne -b 0.0.0.0 -p 8000" if has("daphne") else "uvicorn --host 0.0.0.0 --port 8000"
            draft.start.add(f"{server} {module}:application", "code", folder.place(path), confidence=0.7)
        elif not asgi and not manage:
            draft.start.add(f"gunicorn --bind 0.0.0.0:8000 {module}", "guess", folder.place(path), confidence=0.5)


def _describe_program(folder: Folder, draft: Draft, files: list[PythonFile]) -> None:
    """No framework: a script, a library, or a server of the standard library."""
    packaged = bool(folder.first("setup.py", "setup.cfg")) or "[build-system]" in folder.text("pyproject.toml")
    entry = _program(files, packaged=packaged)
    if entry is None:
        if not draft.start:
            draft.role.add("library", "configuration" if packaged else "guess", confidence=0.7)
        return
    place = _at(folder, entry)
    draft.entrypoint.add(entry.path, "code", place)
    draft.start.add(_run(entry), "code", place, confidence=0.85 if entry.runs_itself else 0.75)
    if entry.port:
        draft.port.add(entry.port[0], "code", f"{place.rpartition(':')[0]}:{entry.port[1]}")


def _program(files: list[PythonFile], *, packaged: bool) -> PythonFile | None:
    """The file that is run: one with a usual name, else one that runs itself; of a package only `__main__.py`."""
    files = [f for f in files if f.path not in {"setup.py", "conftest.py", "noxfile.py", "fabfile.py"}]
    inner = [f for f in files if f.path.endswith("/__main__.py")]
    outer = [f for f in files if not packaged or "/" not in f.path]
    named = [f for f in outer if f.path.rpartition("/")[2] in _ENTRIES]
    running = [f for f in outer if f.runs_itself]
    alone = outer if len(outer) == 1 and "/" not in outer[0].path else []
    return next(
        iter([*(f for f in named if f.runs_itself), *inner, *(named if not packaged else ()), *running, *alone]), None
    )


ECOSYSTEMS = (
    Ecosystem(
        "python",
        describe,
        manifests=(
            "pyproject.toml",
            "requirements.txt",
            "Pipfile",
            "setup.py",
            "environment.yml",
            "environment.yaml",
            "uv.lock",
            "poetry.lock",
            "manage.py",
        ),
        bare=("*.py",),
        frameworks=FRAMEWORKS,
        configured=frozenset(["django"]),
        sources=(".py",),
        rank=30,
    ),
)
