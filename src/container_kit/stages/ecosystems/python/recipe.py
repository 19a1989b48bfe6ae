"""Python: the dependencies in a virtual environment, made in one stage and copied to the last."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages, runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    cached,
    chain,
    environment,
    system_packages,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.python.django_serving import collect_static
from container_kit.stages.ecosystems.python.interpreters import interpreters
from container_kit.stages.ecosystems.python.launcher import LAUNCHER
from container_kit.stages.ecosystems.python.requirements import (
    PRINT_DEPENDENCIES,
    PRINT_PIPFILE,
    copy_included,
    foreign,
    leave_out_foreign,
    requirements,
    with_included,
)
from container_kit.stages.ecosystems.python.serving import default_variables, serving
from container_kit.stages.ecosystems.python.shell_scripts import SERVE_FOLDER, Serving
from container_kit.stages.ecosystems.python.source_files import read_python
from container_kit.stages.ecosystems.python.stale_locks import is_stale

_VERSIONS = ("3.13", "3.14", "3.12", "3.11", "3.15", "3.10", "3.9", "3.8")
_PIP_CACHE = "/root/.cache/pip"
_VENV = {"VIRTUAL_ENV": "/opt/venv", "PATH": "/opt/venv/bin:$PATH"}
_RUN = _VENV | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_IGNORE = ("**/__pycache__", "**/*.py[cod]", "**/.venv", "**/venv", "**/.pytest_cache", "**/.mypy_cache",
    "**/.ruff_cache", "**/.tox", "**/*.egg-info", "**/htmlcov", "**/.coverage")  # fmt: skip


_MANIFESTS = ("pyproject.toml", "Pipfile", "setup.py", "setup.cfg")
_OUT_OF_DATE = "{} is out of date and was not kept to; renew it with `{}`"


@dataclass(frozen=True, slots=True)
class _Install:
    """How a package manager fills the virtual environment."""

    dependencies: str
    """Run where only the manifests are."""
    why: str
    """How strictly the lockfile is kept."""
    cache: str = _PIP_CACHE
    tool: str = ""
    """What is installed to do it, with its version."""
    environment: tuple[tuple[str, str], ...] = ()
    project: str = ""
    """Run where the source is, to install the project itself."""
    needs_source: bool = False
    add: str = "pip install"


def python_build(app: App, bases: Bases) -> Build:
    """Return a build stage that installs and then runs the build command, for a site that Python generates."""
    base = _base(app, bases)
    return Build(base, _build(app, base, _MANAGERS.get(app.manager, _pip)(app), None))


def _base(app: App, bases: Bases) -> Base:
    versions, rationale = interpreters(app, _VERSIONS)
    return bases.pick(*(Base(f"python:{version}-slim", probe="python") for version in versions), rationale=rationale)


def python(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Python application."""
    base = _base(app, bases)
    served = serving(app)
    command = served.command
    install = _MANAGERS.get(app.manager, _pip)(app)
    in_source = bool(install.project or install.needs_source or app.build or collect_static(app))
    runtime = RuntimeImage(
        base,
        command.arguments,
        copies=(
            "COPY --from=build /opt/venv /opt/venv",
            f"COPY --from=build {app.folder} {app.folder}" if in_source else app.copy_source(),
        ),
        environment=_on_path(served) | _module_path(app, served) | default_variables(app) | dict(command.environment),
        packages=runtime_packages(app.packages),
        workdir=app.folder,
        release=app.release,
    )
    build = Build(base, _build(app, base, install, served))
    reasons = (Reason(decision=f"{app.manager or 'pip'} install", rationale=install.why), *served.reasons)
    return Recipe((build,), runtime, ignore=_IGNORE, reasons=reasons)


def _build(app: App, base: Base, install: _Install, served: Serving | None) -> tuple[str, ...]:
    added = " ".join(f'"{requirement}"' for requirement in served.requirements) if served else ""
    dependencies = chain(install.dependencies, f"{install.add} {added}" if added else "")
    source = (app.copy_source(),)
    manifests = (*app.copy_manifests(), *copy_included(app), *(source if install.needs_source else ()))
    later = chain(install.project, app.build or "", collect_static(app) if served else "")
    return (
        *system_packages(base, (*build_packages(app.packages), *_clones(app))),
        *environment({"PIP_DISABLE_PIP_VERSION_CHECK": "1", **dict(install.environment)}),
        "WORKDIR /app",
        cached(_PIP_CACHE, chain(f"pip install {install.tool}", "python -m venv /opt/venv"))
        if install.tool
        else "RUN python -m venv /opt/venv",
        *environment(_VENV),
        *manifests,
        *app.enter(),
        cached(install.cache, dependencies),
        *(source if later and not install.needs_source else ()),
        *((cached(install.cache, later),) if later else ()),
        *(_write_file(name, text) for name, text in (served.files if served else ())),
    )


def _clones(app: App) -> tuple[str, ...]:
    """Return the program that a requirement from a repository needs."""
    file = requirements(app)
    texts = [with_included(app, file) if file else "", *(app.tree.text(app.inside(name)) or "" for name in _MANIFESTS)]
    return ("git",) if any(re.search(r"\bgit\+(?:https|ssh)|[{,]\s*git\s*=", text) for text in texts) else ()


def _write_file(name: str, text: str) -> str:
    """Return the instruction that writes a file which the image has in addition to the project's."""
    path = f"{SERVE_FOLDER}/{name}"
    printed = " \\\n        ".join(("printf '%s\\n'", *(f"'{line}'" for line in text.splitlines()), f"> {path}"))
    executable = "" if "." in name else f"chmod +x {path}"
    return f"RUN {chain(f'mkdir -p {SERVE_FOLDER}', printed, executable)}"


def _pip(app: App) -> _Install:
    file = requirements(app)
    if file:
        text = with_included(app, file)
        local = re.search(r"^\s*(-e|--editable|\.{1,2}/|file:|\.\s*$)", text, re.MULTILINE) is not None
        hashed = "--hash=" in text
        why = "every requirement is checked by its hash" if hashed else "there is no lockfile: versions are as pinned"
        install = f"pip install -r {shell_word(file)}"
        if left_out := foreign(app, file):
            install = chain(leave_out_foreign(app, file), install)
            why = f"{why}; left out, because this system has no such packages: {', '.join(left_out[:8])}"
        return _Install(install, why, needs_source=local)
    project = app.tree.toml(app.inside("pyproject.toml")).get("project")
    if isinstance(project, dict) and "dependencies" not in (project.get("dynamic") or ()):
        dependencies = chain(
            f'python -c "{PRINT_DEPENDENCIES}" > /tmp/requirements.txt', "pip install -r /tmp/requirements.txt"
        )
        why = (
            "there is no lockfile; the dependencies are installed before the source is copied, so that they stay cached"
        )
        return _Install(dependencies, why, project="pip install --no-deps ." if _installs_itself(app) else "")
    if any(app.tree.exists(app.inside(name)) for name in ("pyproject.toml", "setup.py")):
        return _Install("pip install .", "the build names the dependencies and needs the source", needs_source=True)
    return _Install("python -c 'import sys; print(sys.version)'", "the project declares no dependencies")


def _uv(app: App) -> _Install:
    stale = is_stale(app, "uv.lock")
    locked = "--locked " if app.has("uv.lock") and not stale else ""
    member = app.workspace.member(app.module.path) if app.is_isolated_member and app.workspace else None
    package = f" --package {member.name}" if member and re.fullmatch(r"[\w.-]+", member.name) else ""
    # The second sync would remove an added server without --inexact.
    sync = f"uv sync {locked}--no-dev --no-editable --inexact{package}"
    return _Install(
        f"{sync} --no-install-{'workspace' if app.in_workspace else 'project'}",
        "uv.lock must agree with pyproject.toml (--locked)"
        if locked
        else _OUT_OF_DATE.format("uv.lock", "uv lock")
        if stale
        else "there is no uv.lock to keep to",
        cache="/root/.cache/uv",
        tool="uv==0.13.9",
        environment=(("UV_LINK_MODE", "copy"), ("UV_COMPILE_BYTECODE", "1"), ("UV_PYTHON_DOWNLOADS", "never"),
            ("UV_PYTHON", "/usr/local/bin/python"),
            ("UV_PROJECT_ENVIRONMENT", "/opt/venv")),
        project=sync if app.in_workspace or _installs_itself(app) else "",
        add="uv pip install --python /opt/venv/bin/python",
    )  # fmt: skip


def _poetry(app: App) -> _Install:
    own_program = _is_own_program(app)
    stale = is_stale(app, "poetry.lock")
    return _Install(
        chain("poetry lock --no-interaction" if stale else "", "poetry install --only main --no-root --no-interaction"),
        _OUT_OF_DATE.format("poetry.lock", "poetry lock")
        if stale
        else "poetry.lock must agree with pyproject.toml"
        if app.has("poetry.lock")
        else "there is no poetry.lock to keep to",
        cache="/root/.cache/pypoetry",
        tool="poetry==2.5.1",
        project="poetry install --only main --no-interaction" if own_program else "",
    )


def _pdm(app: App) -> _Install:
    own = "" if _is_own_program(app) else " --no-self"
    stale = is_stale(app, "pdm.lock")
    locked = " --frozen-lockfile" if app.has("pdm.lock") and not stale else ""
    return _Install(
        f"pdm install --prod --no-self{locked}",
        "pdm.lock is installed as it is"
        if locked
        else _OUT_OF_DATE.format("pdm.lock", "pdm lock")
        if stale
        else "there is no pdm.lock to keep to",
        cache="/root/.cache/pdm",
        tool="pdm==2.29.4 'hishel<2'",  # the next version of hishel breaks it
        environment=(("PDM_CHECK_UPDATE", "false"),),
        project="" if own else f"pdm install --prod{locked}",
    )


def _pipenv(app: App) -> _Install:
    """Install what the lock file pins by pip: pipenv refuses another version of Python than the developer's."""
    stale = is_stale(app, "Pipfile.lock")
    install = "pip install -r /tmp/requirements.txt"
    if app.has("Pipfile.lock") and not stale:
        # pip accepts no hashes if one requirement is a repository or a folder, which have none.
        unhashed = re.search(r'"(?:git|path|file)":', app.tree.text(app.inside("Pipfile.lock")) or "")
        return _Install(
            chain(f"pipenv requirements{'' if unhashed else ' --hash'} > /tmp/requirements.txt", install),
            "each version is the one in Pipfile.lock" + ("" if unhashed else ", checked by its hash"),
            tool="pipenv==2026.10.3",
        )
    why = _OUT_OF_DATE.format("Pipfile.lock", "pipenv lock") if stale else "there is no Pipfile.lock to keep to"
    return _Install(chain(f'python -c "{PRINT_PIPFILE}" > /tmp/requirements.txt', install), why)


_MANAGERS = {"pip": _pip, "uv": _uv, "poetry": _poetry, "pdm": _pdm, "pipenv": _pipenv}


def _is_own_program(app: App) -> bool:
    """Return whether the start command is a script that the project itself installs."""
    data = app.tree.toml(app.inside("pyproject.toml"))
    tool, project = data.get("tool"), data.get("project")
    tables = [project, *(tool.values() if isinstance(tool, dict) else ())]
    scripts = [table.get("scripts") for table in tables if isinstance(table, dict)]
    return any(app.command().arguments[0] in names for names in scripts if isinstance(names, dict))


def _import_folders(app: App) -> list[str]:
    """Return the folder of the entry point if it imports the files next to it by their bare names."""
    entry = app.module.entrypoint.value or ""
    folder = entry.rpartition("/")[0]
    text = app.tree.text(app.inside(entry)) if folder and entry.endswith(".py") else None
    if text is None or entry.endswith("manage.py"):
        return []
    siblings = {name.removesuffix(".py") for name in app.tree.names(app.inside(folder)) if name.endswith(".py")}
    own = siblings & read_python(entry, text).imports
    above = {name.removesuffix(".py") for name in app.tree.names(app.inside("."))}
    return [folder] if own - above else []


def _on_path(served: Serving) -> dict[str, str]:
    """Return the shared variables; added programs come first on the path."""
    programs = any("." not in name for name, _ in served.files)
    return _RUN | ({"PATH": f"{SERVE_FOLDER}:{_RUN['PATH']}"} if programs else {})


def _installs_itself(app: App) -> bool:
    """Return whether the application needs the project installed, not only its source next to it.

    The start command is a script of the project, or the code reads the metadata of an installed package.
    """
    if _is_own_program(app):
        return True
    prefix = "" if app.module.path == "." else f"{app.module.path}/"
    patterns = ("*.py", "*/*.py", "src/*/*.py")
    files = dict.fromkeys(path for pattern in patterns for path in app.tree.files(f"{prefix}{pattern}"))
    return any("importlib.metadata" in (app.tree.text(path) or "") for path in list(files)[:100])


def _module_path(app: App, served: Serving) -> dict[str, str]:
    """Put `src` on the module path if the entry point is in it, and the folder of added modules."""
    inside = any(place.startswith(app.inside("src/")) for place in app.module.start_command.locations)
    paths = [f"{app.folder}/src"] if inside else []
    paths += [f"{app.folder}/{folder}" for folder in _import_folders(app) if f"{app.folder}/{folder}" not in paths]
    modules = [name for name, _ in served.files if name.endswith(".py") and name != LAUNCHER]
    added = [SERVE_FOLDER, app.folder] if modules else []
    return {"PYTHONPATH": ":".join((*paths, *added))} if paths or added else {}
