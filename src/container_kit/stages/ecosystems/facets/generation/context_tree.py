"""The few looks into a source tree that a generator needs: does this exist, what does this small file say."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container_kit.stages.formats.files import list_inside, read_inside
from container_kit.stages.formats.path_globs import PathGlobs

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LARGEST = 1_000_000
"""Bytes; a manifest above it is not read."""
_MOST_MATCHES = 1000
_MOST_FOLDERS = 50_000
_SKIPPED = frozenset(["node_modules", ".git", ".venv"])


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text with what an editor does not show."""

    text: str
    """Its lines end with only a line feed."""
    ending: str
    mark: str
    """The byte order mark, or nothing."""

    def again(self, text: str) -> str:
        """Give another text the same line ends and the same mark."""
        return self.mark + text.replace("\n", self.ending)


class ContextTree:
    """A source tree, read without ever leaving its root.

    Args:
        root: The resolved folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def exists(self, path: str) -> bool:
        """Return whether a path, relative to the root, exists and inside it."""
        return self._inside(path) is not None

    def names(self, path: str = ".") -> frozenset[str]:
        """Return the names in a folder; empty if it is not a folder."""
        folder = self._inside(path)
        try:
            return frozenset(entry.name for entry in folder.iterdir()) if folder else frozenset()
        except OSError:
            return frozenset()

    def text(self, path: str, largest: int = _LARGEST) -> str | None:
        """Return a text file's content; None if it is missing, larger than this or cannot be read."""
        content = self._content(path, largest)
        if content is not None and content.startswith(_UTF16):
            return content.decode("utf-16", errors="replace")
        return None if content is None else content.decode("utf-8-sig", errors="replace")

    def is_utf16(self, path: str) -> bool:
        """Return whether a file starts with the byte order mark of UTF-16, which PowerShell writes."""
        return (self._content(path) or b"").startswith(_UTF16)

    def original(self, path: str) -> TextFile | None:
        """Return a small text file so that it can be written again as it is; None if it is not UTF-8 text."""
        content = self._content(path)
        try:
            whole = None if content is None else content.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if whole is None:
            return None
        mark = "\ufeff" if whole.startswith("\ufeff") else ""
        ending = "\r\n" if "\r\n" in whole else "\n"
        return None if "\0" in whole else TextFile(whole.removeprefix(mark).replace("\r\n", "\n"), ending, mark)

    def _content(self, path: str, largest: int = _LARGEST) -> bytes | None:
        try:
            content = read_inside(str(self.root), path, largest)
        except OSError:
            return None
        return content if len(content) <= largest else None

    def json(self, path: str) -> dict[str, Any]:
        """Return a small JSON object; an empty one if it is missing or broken."""
        try:
            value = json.loads(self.text(path) or "{}")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def toml(self, path: str) -> dict[str, Any]:
        """Return a small TOML file; an empty one if it is missing or broken."""
        try:
            return tomllib.loads(self.text(path) or "")
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}

    def xml(self, path: str) -> Element | None:
        """Return the root of a small XML file; None if it is missing, broken or hostile."""
        text = self.text(path)
        if text is None:
            return None
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, fromstring

        try:
            return fromstring(text)
        except (ParseError, DefusedXmlException, ValueError):
            return None

    def yaml(self, path: str) -> dict[str, Any]:
        """Return a small YAML mapping; an empty one if it is missing or broken."""
        text = self.text(path)
        if text is None:
            return {}
        import yaml

        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def folders(self, patterns: Iterable[str], holding: str) -> tuple[str, ...]:
        """Return the folders that glob patterns name and that hold a file, sorted, `.` for the root.

        Installed packages, version control and what leads out of the tree are left out.
        """
        found = {
            path.rpartition("/")[0] or "."
            for pattern in patterns
            for path in self.files(f"{pattern.strip('/')}/{holding}".removeprefix("./"))
        }
        return tuple(sorted(found))

    def files(self, pattern: str) -> tuple[str, ...]:
        """Return the files that a glob pattern names, sorted; at most a thousand.

        Each folder is listed once, whatever the pattern.
        """
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        if ".." in parts or pattern.startswith("/") or not parts:
            return ()
        found: list[str] = []
        pending = [("", frozenset([0]))]
        for _ in range(_MOST_FOLDERS):
            if not pending or len(found) >= _MOST_MATCHES:
                break
            folder, places = pending.pop()
            step = _Step(parts, places)
            for name, is_folder in sorted(self._list(folder).items(), reverse=True):
                path = f"{folder}/{name}".lstrip("/")
                if step.is_last(name) and self._is_file(path):
                    found.append(path)
                inner = frozenset() if name in _SKIPPED else step.inner(name, is_folder)
                if inner and (is_folder or self._is_folder(path)):
                    pending.append((path, inner))
        return tuple(sorted(found[:_MOST_MATCHES]))

    def _list(self, folder: str) -> dict[str, bool]:
        try:
            return list_inside(str(self.root), folder)
        except OSError:
            return {}

    def _is_file(self, path: str) -> bool:
        file = self._inside(path)
        return file is not None and file.is_file()

    def _is_folder(self, path: str) -> bool:
        folder = self._inside(path)
        return folder is not None and folder.is_dir()

    def _inside(self, path: str) -> Path | None:
        try:
            found = (self.root / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            return None
        return found if found.is_relative_to(self.root) else None


class _Step:
    """One folder of a search: the parts of the pattern that may match a name in it."""

    def __init__(self, parts: list[str], places: Iterable[int]) -> None:
        self._last = len(parts) - 1
        pending = set(places)
        for place in sorted(places):
            while place < self._last and parts[place] == "**":
                place += 1
                pending.add(place)
        self._any = frozenset(place for place in pending if parts[place] == "**")
        self._names = {place: PathGlobs([parts[place]]) for place in pending - self._any}

    def is_last(self, name: str) -> bool:
        """Return whether a file of this name matches."""
        return self._last in self._any or (self._last in self._names and self._names[self._last].matches(name))

    def inner(self, name: str, is_folder: bool) -> frozenset[int]:
        """Return the parts that may match in a folder of this name; `**` does not follow links."""
        after = {place + 1 for place, glob in self._names.items() if place < self._last and glob.matches(name)}
        return frozenset(after | self._any if is_folder else after)
