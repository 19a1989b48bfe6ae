"""Python: pip, uv, poetry, pdm, pipenv, conda."""

from __future__ import annotations

from typing import TypeVar

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.values import strings_in, table_in
from container_kit.stages.ecosystems.python.django import claim_django_server, describe_django, django_manage
from container_kit.stages.ecosystems.python.frameworks import FRAMEWORKS
from container_kit.stages.ecosystems.python.packaging import normal, read_packages
from container_kit.stages.ecosystems.python.source_files import PythonFile, read_python
from container_kit.stages.ecosystems.python.start_commands import ASGI, WSGI, is_own, run_command, start_commands
from container_kit.stages.ecosystems.python.system_packages import SYSTEM_PACKAGES
from container_kit.stages.formats.path_globs import PathGlobs

T = TypeVar("T")

_BY_NAME = {framework.name: framework for framework in FRAMEWORKS}
_BY_PACKAGE = {package: framework for framework in FRAMEWORKS for package in framework.packages}
_SERVERS = {"uvicorn", "hypercorn", "granian", "waitress", "gunicorn"}
"""Servers that a file starts with the name of an application that another file makes."""
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
_NO_PROGRAMS = {"setup.py", "conftest.py", "noxfile.py", "fabfile.py", "hatch_build.py"}
"""Files that tools run, not people."""
_RECOGNISED = ASGI | {"flask", "dash", "django"}
"""Frameworks whose application is seen in the code wherever it is made."""
_MAX_READ = 60
_FEW_FILES = 10
_SERVER_MODULES = ("wsgi.py", "asgi.py")
_SPIDER = r"^    name\s*(?::\s*str\s*)?=\s*[\"']([\w.-]+)[\"']"


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read packaging first, then the files that could be the application."""
    draft.language.add("python", "declared", *[folder.place(path) for path in _manifests(folder)[:1]])
    read_packages(folder, draft)
    draft.package_manager.add("pip", "guess", confidence=0.5)
    files = _read_files(folder)
    if not draft.language.best or not draft.language.best.locations:
        draft.language.add("python", "code", *[folder.place(f.path) for f in files[:1]], confidence=0.981)
    if manage := django_manage(folder):
        describe_django(folder, draft, manage)
        return
    application = _application(files)
    framework = _framework(application, files, draft)
    _claim_spider(folder, draft)
    if framework and application is None and _makes_no_application(folder, framework, files):
        draft.role.add("cli", "code", *[folder.place(file.path) for file in files[:1]], confidence=0.8)
        framework = None
    if framework is None:
        _describe_program(folder, draft, files)
    else:
        _describe_framework(folder, draft, framework, application, files)


def _makes_no_application(folder: Folder, framework: Framework, files: list[PythonFile]) -> bool:
    """Return whether a small program only imports a framework: nothing in it makes or extends an application."""
    if framework.name not in {"flask", "fastapi", "dash"} or len(files) > _FEW_FILES or _is_packaged(folder):
        return False
    made = r"\b(?:Flask|APIFlask|FlaskApp|FlaskAPI|App|Api|FastAPI|FastAPIOffline|Dash|OpenAPI|AirbrakeFlask)\b"
    return folder.find(made, ".py") is None


def _claim_spider(folder: Folder, draft: ModuleDraft) -> None:
    if folder.has("scrapy.cfg") and (spider := folder.find(_SPIDER, ".py")):
        place = folder.place(spider[0], spider[1][0])
        draft.start.add(f"scrapy crawl {spider[1][1]}", "framework", place, confidence=0.87)
        draft.role.add("cli", "framework", folder.place("scrapy.cfg"), confidence=0.8)


def _describe_framework(
    folder: Folder, draft: ModuleDraft, framework: Framework, application: PythonFile | None, files: list[PythonFile]
) -> None:
    declared = next((draft.dependencies[name] for name in framework.packages if name in draft.dependencies), None)
    place = _at(folder, application) if application else None
    sure = 0.97 if application and declared else 0.88
    draft.framework.add(framework.name, "code" if application else "declared", place, declared, confidence=sure)
    if _is_extension(folder, draft, framework, files):
        draft.role.add("library", "configuration", declared, confidence=0.9)
    elif framework.name == "django":
        claim_django_server(folder, draft, "")
    else:
        _describe_application(folder, draft, framework.name, application or _entry(files, framework))


def _is_extension(folder: Folder, draft: ModuleDraft, framework: Framework, files: list[PythonFile]) -> bool:
    """Return whether a package only adds to a framework: it makes no application, runs nothing and offers no script."""
    if framework.name not in _RECOGNISED or not _is_packaged(folder) or draft.scripts or draft.start:
        return False
    runs = any(file.application or file.kind or file.runs_itself or file.path.endswith("__main__.py") for file in files)
    return not runs and not folder.files("settings.py", "wsgi.py", "asgi.py", limit=1, depth=4)


def _is_packaged(folder: Folder) -> bool:
    return bool(folder.first("setup.py", "setup.cfg")) or "[build-system]" in folder.text("pyproject.toml")


def _manifests(folder: Folder) -> list[str]:
    names = ("pyproject.toml", "requirements.txt", "Pipfile", "setup.py", "environment.yml", "setup.cfg", "uv.lock")
    return [name for name in names if folder.has(name)]


def _read_files(folder: Folder) -> list[PythonFile]:
    """Return the likeliest entry files first, then the others from the outside in."""
    paths = folder.files(".py", limit=200, depth=4)
    order = {name: place for place, name in enumerate(_ENTRIES)}

    def likely(path: str) -> tuple[int, int, str]:
        name = path.rpartition("/")[2]
        skipped = name in _NO_PROGRAMS or name.startswith("test_")
        depth = path.removeprefix("src/").count("/") - (name in order)
        return (99 if skipped else depth, order.get(name, 50), path)

    chosen = sorted(paths, key=likely)[:_MAX_READ]
    files = [read_python(path, folder.source(path)) for path in chosen]
    imported = {name for file in files for name in file.imports}
    for file in files:
        file.absolute = "/" in file.path and file.path.partition("/")[0] in imported
    return files


def _at(folder: Folder, file: PythonFile) -> str:
    return f"{folder.place(file.path).rpartition(':')[0]}:{file.line}"


def _application(files: list[PythonFile]) -> PythonFile | None:
    """Return the file with the outermost application object; one that is bound at module level wins."""
    servers = [file for file in files if file.is_server]
    bound = [file for file in servers if not file.is_factory]
    if not bound and (by_factory := _made_by_factory(files)):
        return by_factory
    if not servers:
        return next((file for file in files if file.application and file.path.endswith(_SERVER_MODULES)), None)
    return _first(_near(bound, servers), _starters(files, servers[0]), bound, servers)


def _near(bound: list[PythonFile], servers: list[PythonFile]) -> list[PythonFile]:
    outermost = min(file.depth for file in servers)
    return [file for file in bound if file.depth <= outermost + 1]


def _made_by_factory(files: list[PythonFile]) -> PythonFile | None:
    """Return the file at the root that binds what a factory in another file makes."""
    kind = _web_kind(files)
    binding = next((file for file in files if file.binds_unknown and "()" not in (file.application or "")), None)
    if kind and binding:
        binding.kind = kind
        return binding
    return None


def _web_kind(files: list[PythonFile]) -> str | None:
    """Return the first framework, apart from Celery, whose application object a file makes."""
    return next((file.kind for file in files if file.kind and file.kind != "celery"), None)


def _starters(files: list[PythonFile], server: PythonFile) -> list[PythonFile]:
    """Return the files that start an application that another file makes: server modules, then programs."""
    starters = [file for file in files if file.application and file.path in _SERVER_MODULES]
    starters += [file for file in files if file.binds_unknown and file.runs_itself]
    for starter in starters:
        starter.kind = starter.kind or server.kind
    return starters


def _framework(application: PythonFile | None, files: list[PythonFile], draft: ModuleDraft) -> Framework | None:
    for kind in (application.kind if application else None, _web_kind(files)):
        if kind in _BY_NAME:
            return _BY_NAME[kind]
    used = _imported_frameworks(files)
    workers = any(file.kind == "celery" and file.package_depth < 2 for file in files)
    declared = [f for f in FRAMEWORKS if _is_declared(f, draft) and _can_be_application(f, workers=workers)]
    chosen = [framework for framework in declared if framework.name in used] or declared
    return _first(chosen, [f for f in FRAMEWORKS if f.name in used and not f.also_client])


def _imported_frameworks(files: list[PythonFile]) -> set[str]:
    imported = {normal(name) for file in files[:12] for name in file.imports}
    return {_BY_PACKAGE[package].name for package in imported & _BY_PACKAGE.keys()}


def _is_declared(framework: Framework, draft: ModuleDraft) -> bool:
    return any(package in draft.dependencies for package in framework.packages)


def _can_be_application(framework: Framework, *, workers: bool) -> bool:
    """Return whether a dependency on a framework makes an application; Celery's also needs a file with workers."""
    return workers if framework.name == "celery" else not framework.also_client


def _first(*choices: list[T]) -> T | None:
    """Return the first item of the first list that is not empty."""
    return next((item for choice in choices for item in choice), None)


def _entry(files: list[PythonFile], framework: Framework) -> PythonFile | None:
    server = next((f for f in files if f.runs_itself and f.imports & _SERVERS), None)
    if server and framework.name in ASGI | WSGI:
        return server
    using = [file for file in files if file.path not in _NO_PROGRAMS and _uses(file, framework)]
    chosen = _first(_running(using), _usually_named(using), using)
    if chosen and chosen.depth:  # a file inside a package is started by the package
        main = f"{chosen.path.removeprefix('src/').partition('/')[0]}/__main__.py"
        chosen = next((file for file in files if file.path.removeprefix("src/") == main), chosen)
    return chosen or _program(files, packaged=False)


def _running(files: list[PythonFile]) -> list[PythonFile]:
    return [file for file in files if file.runs_itself]


def _usually_named(files: list[PythonFile]) -> list[PythonFile]:
    return [file for file in files if file.name in _ENTRIES]


def _uses(file: PythonFile, framework: Framework) -> bool:
    return any(normal(name) in framework.packages for name in file.imports)


def _describe_application(folder: Folder, draft: ModuleDraft, framework: str, entry: PythonFile | None) -> None:
    if entry is None:
        return
    place = _at(folder, entry)
    draft.entrypoint.add(entry.path, "code", place)
    _claim_migration(folder, draft, entry)
    if entry.port:
        draft.port.add(entry.port[0], "code", f"{place.rpartition(':')[0]}:{entry.port[1]}")
    if framework == "functions-framework":
        target = _function(folder, entry)
        draft.start.add(f"functions-framework --target={target}", "framework", place, confidence=0.86)
        return
    if framework == "fasthtml" and not re.search(r"\bserve\(|\buvicorn\.run\(", folder.source(entry.path)):
        draft.start.add(f"uvicorn {entry.module}:app --host 0.0.0.0 --port 8000", "framework", place, confidence=0.86)
        draft.port.add(8000, "framework", place, confidence=0.7)
    if framework == "pyramid" and (settings := folder.first("production.ini", "development.ini")):
        draft.start.add(f"pserve {settings}", "framework", folder.place(settings), confidence=0.86)
    for command, trust in start_commands(framework, entry, draft):
        draft.start.add(command, "code" if trust > 0.8 else "framework", place, confidence=trust)


def _claim_migration(folder: Folder, draft: ModuleDraft, entry: PythonFile) -> None:
    """Claim the migration of a database by Alembic or Flask-Migrate, unless the start command does it."""
    if "upgrade" in (draft.start.value or ""):
        return
    if "flask-migrate" in draft.dependencies and folder.has("migrations/env.py"):
        place = folder.place("migrations/env.py")
        draft.release.add(f"flask --app {entry.module} db upgrade", "framework", place, confidence=0.8)
    elif "alembic" in draft.dependencies and folder.has("alembic.ini"):
        draft.release.add("alembic upgrade head", "framework", folder.place("alembic.ini"), confidence=0.8)


def _function(folder: Folder, entry: PythonFile) -> str:
    """Return the function that a platform calls: the one in `project.toml`, one with a decorator, or the only one."""
    if named := re.search(r"GOOGLE_FUNCTION_TARGET\W+value\W+(\w+)", folder.text("project.toml")):
        return named[1]
    text = folder.source(entry.path)
    marked = re.search(r"^@functions_framework\.\w+[^\n]*\n(?:@[^\n]*\n)*(?:async )?def (\w+)", text, re.MULTILINE)
    defined = marked or re.search(r"^(?:async )?def (\w+)", text, re.MULTILINE)
    return defined[1] if defined else "main"


def _describe_program(folder: Folder, draft: ModuleDraft, files: list[PythonFile]) -> None:
    """Describe a module without a framework: a script, a library, or a server of the standard library."""
    packaged = _is_packaged(folder)
    entry = _program(files, packaged=packaged)
    if entry is None:
        if not draft.start:
            draft.role.add("library", "configuration" if packaged else "guess", confidence=0.7)
        return
    place = _at(folder, entry)
    draft.entrypoint.add(entry.path, "code", place)
    of_another = "/" in entry.path and draft.scripts and not is_own(entry.module.partition(".")[0], draft)
    trust = 0.85 if entry.runs_itself else 0.75
    draft.start.add(run_command(entry), "code", place, confidence=0.6 if of_another else trust)
    if entry.port:
        draft.port.add(entry.port[0], "code", f"{place.rpartition(':')[0]}:{entry.port[1]}")


def _program(files: list[PythonFile], *, packaged: bool) -> PythonFile | None:
    """Return the file that is run: a usual name, else one that runs itself; of a package only `__main__.py`."""
    files = [file for file in files if file.path not in _NO_PROGRAMS]
    inner = [file for file in files if file.path.endswith("/__main__.py")]
    outer = [file for file in files if not packaged or not file.depth]
    named = _usually_named(outer)
    running = sorted(_running(outer), key=lambda file: file.port is None)  # a file that listens is started
    only = outer if len(outer) == 1 and not outer[0].depth else []
    return _first(_running(named), inner, [] if packaged else named, running, only)


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the members of a uv workspace; `*` stands for one folder."""
    uv = table_in(table_in(folder.toml("pyproject.toml"), "tool"), "uv")
    members = table_in(uv, "workspace").get("members")
    if not isinstance(members, list) or not members:
        return None
    patterns = [member.strip("./") for member in strings_in(members)]
    return "uv", [*(pattern for pattern in patterns if pattern and "*" not in pattern), *_matching(folder, patterns)]


def _matching(folder: Folder, patterns: list[str]) -> list[str]:
    if not any("*" in pattern for pattern in patterns):
        return []
    members = PathGlobs(patterns)
    return [path for path in folder.folders(depth=4) if path and members.matches(path)]


DETECTORS = (
    Detector(
        "python",
        describe,
        version_tools=("python",),
        system_packages=SYSTEM_PACKAGES,
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
        entry_files=("*.py",),
        frameworks=FRAMEWORKS,
        workspace=workspace,
        port_from_config=frozenset(["django"]),
        sources=(".py",),
        rank=30,
    ),
)
