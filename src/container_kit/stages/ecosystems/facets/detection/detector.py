"""How an ecosystem is described: a declaration that reads like documentation, and one function for what is peculiar."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from container_kit.stages.artifacts.analysis import Role
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework, known by the exact names of its runtime packages."""

    name: str
    packages: tuple[str, ...]
    port: int | None = None
    """Where it listens when nothing else is said."""
    role: Role = "web"
    also_client: bool = False
    """True where the package is used without serving anything too, so that only code tells."""


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """One language's way of building applications."""

    name: str
    describe: Callable[[Folder, ModuleDraft], None]
    """Claims what the manifests and a few source files say."""
    manifests: tuple[str, ...] = ()
    """File names that open a module; `*.suffix` for any name with that suffix."""
    bare: tuple[str, ...] = ()
    """Source files that make an application without any manifest; only asked where no manifest is found."""
    recognises: Callable[[Folder], bool] | None = None
    """Looks into the bare files where their names alone do not tell."""
    frameworks: tuple[Framework, ...] = ()
    """The first whose package is a runtime dependency is the framework, where the code says nothing better."""
    workspace: Callable[[Folder], tuple[str, Iterable[str]] | None] | None = None
    """The tool that ties modules together in this folder, and the paths (relative to it) of its members."""
    members_by_manifest: bool = False
    """True where the workspace's manifest alone makes modules of its members."""
    sources: tuple[str, ...] = ()
    """Suffixes of its source files."""
    settings: tuple[str, ...] = ()
    """Suffixes of its configuration files, which name ports and variables too."""
    behind: frozenset[str] = frozenset()
    """Where a web server in front runs the application: the frameworks that listen themselves all the same."""
    configured: frozenset[str] = frozenset()
    """The frameworks whose port is said in configuration, and what code says is another's."""
    language: str = ""
    """The language that source files alone tell, for an ecosystem whose applications need a manifest."""
    runs: str = ""
    """The command that runs one such source file without any manifest; `{file}` stands for it."""
    rank: int = 50
    """Of several ecosystems in one folder the lowest is the application, the others build its assets."""

    def listens(self, draft: ModuleDraft) -> bool:
        """Tell whether a port in the application's code is one that it listens on."""
        framework = draft.framework.value
        return framework not in self.configured and (not self.behind or framework in self.behind)


@cache
def ecosystems() -> tuple[Ecosystem, ...]:
    """All ecosystems: each module of the package `ecosystems` declares one or more as `ECOSYSTEMS`."""
    package = importlib.import_module("container_kit.stages.ecosystems")
    names = sorted(module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    modules = [importlib.import_module(name) for name in names]
    found = [ecosystem for module in modules for ecosystem in getattr(module, "ECOSYSTEMS", ())]
    return tuple(sorted(found, key=lambda ecosystem: ecosystem.rank))
