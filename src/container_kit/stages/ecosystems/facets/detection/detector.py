"""Detectors: how an ecosystem's applications are recognised, as a declaration and one function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from container_kit.stages.artifacts.analysis import Role
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework, recognised by the exact names of its runtime packages."""

    name: str
    packages: tuple[str, ...]
    port: int | None = None
    """The port that it listens on by default."""
    role: Role = "web"
    also_client: bool = False
    """True if applications also use the package without serving, so that only code decides."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Recognises and describes the applications of one language or build tool."""

    name: str
    describe: Callable[[Folder, ModuleDraft], None]
    """Adds claims from the manifests and a few source files."""
    manifests: tuple[str, ...] = ()
    """File names that make a folder a module; `*.suffix` for any name with that suffix."""
    entry_files: tuple[str, ...] = ()
    """Source files that make an application without a manifest; used only if no manifest is found."""
    recognises: Callable[[Folder], bool] | None = None
    """Checks the content of the entry files if their names do not decide."""
    frameworks: tuple[Framework, ...] = ()
    """The first whose package is a runtime dependency is the framework, unless code shows another."""
    workspace: Callable[[Folder], tuple[str, Iterable[str]] | None] | None = None
    """Reads the tool that ties modules together in a folder, and the paths (relative to it) of its members."""
    members_by_manifest: bool = False
    """True if the workspace's manifest is enough to make its members modules."""
    sources: tuple[str, ...] = ()
    """Suffixes of source files."""
    settings: tuple[str, ...] = ()
    """Suffixes of configuration files, which also name ports and variables."""
    proxied_except: frozenset[str] = frozenset()
    """If a web server in front runs the applications: the frameworks that listen themselves."""
    port_from_config: frozenset[str] = frozenset()
    """Frameworks that take their port from configuration; a port in their code belongs to another service."""
    language: str = ""
    """The language to report for source files without the manifest that applications need."""
    run_command: str = ""
    """The command that runs one such source file; `{file}` is its path."""
    rank: int = 50
    """Of several detectors that match a folder, the lowest rank is the application; the others build its assets."""
    version_tools: tuple[str, ...] = ()
    """Names that version managers (asdf, mise) use for the language."""
    system_packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Debian packages by the dependency that needs them."""

    def listens(self, draft: ModuleDraft) -> bool:
        """Return whether a port in the application's code is one that it listens on."""
        framework = draft.framework.value
        return framework not in self.port_from_config and (not self.proxied_except or framework in self.proxied_except)
