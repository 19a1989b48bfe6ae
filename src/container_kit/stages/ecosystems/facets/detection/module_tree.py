"""The source tree: one bounded walk that never leaves the root, and bounded reading of what it found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from container_kit.stages.formats.documents import (
    Malformed,
    parse_json,
    parse_strict_json,
    parse_toml,
    parse_xml,
    parse_yaml,
)
from container_kit.stages.formats.files import decoded, read_inside
from container_kit.stages.formats.gitignore import IgnoreRules

MAX_FILES = 400_000
MAX_DEPTH = 64
MAX_MANIFEST = 2 * 1024 * 1024
MAX_SOURCE = 64 * 1024
_STRICT = frozenset(["package.json", "package-lock.json", "composer.json"])
"""Files that npm, Yarn, pnpm and Composer read as strict JSON; only Bun accepts comments."""

_PRUNED = frozenset([".git", ".hg", ".svn", ".bzr", ".cache", ".idea", ".terraform"])
"""Folders that tools fill, whatever the ecosystem."""

Parsed = TypeVar("Parsed")


@dataclass(slots=True)
class Listing:
    """The names in one folder."""

    files: set[str] = field(default_factory=set)
    folders: list[str] = field(default_factory=list)
    text: str = ""
    """All names, a line each: what no line shows, no name has."""
    rules: IgnoreRules | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, and where."""

    path: str
    reason: str
    line: int | None = None
    malformed: bool = False
    """True if it was read but its format's parser refused it."""


class ModuleTree:
    """All names below a root, and the contents that were requested.

    Paths are relative to the root with `/` between names; the root itself is the empty string.

    Args:
        root: The folder.
        pruned: Names of further folders that are not entered.
    """

    def __init__(self, root: Path, pruned: frozenset[str] = frozenset()) -> None:
        self.root = root
        self._pruned = _PRUNED | pruned
        self.folders: dict[str, Listing] = {}
        self.files = 0
        self.problems: dict[str, Problem] = {}
        self.cut_short = False
        """True if a bound ended the walk."""
        self._real_root = os.path.realpath(root)
        self._texts: dict[str, str | None] = {}
        self._parsed: dict[str, Any] = {}
        self._walk()

    def _walk(self) -> None:
        pending: list[tuple[str, IgnoreRules | None]] = [("", None)]
        while pending:
            path, rules = pending.pop()
            listing = self.folders[path] = self._list(path)
            if ".gitignore" in listing.files and (text := self.text(f"{path}/.gitignore".lstrip("/"))):
                rules = IgnoreRules(f"{path}/" if path else "", text, rules)
            listing.rules = rules
            self.files += len(listing.files)
            if self.files > MAX_FILES or path.count("/") >= MAX_DEPTH:
                self.cut_short = True
                if self.files > MAX_FILES:
                    return
                continue
            prefix = f"{path}/" if path else ""
            if rules is not None:
                listing.folders = [n for n in listing.folders if not rules.ignores(prefix + n, n, folder=True)]
            pending.extend((prefix + name, rules) for name in reversed(listing.folders))

    def _list(self, path: str) -> Listing:
        try:
            with os.scandir(f"{self._real_root}/{path}" if path else self._real_root) as entries:
                kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        except OSError as error:
            self._note(path or ".", f"cannot be listed: {error.strerror}")
            return Listing()
        text = "\n".join(kinds)
        if not text.isascii():
            for name in [name for name in kinds if not _is_text(name)]:
                self._note(f"{path}/{ascii(name)[1:-1]}".lstrip("/"), "its name is not UTF-8")
                del kinds[name]
        files, folders = set(kinds), []
        if True in kinds.values():
            folders = [name for name, is_folder in kinds.items() if is_folder]
            files.difference_update(folders)
        return Listing(files, sorted(name for name in folders if name not in self._pruned), text)

    def exists(self, path: str) -> bool:
        """Return whether the walk saw a file of this path."""
        folder, _, name = path.rpartition("/")
        listing = self.folders.get(folder)
        return listing is not None and name in listing.files

    def below(self, path: str) -> Iterator[str]:
        """Yield the folders at and below a path that are part of the tree, outer before inner."""
        level = [path] if path in self.folders else []
        while level:
            yield from level
            children = (join(above, name) for above in level for name in self.folders[above].folders)
            level = [child for child in children if child in self.folders]

    def ignored(self, path: str) -> bool:
        """Return whether ignore rules leave a file out."""
        folder, _, name = path.rpartition("/")
        listing = self.folders.get(folder)
        return listing is not None and listing.rules is not None and listing.rules.ignores(path, name, folder=False)

    def text(self, path: str, *, limit: int = MAX_MANIFEST) -> str | None:
        """Return a manifest's content; note a problem and return None if it is unreadable or larger than `limit`."""
        if path not in self._texts:
            self._texts[path] = self._text(path, limit, whole=True) if self.exists(path) else None
        return self._texts[path]

    def source(self, path: str) -> str:
        """Return the first 64 KiB of a source file, empty if it cannot be read."""
        if path not in self._texts:
            self._texts[path] = self._text(path, MAX_SOURCE, whole=False)
        return self._texts[path] or ""

    def _text(self, path: str, limit: int, *, whole: bool) -> str | None:
        try:
            content = read_inside(self._real_root, path, limit)
        except OSError as error:
            self._note(path, error.strerror or "cannot be read")
            return None
        if whole and len(content) > limit:
            self._note(path, f"larger than {limit // 1024} KiB")
            return None
        if b"\0" in content[:4096] and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            if whole:
                self._note(path, "binary content", malformed=True)
            return None
        text = decoded(content)
        if line := _conflict(text):
            self._note(path, "marks of a merge conflict", line, malformed=True)
        return text

    def _note(self, path: str, reason: str, line: int | None = None, *, malformed: bool = False) -> None:
        self.problems.setdefault(path, Problem(path, reason, line, malformed))

    def json(self, path: str) -> dict[str, Any]:
        """Return a JSON object, or an empty one if none can be read."""
        folder, _, name = path.rpartition("/")
        strict = name in _STRICT and not any(self.exists(join(folder, lock)) for lock in ("bun.lock", "bun.lockb"))
        value = self._document(path, parse_strict_json if strict else parse_json)
        return value if isinstance(value, dict) else {}

    def toml(self, path: str) -> dict[str, Any]:
        """Return a TOML table, or an empty one if none can be read."""
        return self._document(path, parse_toml) or {}

    def yaml(self, path: str) -> list[Any]:
        """Return the documents of a YAML stream; none if it cannot be read."""
        return self._document(path, parse_yaml) or []

    def xml(self, path: str) -> Any:
        """Return the root element without namespaces, or None if it cannot be read."""
        return self._document(path, parse_xml)

    def _document(self, path: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        if path not in self._parsed:
            self._parsed[path] = None
            text = self.text(path) if self.exists(path) else None
            if text is not None:
                try:
                    self._parsed[path] = parse(text)
                except Malformed as error:
                    self._parsed[path] = error.value
                    self._note(path, error.reason, error.line, malformed=True)
        made: Parsed | None = self._parsed[path]
        return made


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder of the tree."""
    return f"{folder}/{name}" if folder else name


def within(folder: str, relative: str) -> str | None:
    """Return a relative path from a folder of the tree, or None if it leads out."""
    parts = [part for part in folder.split("/") if part]
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _conflict(text: str) -> int:
    """Return the line on which an unfinished merge begins; 0 without one."""
    ours = 0 if text.startswith("<<<<<<< ") else text.find("\n<<<<<<< ") + 1
    if not ours and not text.startswith("<<<<<<< "):
        return 0
    between = text.find("\n=======", ours)
    return text.count("\n", 0, ours) + 1 if between >= 0 and text.find("\n>>>>>>> ", between) >= 0 else 0


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
