"""pip's requirements files: which one is for production, and what it includes."""

from __future__ import annotations

import posixpath

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.recipe import chain, copy
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_words

PRINT_DEPENDENCIES = (
    "import importlib, sys; new = sys.version_info >= (3, 11); "
    "tomllib = importlib.import_module('tomllib' if new else 'pip._vendor.tomli'); "
    "project = tomllib.load(open('pyproject.toml', 'rb')).get('project', {}); "
    "print(*project.get('dependencies', []), sep='\\n')"
)
"""A program that prints what pyproject.toml depends on, for any Python."""


PRINT_PIPFILE = (
    "import importlib, sys; new = sys.version_info >= (3, 11); "
    "tomllib = importlib.import_module('tomllib' if new else 'pip._vendor.tomli'); "
    "packages = tomllib.load(open('Pipfile', 'rb')).get('packages', {}); "
    "tables = {n: s if isinstance(s, dict) else {'version': s} for n, s in packages.items()}; "
    "print(*(n + ('[' + ','.join(s.get('extras', [])) + ']' if s.get('extras') else '') "
    "+ (' @ git+' + s['git'] + ('@' + s['ref'] if 'ref' in s else '') if 'git' in s "
    "else s.get('version', '*').replace('*', '')) for n, s in tables.items()), sep='\\n')"
)
"""A program that prints what a Pipfile depends on, for any Python."""


def requirements(app: App) -> str | None:
    """Return the module's requirements file for production, relative to its folder."""
    prefix = "" if app.module.path == "." else f"{app.module.path}/"
    own = [path.removeprefix(prefix) for path in app.manifests if path.startswith(prefix)]
    names = [name for name in own if "requirements" in name and name.endswith(".txt")]
    ranked = sorted(
        names,
        key=lambda name: (
            not re.search(r"^requirements\.txt$|prod", name),
            "dev" in name or "test" in name,
            name.count("/"),
            name,
        ),
    )
    return ranked[0] if ranked else None


def included(app: App, name: str, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the files that a requirements file includes, itself first, relative to the module."""
    text = app.tree.text(app.inside(name))
    if text is None or name in seen or len(seen) > 20:
        return ()
    folder = name.rpartition("/")[0]
    named = re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*([\w./-]+)", text, re.MULTILINE)
    paths = [posixpath.normpath(posixpath.join(folder, target)) for target in named]
    inner = [file for path in paths if not path.startswith("..") for file in included(app, path, seen | {name})]
    return tuple(dict.fromkeys((name, *inner)))


def with_included(app: App, name: str) -> str:
    """Return the text of a requirements file and of all that it includes."""
    return "\n".join(app.tree.text(app.inside(file)) or "" for file in included(app, name))


_ELSEWHERE = (
    "pywin32", "pypiwin32", "pywinpty", "windows-curses", "winshell", "wmi", "pyreadline", "pyobjc[a-z-]*",
    "macfsevents",
    "pkg[-_]resources", "python-apt", "command-not-found", "ubuntu-[a-z-]+", "ufw", "language-selector", "xkit",
    "cloud-init", "screen-resolution-extra", "unattended-upgrades", "usb-creator", "brlapi", "cupshelpers", "louis",
    "distro-info", "ssh-import-id", "systemd-python", "dbus-python", "pygobject", "python-debian",
)  # fmt: skip
"""Packages that exist only for another system, or only as a part of a distribution: `pip freeze` lists them."""
_FOREIGN = re.compile(rf"^\s*({'|'.join(_ELSEWHERE)})\s*(?:[=<>~!@\[].*)?$", re.IGNORECASE | re.MULTILINE)
_LOCAL_BUILD = re.compile(r"^\s*[\w.-]+\s*@\s*file:", re.MULTILINE)


def foreign(app: App, name: str) -> tuple[str, ...]:
    """Return what a requirements file and those that it includes list and no image can install."""
    text = with_included(app, name)
    lines = _FOREIGN.findall(text)
    return (*lines, *(["paths of another machine"] if _LOCAL_BUILD.search(text) else []))


def leave_out_foreign(app: App, name: str) -> str:
    """Return the command that removes those lines in the image, and the local paths that conda puts after names."""
    found = [re.split(r"[^\w.-]", line.strip())[0] for line in _FOREIGN.findall(with_included(app, name))]
    names = "|".join(dict.fromkeys(found))
    files = [app.inside(file) for file in included(app, name)] if app.module.path == "." else list(included(app, name))
    encoded = [
        f"python -c \"p = '{file}'; t = open(p, encoding='utf-16').read(); open(p, 'w').write(t)\""
        for file in files
        if re.fullmatch(r"[\w./-]+", file) and app.tree.is_utf16(app.inside(file))
    ]
    removed = f"/^ *({names}) *([=<>~!@[].*)?\\r?$/Id; " if names else ""
    clean = f"sed -i -E '{removed}s/ *@ *file:.*//' {shell_words(files)}"
    return chain(*encoded, clean)


def copy_included(app: App) -> tuple[str, ...]:
    """COPY instructions for what a requirements file includes."""
    name = requirements(app)
    files = [app.inside(file) for file in included(app, name)] if name else []
    return tuple(copy([file], f"./{file}") for file in files if file not in app.manifests)


def declares(app: App, name: str) -> bool:
    """Return whether a manifest of the module, or what it includes, names a package."""
    file = requirements(app)
    texts = [with_included(app, file)] if file else []
    texts += [app.tree.text(path) or "" for path in app.manifests if not path.endswith(".lock")]
    word = re.compile(rf"(?:^|[^\w.-]){re.escape(name)}(?:[^\w.-]|$)", re.IGNORECASE | re.MULTILINE)
    return any(word.search(text) for text in texts) or (name == "uvicorn" and any("fastapi[" in text for text in texts))
