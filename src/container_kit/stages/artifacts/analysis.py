"""The result of an analysis: facts about a source tree, each with the locations that show it."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from container_kit.stages.contract.artifact import Artifact

T = TypeVar("T")

Role = Literal["web", "worker", "static", "cli", "library"]
KnownBy = Literal["declared", "code", "configuration", "framework", "guess"]
"""The source of a value: a manifest or lock file, a literal in code, configuration, a framework's default, or a guess.
Ordered from the most to the least trusted."""


class Alternative(Artifact, Generic[T]):
    """Another possible value of a finding, with its locations."""

    value: T
    provenance: KnownBy
    locations: tuple[str, ...] = ()


class Finding(Artifact, Generic[T]):
    """One fact about a module. `value` None means unknown; `question` then asks for what is missing."""

    value: T | None = None
    confidence: float = Field(default=0.0, ge=0, le=1)
    provenance: KnownBy = "guess"
    locations: tuple[str, ...] = Field(default=(), max_length=3)
    """`file:line`, relative to the root of the source tree."""
    alternatives: tuple[Alternative[T], ...] = ()
    question: str | None = None

    @model_serializer(mode="wrap")
    def _short(self, whole: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # noqa: ANN202 - keeps the schema
        """Omit empty fields: assistants read analyses, and most findings have no alternative."""
        kept = {"value"} | ({"confidence", "provenance"} if self.value is not None else set())
        return {name: value for name, value in whole(self).items() if name in kept or (name != "provenance" and value)}


class Variable(Artifact):
    """An environment variable that the module reads."""

    name: str
    required: bool
    """Whether the module cannot start without it because the code reads it without a default."""
    default: str | None = None
    """The default in the code; redacted if the name looks secret."""
    suggested: str | None = None
    """A safe value for a deployment on this machine, if the code has no default."""
    locations: tuple[str, ...] = ()


class Service(Artifact):
    """Another service that the module needs, such as a database."""

    kind: str
    """`postgres`, `mysql`, `redis`, `mongodb`, `rabbitmq`, `kafka`, `elasticsearch`, `s3`, `smtp`, …"""
    variable: str | None = None
    """The variable that holds its address, if known."""
    confidence: float = Field(ge=0, le=1)
    locations: tuple[str, ...] = ()


StateKind = Literal["database", "uploads", "files"]


class StatePath(Artifact):
    """A file or folder that the module writes next to its code."""

    path: str
    """Relative to the module, or absolute; a folder ends with `/`. `.` means unknown files in the module's folder."""
    kind: StateKind
    """`database` and `uploads` must survive a new version; `files` only have to be writable."""
    locations: tuple[str, ...] = ()


class Module(Artifact):
    """One deployable (or publishable) part of a source tree."""

    path: str
    """Relative to the root, with `/` as the separator; `.` is the root."""
    name: str
    role: Finding[Role]
    language: Finding[str]
    """`python`, `javascript`, `typescript`, `go`, `java`, `kotlin`, `csharp`, `ruby`, `php`, `rust`, `html`, …"""
    language_version: Finding[str] = Finding()
    """As declared, for example `3.11`, `>=20`, `17`."""
    framework: Finding[str] = Finding()
    """`flask`, `django`, `fastapi`, `express`, `nextjs`, `vite`, `spring-boot`, `gin`, …"""
    package_manager: Finding[str] = Finding()
    """`pip`, `uv`, `poetry`, `npm`, `yarn`, `pnpm`, `bun`, `go`, `maven`, `gradle`, …"""
    build_command: Finding[str] = Finding()
    start_command: Finding[str] = Finding()
    start_program: Finding[str] = Finding()
    """The command that the start command's script runs: `node server.js` for `npm start`."""
    entrypoint: Finding[str] = Finding()
    """The file (relative to the module) or class that the start command runs."""
    port: Finding[int] = Finding()
    health_endpoint: Finding[str] = Finding()
    output_directory: Finding[str] = Finding()
    """The folder of the built static files or program, relative to the module."""
    variables: tuple[Variable, ...] = ()
    services: tuple[Service, ...] = ()
    state: tuple[StatePath, ...] = ()
    """What it writes next to its code."""
    release_command: Finding[str] = Finding()
    """The command that prepares a new version before it serves, such as the migration of its database."""
    system_packages: tuple[Finding[str], ...] = ()
    """Debian packages that the dependencies need at build or run time."""
    manifests: tuple[str, ...] = ()
    """Manifests and lock files of this module, relative to the root."""

    @model_serializer(mode="wrap")
    def _short(self, whole: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # noqa: ANN202 - keeps the schema
        """Omit empty lists and unknown minor findings."""
        minor = (
            "language_version",
            "build_command",
            "start_program",
            "entrypoint",
            "health_endpoint",
            "output_directory",
            "release_command",
        )
        return {
            name: value
            for name, value in whole(self).items()
            if value and (name not in minor or value.get("value") is not None or value.get("question"))
        }


class DeploymentFile(Artifact):
    """A file that describes how to build or run a part of the source tree."""

    path: str
    kind: Literal["dockerfile", "dockerignore", "compose", "kubernetes", "helm", "procfile", "devcontainer"]
    module: str | None = None
    problems: tuple[str, ...] = ()
    """Each as `line N: problem`."""


class Risk(Artifact):
    """A part of the tree that should not be shipped or will stop working."""

    kind: Literal["secret", "unpinned", "end_of_life", "unreadable", "malformed", "missing"]
    message: str
    place: str | None = None


class Analysis(Artifact):
    """The result of `analyze`."""

    root: str
    """The resolved folder."""
    modules: tuple[Module, ...]
    """Deployable modules first; the root before its subfolders."""
    libraries: tuple[str, ...] = ()
    """Workspace folders that only other modules use; they are not modules."""
    workspace_tool: str | None = None
    """The tool that manages the workspace: `npm`, `pnpm`, `nx`, `turbo`, `uv`, `cargo`, `go-work`, `maven`, …"""
    files: tuple[DeploymentFile, ...] = ()
    risks: tuple[Risk, ...] = ()
    unread: tuple[str, ...] = ()
    """Unreadable files, as `path: reason`."""
    question: str | None = None
    """The question to ask if no module was found."""
    truncated: str | None = None
    """A note on what was omitted to keep the result small, with the arguments that show it."""

    @property
    def dockerfile(self) -> str | None:
        """The path of the outermost existing Dockerfile, relative to the root."""
        paths = [file.path for file in self.files if file.kind == "dockerfile"]
        return min(paths, key=lambda path: path.count("/"), default=None)

    def module(self, path: str = ".") -> Module | None:
        """Return the module at a path. If the root is not a module, `.` means the first module."""
        for module in self.modules:
            if module.path == path:
                return module
        return self.modules[0] if path == "." and self.modules else None
