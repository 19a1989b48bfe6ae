"""The few looks into a source tree that a generator needs: does this exist, what does this small file say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LARGEST = 1_000_000
"""Bytes; a manifest above it is not read."""


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
