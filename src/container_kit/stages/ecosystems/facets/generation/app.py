"""What a generator works from: one module of an analysis, with what the caller decided, and nothing unknown left."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.artifacts.analysis import Module, Role
from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.questions import start_unknown
from container_kit.stages.ecosystems.facets.generation.recipe import copy, literal
from container_kit.stages.ecosystems.facets.generation.start_command import Command, listening, parse
from container_kit.stages.ecosystems.facets.generation.workspace import PackageWorkspace, WorkspaceMember

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*", re.ASCII)
"""The name of a Debian package; an Aptfile may hold anything."""
_SETTINGS = re.compile(
    r"tsconfig[\w.-]*\.json|(?:turbo|nx|lerna|babel\.config|\.babelrc|\.swcrc)(?:\.json)?"
    r"|(?:babel|vite|postcss|tailwind|rollup|webpack|svelte|astro|next)\.config\.\w+"
)
"""Files at a workspace's root that its members' builds read."""


@dataclass(frozen=True, slots=True)
class App:
    """One module, its facts settled."""

    module: Module
    tree: ContextTree
    role: Role
    language: str
    manifests: tuple[str, ...]
    """Manifests and lockfiles to copy before the source, relative to the context's root; each exists."""
    start: str | None
    """The start command as typed; None only for a static site."""
    port: int | None
    """None for what does not serve."""
    workspace: PackageWorkspace | None
    """The workspace that the module is a member of, if its members' needs are known."""
    in_workspace: bool
    """True if a lockfile above the module covers the workspace packages that it needs too."""
    start_given: bool
    """True if the caller gave the start command."""
    reasons: tuple[Reason, ...]
    place: str
    """The folder that its Dockerfile goes to; `module.path` is `.` anyway where the root builds it."""

    @property
    def version(self) -> str | None:
        """The language's version as declared."""
        return self.module.language_version.value

    @property
    def framework(self) -> str:
        """The framework, or an empty text."""
        return self.module.framework.value or ""

    @property
    def manager(self) -> str:
        """The package manager, or an empty text."""
        return self.module.package_manager.value or ""

    @property
    def packages(self) -> tuple[str, ...]:
        """The system packages that the dependencies need."""
        named = (found.value or "" for found in self.module.system_packages)
        return tuple(name for name in named if _PACKAGE.fullmatch(name))

    @property
    def build(self) -> str | None:
        """The build command as typed."""
        return self.module.build_command.value

    @property
    def folder(self) -> str:
        """The module's folder inside the image."""
        return "/app" if self.module.path == "." else f"/app/{self.module.path}"

    def has(self, name: str) -> bool:
        """Return whether the module's manifests include a file of this name, in its folder or above it."""
        return any(path.rsplit("/", 1)[-1] == name for path in self.manifests)

    def inside(self, name: str) -> str:
        """Return the path, relative to the context's root, of a file in the module's folder."""
        return name if self.module.path == "." else f"{self.module.path}/{name}"

    def command(self, line: str | None = None) -> Command:
        """Return what PID 1 runs, listening on the port.

        Args:
            line: Another command line than the module's own.

        Raises:
            StageFailure: `dockerfile.start_unknown`.
        """
        line = line or self.start
        if line is None:
            raise start_unknown(self.module, "no start command is known")
        try:
            command = parse(line, self.port)
        except ValueError as error:
            raise start_unknown(self.module, f"the start command {line!r} cannot be read: {error}") from error
        return Command(listening(command.arguments, self.port), command.environment)

    @property
    def release(self) -> tuple[str, ...]:
        """Return the arguments of the release command; empty without one, or if it cannot be read."""
        line = self.module.release_command.value
        try:
            command = parse(line, self.port) if line else None
        except ValueError:
            return ()
        if command is None:
            return ()
        assigned = tuple(f"{name}={value}" for name, value in command.environment.items())
        return (*(("env", *assigned) if assigned else ()), *command.arguments)

    @property
    def workspace_dependencies(self) -> tuple[WorkspaceMember, ...]:
        """The other members of the workspace that the module needs, each after what it needs itself."""
        needed = self.workspace.needed(self.module.path) if self.workspace else ()
        return tuple(member for member in needed if member.path not in {".", self.module.path})

    @property
    def is_isolated_member(self) -> bool:
        """True if only the module and the workspace packages that it needs are copied."""
        return self.workspace is not None and self.module.path != "."

    def copy_workspace_dependencies(self) -> tuple[str, ...]:
        """Return COPY instructions for the settings at the root and the workspace packages that the module needs."""
        if not self.is_isolated_member:
            return ()
        settings = [name for name in sorted(self.tree.names()) if _SETTINGS.fullmatch(name)]
        shared = [name for name in settings if name not in self.manifests]
        folders = [copy([member.path], f"/app/{member.path}") for member in self.workspace_dependencies]
        return (*((copy(shared, "/app/"),) if shared else ()), *folders)

    def copy_module(self) -> str:
        """Return the COPY instruction for the module; in an unknown workspace, for the whole source."""
        if self.module.path == ".":
            return "COPY . ."
        if self.in_workspace and not self.is_isolated_member:
            return "COPY . /app"
        return copy([self.module.path], self.folder)

    def copy_source(self) -> str:
        """Return the COPY instructions for the source: the module and what it needs of its workspace."""
        return "\n".join((*self.copy_workspace_dependencies(), self.copy_module()))

    def enter(self) -> tuple[str, ...]:
        """Return the WORKDIR instruction that leads from the context's root to the module, if they differ."""
        return () if self.module.path == "." else (f"WORKDIR {literal(self.folder)}",)

    def copy_manifests(self) -> tuple[str, ...]:
        """Return COPY instructions that put each manifest where it is in the source tree."""
        folders: dict[str, list[str]] = {}
        for path in self.manifests:
            folder, _, _ = path.rpartition("/")
            folders.setdefault(folder, []).append(path)
        return tuple(copy(paths, f"./{folder}/" if folder else "./") for folder, paths in folders.items())
