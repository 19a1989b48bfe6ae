"""A module's folder: what a detector may look at, with paths relative to the module."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree, join

MAX_SOURCES = 200
NOT_THE_APPLICATION = frozenset(
    [
        "test",
        "tests",
        "__tests__",
        "testing",
        "testdata",
        "test-data",
        "spec",
        "specs",
        "e2e",
        "cypress",
        "playwright",
        "fixtures",
        "fixture",
        "__fixtures__",
        "mocks",
        "__mocks__",
        "example",
        "examples",
        "samples",
        "sample",
        "demo",
        "demos",
        "benchmark",
        "benchmarks",
        "bench",
        "vendor",
        "third_party",
        "third-party",
        "node_modules",
        "stories",
        ".storybook",
        ".github",
        ".circleci",
        ".devcontainer",
        ".vscode",
        "venv",
        "env",
        "virtualenv",
        "site-packages",
        "snapshots",
        "__snapshots__",
        "templates-test",
        "integration-tests",
    ]
)
"""Folders whose content says nothing about the module itself."""
_PACKAGES = frozenset(["example", "demo", "sample", "samples", "testing"])
"""Of these the ones that name a package of the application where they are below its sources: `com.example.demo`."""
_SOURCE_FOLDERS = re.compile(r"(?:^|/)(?:src|lib|app|java|kotlin|scala)(?:/|$)")


class Folder:
    """One folder of the tree, read as a module that ends where another module begins.

    Args:
        tree: The tree.
        path: The folder, relative to the tree's root; empty for the root.
        others: Folders below it that are separate modules.
    """

    def __init__(self, tree: ModuleTree, path: str = "", others: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self.path = path
        self._others = others

    @cached_property
    def names(self) -> frozenset[str]:
        """The files directly in the folder."""
        listing = self.tree.folders.get(self.path)
        return frozenset(listing.files) if listing else frozenset()

    @property
    def base(self) -> str:
        """The folder's own name."""
        return self.path.rpartition("/")[2] or self.tree.root.name

    def has(self, path: str) -> bool:
        """Return whether a file exists."""
        return path in self.names if "/" not in path else self.tree.exists(join(self.path, path))

    def has_folder(self, path: str) -> bool:
        """Return whether a folder exists."""
        return join(self.path, path) in self.tree.folders

    def first(self, *paths: str) -> str | None:
        """Return the first of these files that exists."""
        return next((path for path in paths if self.has(path)), None)

    def matching(self, *patterns: str) -> list[str]:
        """Return the files directly in the folder whose names match, sorted."""
        return sorted(n for n in self.names if any(fnmatchcase(n, pattern) for pattern in patterns))

    def text(self, path: str | None) -> str:
        """Return a manifest's content, empty if it is missing or cannot be read."""
        return (self.tree.text(join(self.path, path)) or "") if path and self.has(path) else ""

    def source(self, path: str) -> str:
        """Return the first 64 KiB of a source file, empty if it is missing or cannot be read."""
        return self.tree.source(join(self.path, path)) if self.has(path) else ""

    def json(self, path: str) -> dict[str, Any]:
        """Return a JSON object; empty if it is missing."""
        return self.tree.json(join(self.path, path))

    def toml(self, path: str) -> dict[str, Any]:
        """Return a TOML table; empty if it is missing."""
        return self.tree.toml(join(self.path, path))

    def yaml(self, path: str) -> dict[str, Any]:
        """Return the first document of a YAML file if it is a mapping; else empty."""
        documents = self.tree.yaml(join(self.path, path))
        return documents[0] if documents and isinstance(documents[0], dict) else {}

    def xml(self, path: str) -> Any:
        """Return the root element of an XML file, or None."""
        return self.tree.xml(join(self.path, path))

    def place(self, path: str, needle: str | re.Pattern[str] | None = None) -> str:
        """`file:line` (relative to the tree's root) of the first match in a file; line 1 if there is no match."""
        full = join(self.path, path)
        if needle is None:
            return f"{full}:1"
        text = self.tree.text(full) or self.tree.source(full)
        found = text.find(needle) if isinstance(needle, str) else _start(needle.search(text))
        return f"{full}:{text.count(chr(10), 0, found) + 1 if found > 0 else 1}"

    def folders(self, depth: int = 6) -> Iterator[str]:
        """Yield the folders of this module from the outside in, relative to it; tests and examples are left out."""
        level = [""]
        for _ in range(depth):
            yield from level
            level = [inner for outer in level for inner in self._inner(outer)]
            if not level:
                return

    def _inner(self, outer: str) -> Iterator[str]:
        listing = self.tree.folders.get(join(self.path, outer) if outer else self.path)
        for name in listing.folders if listing else ():
            inner = join(outer, name)
            aside = name.lower() in NOT_THE_APPLICATION
            if aside and name in _PACKAGES and (_SOURCE_FOLDERS.search(outer) or self._is_django(outer, inner)):
                aside = False
            if not aside and join(self.path, inner) not in self._others:
                yield inner

    def _is_django(self, outer: str, inner: str) -> bool:
        """Return whether a folder is the project that `manage.py` next to it manages, whatever its name is."""
        return self.has(join(outer, "manage.py")) and self.has(join(inner, "settings.py"))

    def files(self, *suffixes: str, limit: int = MAX_SOURCES, depth: int = 6) -> list[str]:
        """Return at most `limit` files that end so, outermost first, relative to the module."""
        found: list[str] = []
        for folder in self.folders(depth):
            listing = self.tree.folders.get(join(self.path, folder) if folder else self.path)
            if listing is None:
                continue
            found.extend(join(folder, name) for name in sorted(listing.files) if name.endswith(suffixes))
            if len(found) >= limit:
                return found[:limit]
        return found

    def find(self, pattern: str, *suffixes: str, limit: int = 40, depth: int = 6) -> tuple[str, re.Match[str]] | None:
        """Return the first source file that matches an expression, with the match."""
        compiled = re.compile(pattern, re.MULTILINE)
        for path in self.files(*suffixes, limit=limit, depth=depth):
            if match := compiled.search(self.source(path)):
                return path, match
        return None


def _start(found: re.Match[str] | None) -> int:
    return found.start() if found else -1
