"""Files and folders that a module writes next to its code: databases, uploads and other files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from container_kit.stages.artifacts.analysis import StateKind, StatePath
from container_kit.stages.contract import expressions as re

_DATABASE = re.compile(r"[\"'/]((?:[\w.-]+/)*[\w-]+\.(?:db|sqlite3?|db3))[\"'?]")
_ABSOLUTE = re.compile(r"sqlite(?:\+\w+)?:////((?:[\w.-]+/)+[\w-]+(?:\.\w+)?)[\"'?]")
_FLASK_RELATIVE = re.compile(r"sqlite:///[\w-]+\.\w+")
_FOLDER = re.compile(
    r"(?i)\b\w*(?P<kind>upload|media|storage|data|cache|output|logs?|session|download|result)\w*?_?(?:root|dir|folder|path|destination|directory)s?"
    r"\b[\"'\]]*\s*(?::\s*\w+\s*)?[=:][^=\n]*[\"'](?P<path>(?:[\w.-]+/)*[\w-]+/?)[\"']"
)
_INSTANCE = re.compile(r"\binstance_path\b|instance_relative_config\s*=\s*True")
_MADE = re.compile(r"(?:makedirs|mkdirSync|mkdir)\(\s*[\"'](?P<path>(?:[\w.-]+/)*[\w-]+/?)[\"']")
_WRITES = re.compile(
    r"\bopen\([^)\n]*[\"'][wax]b?\+?[\"']|\.save\(|\.to_(?:csv|excel|json|pickle|parquet|sql)\(|makedirs\(|\.mkdir\(|FileHandler\("
    r"|\bsqlite3?\b|(?:pickle|joblib|json|yaml)\.dump\(|shelve\.open|TinyDB\(|write_(?:text|bytes)\(|PersistentClient\("
    r"|filesystem[\"']|FileSystemCache|urlretrieve\(|copyfile|shutil\.|\bwriteFile(?:Sync)?\(|createWriteStream\(|mkdirSync\("
    r"|multer\(|lowdb|nedb|better-sqlite3|file_put_contents\(|move_uploaded_file\("
)
_BESIDE_CODE = re.compile(
    r"__file__|__dirname|(?i:\bbase_?dir\b|\broot_?(?:dir|path)?\b|\bproject_(?:dir|root)\b|\bhere\b)"
)
_UP = re.compile(r"\.parent\b|dirname\(")
_PERSISTENT = frozenset(["upload", "media", "storage", "data"])
_COMMENTS = ("#", "//", "*", "--")
_MAX = 12


def read_state(known: dict[str, StatePath], file: str, place: str, text: str, *, flask_sqlalchemy: bool) -> None:
    """Add what a source file writes next to the code.

    Args:
        known: The paths found so far, by path.
        file: The file, relative to the module.
        place: The file, relative to the root of the tree.
        text: Its content.
        flask_sqlalchemy: Whether a bare name of a SQLite database means a file in Flask's instance folder.
    """
    bases = tuple(_bases(file, text))
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 500 or line.lstrip().startswith(_COMMENTS):
            continue
        where = f"{place}:{number}"
        for path in _databases(line, bases, flask_sqlalchemy=flask_sqlalchemy):
            _add(known, path, "database", where)
        if _INSTANCE.search(line):
            _add(known, "instance/", "database", where)
        if folder := _FOLDER.search(line) or _MADE.search(line):
            kind: StateKind = "uploads" if (folder.groupdict().get("kind") or "").lower() in _PERSISTENT else "files"
            for path in _located(folder["path"], line, bases):
                _add(known, f"{path.rstrip('/')}/", kind, where)
        if _WRITES.search(line):
            _add(known, ".", "files", where)


def _databases(line: str, bases: tuple[str, ...], *, flask_sqlalchemy: bool) -> Iterator[str]:
    if "://" in line and "sqlite" not in line:
        return
    if absolute := _ABSOLUTE.search(line):
        yield f"/{absolute[1]}"
        return
    if found := _DATABASE.search(line):
        yield from _located(found[1], line, bases)
        if flask_sqlalchemy and _FLASK_RELATIVE.search(line):
            yield f"instance/{found[1]}"


def _bases(file: str, text: str) -> Iterator[str]:
    """Yield the folders that a file can name by its own place: its folder, and each `parent` above it."""
    folder = file.rpartition("/")[0]
    yield folder
    ups = max((len(_UP.findall(line)) for line in text.splitlines() if "__file__" in line), default=1)
    for _ in range(min(ups - 1, 4)):
        folder = folder.rpartition("/")[0]
        yield folder


def _located(path: str, line: str, bases: tuple[str, ...]) -> Iterable[str]:
    """Return where a path in a line can be, relative to the module: below its root, or next to the file."""
    found = [path]
    if _BESIDE_CODE.search(line):
        found += [posixpath.join(base, path) for base in (bases[-1], bases[0])]
    clean = [posixpath.normpath(item) + ("/" if item.endswith("/") else "") for item in found]
    return dict.fromkeys(item for item in clean if not item.startswith(("..", "/", "./", "tmp/")) and item != ".")


def _add(known: dict[str, StatePath], path: str, kind: StateKind, place: str) -> None:
    earlier = known.get(path)
    if earlier is None and len(known) < _MAX:
        known[path] = StatePath(path=path, kind=kind, locations=(place,))
    elif earlier and place not in earlier.locations:
        known[path] = earlier.model_copy(update={"locations": (*earlier.locations, place)[:3]})
