"""What is known about a source tree, each statement with the places that show it."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from container_kit.stages.contract.artifact import Artifact

T = TypeVar("T")

Role = Literal["web", "worker", "static", "cli", "library"]
KnownBy = Literal["declared", "code", "configuration", "framework", "guess"]
"""How a value is known: declared in a manifest or lockfile, a literal in code, configuration, a framework's default, or
a guess; the order is the order of trust."""


class Alternative(Artifact, Generic[T]):
    """Another answer to the same question, with where it was seen."""

    value: T
    provenance: KnownBy
    places: tuple[str, ...] = ()


class Finding(Artifact, Generic[T]):
    """One statement about a module. `value` None means unknown, and `question` asks what would settle it."""

    value: T | None = None
    confidence: float = Field(default=0.0, ge=0, le=1)
    provenance: KnownBy = "guess"
    places: tuple[str, ...] = Field(default=(), max_length=3)
    """`file:line`, relative to the root of the source tree."""
    alternatives: tuple[Alternative[T], ...] = ()
    question: str | None = None

    @model_serializer(mode="wrap")
    def _short(self, whole: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # noqa: ANN202 - keeps the schema
        """Leave out what is empty: an analysis is read by assistants, and most findings have no alternative."""
        told = {"value"} | ({"confidence", "provenance"} if self.value is not None else set())
        return {name: value for name, value in whole(self).items() if name in told or (name != "provenance" and value)}


class Variable(Artifact):
    """An environment variable that the module reads."""

    name: str
    required: bool
    """True where the module cannot start without it: read with no default."""
    default: str | None = None
    """The default in the code; redacted where the name looks secret."""
    places: tuple[str, ...] = ()


class Service(Artifact):
    """Another service that the module needs, such as a database."""

    kind: str
    """`postgres`, `mysql`, `redis`, `mongodb`, `rabbitmq`, `kafka`, `elasticsearch`, `s3`, `smtp`, …"""
    variable: str | None = None
    """The variable that holds its address, where one is known."""
    confidence: float = Field(ge=0, le=1)
    places: tuple[str, ...] = ()


class Module(Artifact):
    """One deployable (or publishable) part of a source tree."""

    path: str
    """Relative to the root, `/` between names; `.` is the root."""
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
    """What a script behind the start command runs: `node server.js` behind `npm start`."""
    entrypoint: Finding[str] = Finding()
    """The file (relative to the module) or class that is started."""
    port: Finding[int] = Finding()
    health_endpoint: Finding[str] = Finding()
    output_directory: Finding[str] = Finding()
    """Where a build leaves static files or the program to ship, relative to the module."""
    variables: tuple[Variable, ...] = ()
    services: tuple[Service, ...] = ()
    system_packages: tuple[Finding[str], ...] = ()
    """Debian packages that the dependencies need at build or run time."""
    manifests: tuple[str, ...] = ()
    """Manifests and lockfiles of this module, relative to the root."""

    @model_serializer(mode="wrap")
    def _short(self, whole: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # noqa: ANN202 - keeps the schema
        """Leave out lists that are empty and minor findings that are unknown."""
        minor = (
            "language_version",
            "build_command",
            "start_program",
            "entrypoint",
            "health_endpoint",
            "output_directory",
        )
        return {
            name: value
            for name, value in whole(self).items()
            if value and (name not in minor or value.get("value") is not None or value.get("question"))
        }


class DeploymentFile(Artifact):
    """A file that already describes how to build or run something here."""

    path: str
    kind: Literal["dockerfile", "dockerignore", "compose", "kubernetes", "helm", "procfile", "devcontainer"]
    module: str | None = None
    problems: tuple[str, ...] = ()
    """Each as `line N: what is wrong`."""


class Risk(Artifact):
    """Something in the tree that should not be shipped, or will not keep working."""

    kind: Literal["secret", "unpinned", "end_of_life", "unreadable", "malformed", "missing"]
    message: str
    place: str | None = None


class Analysis(Artifact):
    """What `analyze` found."""

    root: str
    """The resolved folder."""
    modules: tuple[Module, ...]
    """The deployable ones first; the root before what lies below it."""
    libraries: tuple[str, ...] = ()
    """Folders of the workspace that only other modules use; not modules of their own."""
    workspace_tool: str | None = None
    """What ties the modules together: `npm`, `pnpm`, `nx`, `turbo`, `uv`, `cargo`, `go-work`, `maven`, `gradle`, …"""
    files: tuple[DeploymentFile, ...] = ()
    risks: tuple[Risk, ...] = ()
    unread: tuple[str, ...] = ()
    """What could not be read and why, `path: reason`."""
    question: str | None = None
    """What to ask where no module was found."""
    truncated: str | None = None
    """Where something was left out to keep the result small: what, and the arguments that show it."""

    @property
    def dockerfile(self) -> str | None:
        """The path of a Dockerfile that is already there, relative to the root, the outermost first."""
        found = sorted((file.path for file in self.files if file.kind == "dockerfile"), key=lambda p: p.count("/"))
        return found[0] if found else None

    def module(self, path: str = ".") -> Module | None:
        """The module at a path; for `.` the first one where the root itself is none."""
        for module in self.modules:
            if module.path == path:
                return module
        return self.modules[0] if path == "." and self.modules else None
