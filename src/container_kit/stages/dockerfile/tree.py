"""The few looks into a source tree that a generator needs: does this exist, what does this small file say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LARGEST = 1_000_000
"""Bytes; a manifest above it is not read."""


@dataclass(frozen=True, slots=True)
class Original:
    """A text with what an editor does not show."""

    text: str
    """Its lines end with a line feed alone."""
    ending: str
    mark: str
    """The byte order mark, or nothing."""

    def again(self, text: str) -> str:
        """Give another text the same line ends and the same mark."""
        return self.mark + text.replace("\n", self.ending)


class SourceTree:
    """A source tree, read without ever leaving its root.

    Args:
        root: The resolved folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def exists(self, path: str) -> bool:
        """Tell whether a path, relative to the root, is there and inside it."""
        return self._inside(path) is not None

    def names(self, path: str = ".") -> frozenset[str]:
        """Return the names in a folder; none where it is no folder."""
        folder = self._inside(path)
        try:
            return frozenset(entry.name for entry in folder.iterdir()) if folder else frozenset()
        except OSError:
            return frozenset()

    def text(self, path: str) -> str | None:
        """Return a small text file's content; None where there is none or it cannot be read."""
        file = self._inside(path)
        try:
            if file is None or not file.is_file() or file.stat().st_size > _LARGEST:
                return None
            return file.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return None

    def original(self, path: str) -> Original | None:
        """Return a small text file so that it can be written again as it is; None where it is no UTF-8 text."""
        file = self._inside(path)
        try:
            if file is None or not file.is_file() or file.stat().st_size > _LARGEST:
                return None
            whole = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        mark = "\ufeff" if whole.startswith("\ufeff") else ""
        ending = "\r\n" if "\r\n" in whole else "\n"
        return None if "\0" in whole else Original(whole.removeprefix(mark).replace("\r\n", "\n"), ending, mark)

    def json(self, path: str) -> dict[str, Any]:
        """Return a small JSON object; an empty one where there is none or it is broken."""
        try:
            value = json.loads(self.text(path) or "{}")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def _inside(self, path: str) -> Path | None:
        try:
            found = (self.root / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            return None
        return found if found.is_relative_to(self.root) else None
