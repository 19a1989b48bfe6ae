"""Python packaging: which dependencies are declared where, by which tool, for which interpreter."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterable
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.command_ports import port_of_command
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.values import strings_in, table_in

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([=<>~!@;#].*)?$")
_LOCKS = {
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "Pipfile.lock": "pipenv",
    "conda-lock.yml": "conda",
    "pixi.lock": "pixi",
}
_BACKENDS = {"poetry": "poetry", "pdm": "pdm", "uv_build": "uv"}
_REQUIREMENT_FILES = (
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    "requirements/requirements.txt",
    "requirements-prod.txt",
    "requirements.in",
    "requirements/main.txt",
)


_STARTING = ("start", "serve", "server", "prod", "web", "run")
"""Names of tasks that start an application, the likeliest first."""


def normal(name: str) -> str:
    """Return a package's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_packages(folder: Folder, draft: ModuleDraft) -> None:
    """Claim package manager, interpreter version and dependencies."""
    _read_requirements(folder, draft)
    _read_pyproject(folder, draft)
    _read_pipfile(folder, draft)
    _read_conda(folder, draft)
    _read_pixi(folder, draft)
    _read_setup(folder, draft)
    for lock, tool in _LOCKS.items():
        if folder.has(lock):
            draft.package_manager.add(tool, "declared", folder.place(lock))
            draft.manifests.append(lock)
            draft.locked = True
    _read_workspace(folder, draft)
    _read_versions(folder, draft)


def _read_workspace(folder: Folder, draft: ModuleDraft) -> None:
    """Claim uv for a member of a uv workspace, whose lock file is at the root."""
    path = folder.path
    while path and folder.has("pyproject.toml"):
        path = path.rpartition("/")[0]
        above = Folder(folder.tree, path)
        if above.has("uv.lock") or "[tool.uv.workspace]" in above.text("pyproject.toml"):
            draft.package_manager.add("uv", "declared", above.place(above.first("uv.lock") or "pyproject.toml"))
            draft.locked = draft.locked or above.has("uv.lock")
            return


def _add(draft: ModuleDraft, names: Iterable[str], place: str, *, tools: bool = False) -> None:
    into = draft.tools if tools else draft.dependencies
    for name in names:
        match = _REQUIREMENT.match(str(name).split(";")[0])
        if match or (match := re.match(r"\s*([A-Za-z0-9][\w.-]*)", str(name))):
            into.setdefault(normal(match[1]), place)


def _read_requirements(folder: Folder, draft: ModuleDraft) -> None:
    pinned = False
    for path in _REQUIREMENT_FILES:
        text = folder.text(path)
        if not folder.has(path):
            continue
        draft.manifests.append(path)
        full = folder.place(path).rpartition(":")[0]
        draft.package_manager.add("pip", "declared", f"{full}:1", confidence=0.93)
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "-"))]
        pinned = pinned or (bool(lines) and all("==" in line or " @ " in line for line in lines))
        for number, line in enumerate(text.splitlines(), 1):
            if (match := _REQUIREMENT.match(line)) and not line.lstrip().startswith(("#", "-")):
                draft.dependencies.setdefault(normal(match[1]), f"{full}:{number}")
    draft.locked = draft.locked or pinned


def _read_pyproject(folder: Folder, draft: ModuleDraft) -> None:
    if not folder.has("pyproject.toml"):
        return
    draft.manifests.append("pyproject.toml")
    data = folder.toml("pyproject.toml")
    project, tools = table_in(data, "project"), table_in(data, "tool")
    poetry = table_in(tools, "poetry")
    draft.name = draft.name or str(project.get("name") or poetry.get("name") or "")

    def place(needle: str | re.Pattern[str] | None) -> str:
        return folder.place("pyproject.toml", needle)

    for name in strings_in(project.get("dependencies")) or list(table_in(poetry, "dependencies")):
        _add(draft, [name], place(re.split(r"[\[<>=~! ;]", name)[0]))
    for group in table_in(data, "dependency-groups").values():
        _add(draft, strings_in(group), place("dependency-groups"), tools=True)
    for group in table_in(project, "optional-dependencies").values():
        _add(draft, strings_in(group), place("optional-dependencies"), tools=True)
    _claim_tasks(folder, draft, "pdm", "pyproject.toml", table_in(table_in(tools, "pdm"), "scripts"))
    _claim_tool(folder, draft, tools, str(table_in(data, "build-system").get("build-backend", "")))
    version = project.get("requires-python") or table_in(poetry, "dependencies").get("python")
    if isinstance(version, str):
        draft.version.add(version, "declared", place(re.compile(r"requires-python|^python\s*=", re.MULTILINE)))
    _claim_scripts(draft, table_in(project, "scripts") or table_in(poetry, "scripts"), place("scripts]"))


def _claim_tool(folder: Folder, draft: ModuleDraft, tools: dict[str, Any], backend: str) -> None:
    """Claim the package manager that a `[tool.…]` table or the build back end belongs to."""
    for key in ("poetry", "pdm", "uv"):
        if key in tools:
            place = folder.place("pyproject.toml", f"[tool.{key}")
            draft.package_manager.add(key, "declared", place, confidence=0.955)
    for start, tool in _BACKENDS.items():
        if backend.startswith(start):
            place = folder.place("pyproject.toml", "build-backend")
            draft.package_manager.add(tool, "declared", place, confidence=0.95)
    draft.package_manager.add("pip", "configuration", folder.place("pyproject.toml"), confidence=0.7)


def _claim_scripts(draft: ModuleDraft, names: Iterable[str], place: str) -> None:
    """Claim the first console script, what an installed package offers to run; its daemon before its client."""
    own = normal(draft.name)
    order = {f"{own}d": 0, f"{own}-server": 1, own: 2}
    for name in sorted(map(str, names), key=lambda name: order.get(normal(name), 3))[:1]:
        draft.scripts.append(name)
        draft.start.add(name, "declared", place, confidence=0.845)
        draft.role.add("cli", "declared", place, confidence=0.5)


def _read_pipfile(folder: Folder, draft: ModuleDraft) -> None:
    if not folder.has("Pipfile"):
        return
    draft.manifests.append("Pipfile")
    draft.package_manager.add("pipenv", "declared", folder.place("Pipfile"), confidence=0.96)
    data = folder.toml("Pipfile")
    for name in table_in(data, "packages"):
        _add(draft, [name], folder.place("Pipfile", name))
    _add(draft, table_in(data, "dev-packages"), folder.place("Pipfile", "dev-packages"), tools=True)
    requires = table_in(data, "requires")
    version = requires.get("python_full_version") or requires.get("python_version")
    draft.version.add(str(version) if version else None, "declared", folder.place("Pipfile", "python_"))
    _claim_tasks(folder, draft, "pipenv", "Pipfile", table_in(data, "scripts"))


def _claim_tasks(folder: Folder, draft: ModuleDraft, tool: str, manifest: str, tasks: dict[str, Any]) -> None:
    """Claim the task of a usual name that starts the application; one that reloads files is for developing."""
    for name in _STARTING:
        task = tasks.get(name)
        command = next((task[key] for key in ("cmd", "shell") if key in task), None) if isinstance(task, dict) else task
        if isinstance(command, list):
            command = " ".join(map(str, command))
        if isinstance(command, str) and command:
            place = folder.place(manifest, re.compile(rf"^{name}\b", re.MULTILINE))
            draft.start.add(f"{tool} run {name}", "declared", place, confidence=0.8 if "reload" in command else 0.875)
            draft.program.add(command, "declared", place)
            draft.port.add(port_of_command(command), "declared", place, confidence=0.93)
            return


def _read_conda(folder: Folder, draft: ModuleDraft) -> None:
    path = folder.first("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")
    if path is None:
        return
    draft.manifests.append(path)
    draft.package_manager.add("conda", "declared", folder.place(path), confidence=0.94)
    dependencies = folder.yaml(path).get("dependencies")
    for entry in dependencies if isinstance(dependencies, list) else []:
        if isinstance(entry, dict):
            _add(draft, strings_in(entry.get("pip")), folder.place(path, "pip:"))
        elif isinstance(entry, str) and re.match(r"python\s*=", entry):
            draft.version.add(entry.split("=", 1)[1].strip("= "), "declared", folder.place(path, entry))
        elif isinstance(entry, str):
            _add(draft, [entry.split("=")[0].rpartition("::")[2]], folder.place(path, entry))


def _read_pixi(folder: Folder, draft: ModuleDraft) -> None:
    """Pixi's own file, or its table in `pyproject.toml`."""
    own = folder.has("pixi.toml")
    path = "pixi.toml" if own else "pyproject.toml"
    data = folder.toml(path) if folder.has(path) else {}
    pixi = data if own else table_in(table_in(data, "tool"), "pixi")
    if not pixi:
        return
    draft.manifests.extend(["pixi.toml"] if own else [])
    draft.package_manager.add("pixi", "declared", folder.place(path, "pixi" if not own else None), confidence=0.97)
    for name in [*table_in(pixi, "dependencies"), *table_in(pixi, "pypi-dependencies")]:
        _add(draft, [name], folder.place(path, name))
    _claim_tasks(folder, draft, "pixi", path, table_in(pixi, "tasks"))


def _read_setup(folder: Folder, draft: ModuleDraft) -> None:
    if folder.has("setup.py"):
        draft.manifests.append("setup.py")
        draft.package_manager.add("pip", "configuration", folder.place("setup.py"), confidence=0.8)
        for keyword, value in _setup_arguments(folder.text("setup.py")).items():
            if keyword == "install_requires":
                _add(draft, strings_in(value), folder.place("setup.py", "install_requires"))
            elif keyword == "python_requires":
                draft.version.add(str(value), "declared", folder.place("setup.py", "python_requires"))
            elif keyword == "name" and isinstance(value, str):
                draft.name = draft.name or value
            elif keyword == "entry_points" and not draft.scripts:
                _claim_scripts(draft, _console_scripts(value), folder.place("setup.py", "entry_points"))
    if folder.has("setup.cfg"):
        _read_setup_cfg(folder, draft)


def _read_setup_cfg(folder: Folder, draft: ModuleDraft) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(folder.text("setup.cfg"))
    except configparser.Error:
        return
    draft.name = draft.name or parser.get("metadata", "name", fallback="")
    requires = parser.get("options", "install_requires", fallback="")
    _add(
        draft,
        [line for line in requires.splitlines() if line.strip()],
        folder.place("setup.cfg", "install_requires"),
    )
    version = parser.get("options", "python_requires", fallback="")
    draft.version.add(version, "declared", folder.place("setup.cfg", "python_requires"))
    entry_points = parser.get("options.entry_points", "console_scripts", fallback="")
    if not draft.scripts:
        _claim_scripts(draft, _script_names(entry_points.splitlines()), folder.place("setup.cfg", "console_scripts"))
    if requires:
        draft.package_manager.add("pip", "configuration", folder.place("setup.cfg"), confidence=0.8)


def _console_scripts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return _script_names(
            strings_in(value.get("console_scripts")) or str(value.get("console_scripts", "")).splitlines()
        )
    return _script_names(str(value).partition("[console_scripts]")[2].partition("[")[0].splitlines()) if value else []


def _script_names(lines: Iterable[str]) -> list[str]:
    return [line.partition("=")[0].strip() for line in lines if "=" in line]


def _setup_arguments(text: str) -> dict[str, Any]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    named = {target.id: node.value for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "setup":
            values = {k.arg: k.value for k in node.keywords if k.arg}
            return {k: _literal(named.get(v.id, v) if isinstance(v, ast.Name) else v) for k, v in values.items()}
    return {}


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return None


def _read_versions(folder: Folder, draft: ModuleDraft) -> None:
    if match := re.match(r"\s*(?:python-|cpython-)?(\d[\w.]*)", folder.text(".python-version")):
        draft.version.add(match[1], "declared", folder.place(".python-version"), confidence=0.985)
    if match := re.match(r"\s*(?:python-)?(\d[\w.]*)", folder.text("runtime.txt")):
        draft.version.add(match[1], "declared", folder.place("runtime.txt"), confidence=0.982)
