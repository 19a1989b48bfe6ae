"""Python: pip, uv, poetry, pdm, pipenv, conda."""

from __future__ import annotations

import fnmatch
import re

from container_kit.stages.analyze.ecosystem import Ecosystem, Framework
from container_kit.stages.analyze.evidence.claims import ModuleDraft
from container_kit.stages.analyze.tree.module_folder import Folder
from container_kit.stages.ecosystems.python.django import claim_django_server, describe_django, django_manage
from container_kit.stages.ecosystems.python.frameworks import FRAMEWORKS
from container_kit.stages.ecosystems.python.packaging import normal, read_packages
from container_kit.stages.ecosystems.python.source_code import PythonFile, read_python
from container_kit.stages.ecosystems.python.start_commands import ASGI, WSGI, is_own, run_command, start_commands

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
_SPIDER = r"^    name\s*(?::\s*str\s*)?=\s*[\"']([\w.-]+)[\"']"


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read packaging first, then the files that could be the application."""
    draft.language.add("python", "declared", *[folder.place(path) for path in _manifests(folder)[:1]])
    read_packages(folder, draft)
    draft.package_manager.add("pip", "guess", confidence=0.5)
    files = _read_files(folder)
    if not draft.language.best or not draft.language.best.locations:
        draft.language.add("python", "code", *[folder.place(f.path) for f in files[:1]], confidence=0.981)
    manage = django_manage(folder)
    if manage:
        describe_django(folder, draft, manage)
        return
    application = _application(files)
    framework = _framework(application, files, draft)
    if folder.has("scrapy.cfg") and (spider := folder.find(_SPIDER, ".py")):
        draft.start.add(
            f"scrapy crawl {spider[1][1]}", "framework", folder.place(spider[0], spider[1][0]), confidence=0.87
        )
        draft.role.add("cli", "framework", folder.place("scrapy.cfg"), confidence=0.8)
    if framework is None:
        _describe_program(folder, draft, files)
        return
    declared = next((draft.dependencies[name] for name in framework.packages if name in draft.dependencies), None)
    place = _at(folder, application) if application else None
    if application and declared:
        draft.framework.add(framework.name, "code", place, declared, confidence=0.97)
    else:
        draft.framework.add(framework.name, "code" if application else "declared", place, declared, confidence=0.88)
    if _is_extension(folder, draft, framework, files):
        draft.role.add("library", "configuration", declared, confidence=0.9)
    elif framework.name == "django":
        claim_django_server(folder, draft, "")
    else:
        _describe_application(folder, draft, framework.name, application or _entry(files, framework))


def _is_extension(folder: Folder, draft: ModuleDraft, framework: Framework, files: list[PythonFile]) -> bool:
    """Whether a package only adds to a framework: it makes no application, runs nothing and offers no script."""
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
    """The likeliest entry files first, then the others from the outside in."""
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
    """The file with the outermost application object; one that is bound at module level wins."""
    found = [file for file in files if file.application and file.kind and file.kind != "celery"]
    bound = [file for file in found if file.application and not file.application.endswith("()")]
    outermost = [*bound[:1], *found[:1]]
    made = [f for f in files if f.application and f.kind is None and "/" not in f.path and "()" not in f.application]
    kind = next((file.kind for file in files if file.kind and file.kind != "celery"), None)
    if kind and not bound and made:  # by a factory in another file
        made[0].kind = kind
        return made[0]
    if not outermost:
        return next((file for file in files if file.application and file.path.endswith(("wsgi.py", "asgi.py"))), None)
    depth = min(file.path.count("/") for file in found)
    near = [file for file in bound if file.path.count("/") <= depth + 1]
    running = [f for f in files if f.application and f.runs_itself and f.kind is None and "/" not in f.path]
    starters = [*(f for f in files if f.application and f.path in {"wsgi.py", "asgi.py"}), *running]
    for starter in starters:
        starter.kind = starter.kind or found[0].kind
    return (near or starters or outermost)[0]


def _framework(application: PythonFile | None, files: list[PythonFile], draft: ModuleDraft) -> Framework | None:
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
    if served and framework.name in ASGI | WSGI:
        return served
    using = [
        f for f in files if f.path not in _NO_PROGRAMS and any(normal(name) in framework.packages for name in f.imports)
    ]
    named = [f for f in using if f.path.rpartition("/")[2] in _ENTRIES]
    chosen = next(iter([*(f for f in using if f.runs_itself), *named, *using]), None)
    if chosen and "/" in chosen.path:  # what is inside a package is started by the package
        inside = chosen.path.removeprefix("src/").partition("/")[0]
        chosen = next((f for f in files if f.path.removeprefix("src/") == f"{inside}/__main__.py"), chosen)
    return chosen or _program(files, packaged=False)


def _describe_application(folder: Folder, draft: ModuleDraft, framework: str, entry: PythonFile | None) -> None:
    if entry is None:
        return
    place = _at(folder, entry)
    draft.entrypoint.add(entry.path, "code", place)
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


def _function(folder: Folder, entry: PythonFile) -> str:
    """The function that a platform calls: the one that `project.toml` names, one with a decorator, or the only one."""
    if named := re.search(r"GOOGLE_FUNCTION_TARGET\W+value\W+(\w+)", folder.text("project.toml")):
        return named[1]
    text = folder.source(entry.path)
    marked = re.search(r"^@functions_framework\.\w+[^\n]*\n(?:@[^\n]*\n)*(?:async )?def (\w+)", text, re.MULTILINE)
    defined = marked or re.search(r"^(?:async )?def (\w+)", text, re.MULTILINE)
    return defined[1] if defined else "main"


def _describe_program(folder: Folder, draft: ModuleDraft, files: list[PythonFile]) -> None:
    """No framework: a script, a library, or a server of the standard library."""
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
    """The file that is run: one with a usual name, else one that runs itself; of a package only `__main__.py`."""
    files = [f for f in files if f.path not in _NO_PROGRAMS]
    inner = [f for f in files if f.path.endswith("/__main__.py")]
    outer = [f for f in files if not packaged or "/" not in f.path]
    named = [f for f in outer if f.path.rpartition("/")[2] in _ENTRIES]
    running = sorted((f for f in outer if f.runs_itself), key=lambda f: f.port is None)  # what listens is started
    alone = outer if len(outer) == 1 and "/" not in outer[0].path else []
    return next(
        iter([*(f for f in named if f.runs_itself), *inner, *(named if not packaged else ()), *running, *alone]), None
    )


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """The members of a uv workspace; `*` stands for one folder."""
    tool = folder.toml("pyproject.toml").get("tool") if folder.has("pyproject.toml") else None
    uv = tool.get("uv") if isinstance(tool, dict) else None
    tied = uv.get("workspace") if isinstance(uv, dict) else None
    members = tied.get("members") if isinstance(tied, dict) else None
    members = members if isinstance(members, list) else []
    patterns = [member.strip("./") for member in members if isinstance(member, str)]
    inner = [path for path in folder.folders(depth=4) if path] if any("*" in pattern for pattern in patterns) else []
    found = [path for path in inner if any(_is_member(path, pattern) for pattern in patterns)]
    return ("uv", [*(pattern for pattern in patterns if pattern and "*" not in pattern), *found]) if members else None


def _is_member(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


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
        workspace=workspace,
        configured=frozenset(["django"]),
        sources=(".py",),
        rank=30,
    ),
)
