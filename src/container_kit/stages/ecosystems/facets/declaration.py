"""The declaration of an ecosystem: what other rooms look up by language, package manager or file name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from container_kit.stages.ecosystems.facets.dependencies.package_registry import PackageRegistry
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Bases
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe
from container_kit.stages.ecosystems.facets.generation.workspace import PackageWorkspace

RecipeGenerator = Callable[[App, Bases], Recipe]
WorkspaceReader = Callable[[ContextTree], PackageWorkspace | None]


def _no_folders(_: App) -> Iterable[str]:
    return ()


def _root_path(_: App) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class SiteBuild:
    """How a language builds static sites."""

    stage: Callable[[App, Bases], Build]
    output: str | None = None
    """The folder of the built site, `{folder}` being the module's; None if the analysis or the framework decides."""
    configured_output: Callable[[App], Iterable[str]] = _no_folders
    """Returns the folders that the module's own configuration names, relative to the module."""
    base_path: Callable[[App], str] = _root_path
    """Returns the path at which the site is built to be served, empty for the root."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language as the analysis reports it."""

    name: str
    recipe: RecipeGenerator | None = None
    site: SiteBuild | None = None
    needs_manifest: bool = False
    """True if the recipe calls a build tool that needs a manifest."""
    compiled: bool = False
    """True if the recipe finds the program to run itself, so that no start command is needed."""
    brings_server: bool = False
    """True if the recipe adds the web server, which cannot listen on ports below 1024."""
    end_of_life: str | None = None
    """The family in the table of end-of-life dates, if it is not the language's name."""
    images: tuple[str, ...] = ()
    """Names of the base images that hold the language."""


@dataclass(frozen=True, slots=True)
class PackageManager:
    """A package manager or build tool as the analysis reports it."""

    name: str
    workspace: WorkspaceReader | None = None
    recipe: RecipeGenerator | None = None
    """Replaces the recipe of the language."""


@dataclass(frozen=True, slots=True)
class RootBuild:
    """A manifest at the root that builds modules without a manifest."""

    manifest: str
    module_manifests: tuple[str, ...]
    """Files that make a module build itself."""
    files: tuple[str, ...]
    """Files at the root that the build installs from."""
    languages: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """One ecosystem; its folder declares it as `ECOSYSTEM` in `ecosystem.py`."""

    name: str
    detectors: tuple[Detector, ...] = ()
    languages: tuple[Language, ...] = ()
    managers: tuple[PackageManager, ...] = ()
    packages: PackageRegistry | None = None
    unread_lock_files: tuple[str, ...] = ()
    """Lock files that only other scanners can read."""
    tool_folders: tuple[str, ...] = ()
    """Folders that tools fill; the analysis does not enter them."""
    dependency_folders: tuple[str, ...] = ()
    """Folders of installed or copied packages; a scan does not enter them, because lock files elsewhere pin them."""
    root_build: RootBuild | None = None
