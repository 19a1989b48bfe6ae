"""What a generator works from: one module of an analysis, with what the caller decided, and nothing unknown left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from container_kit.stages.artifacts.analysis import Analysis, Finding, Module, Role
from container_kit.stages.artifacts.dockerfile import DockerfileOptions, Reason
from container_kit.stages.dockerfile.command import Command, listening, parse
from container_kit.stages.dockerfile.recipe import copy, literal
from container_kit.stages.dockerfile.tree import SourceTree
from container_kit.stages.dockerfile.workspaces import Member, Workspace, workspace_of
from container_kit.stages.fault import Evidence, FaultCode, StageFailure

T = TypeVar("T")

MODULE_MISSING = FaultCode(
    "dockerfile.module_missing",
    means="The analysis knows no module at that path.",
    hint="Give one of the modules that the analysis found: {modules}.",
)
NOTHING_TO_RUN = FaultCode(
    "dockerfile.nothing_to_run",
    means="The module is a library: it offers nothing that a container would run.",
    hint="Give start_command if it can be run after all, or choose another module.",
)
LANGUAGE_UNKNOWN = FaultCode(
    "dockerfile.language_unknown",
    means="The analysis could not tell in which language the module is written, or there is no recipe for it.",
    hint="Write a Dockerfile for this module; recipes exist for {languages}.",
)
START_UNKNOWN = FaultCode(
    "dockerfile.start_unknown",
    means="The analysis could not tell which command starts the application, or the command cannot be read.",
    hint="Give start_command, the command that starts the application in {path}.",
)
PORT_UNKNOWN = FaultCode(
    "dockerfile.port_unknown",
    means="The module serves, but the analysis could not tell on which port.",
    hint="Give port, the TCP port that the application listens on.",
)

NAME_UNUSABLE = FaultCode(
    "dockerfile.name_unusable",
    means="A name in the repository has no place in a Dockerfile: it has control or pattern characters, or leads out.",
    hint="Rename the {what} so that it is of letters, digits and ordinary punctuation.",
)

FAULTS = (MODULE_MISSING, NOTHING_TO_RUN, LANGUAGE_UNKNOWN, START_UNKNOWN, PORT_UNKNOWN, NAME_UNUSABLE)

_PORT_BY_VARIABLE = 8080
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\\*?\[\]]")
"""Characters that no name may have: those that end lines, and those of patterns."""
_SETTINGS = re.compile(
    r"tsconfig[\w.-]*\.json|(?:turbo|nx|lerna|babel\.config|\.babelrc|\.swcrc)(?:\.json)?"
    r"|(?:babel|vite|postcss|tailwind|rollup|webpack|svelte|astro|next)\.config\.\w+"
)
"""Files at a workspace's root that its members' builds read."""
_COMPILED = {"go", "rust", "csharp", "fsharp", "java", "kotlin", "clojure", "dart", "swift", "crystal", "elixir",
    "gleam", "php", "zig", "c", "cpp"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class App:
    """One module, its facts settled."""

    module: Module
    tree: SourceTree
    role: Role
    language: str
    manifests: tuple[str, ...]
    """Manifests and lockfiles to copy before the source, relative to the context's root; each exists."""
    start: str | None
    """The start command as typed; None only for a static site."""
    port: int | None
    """None for what does not serve."""
    workspace: Workspace | None
    """The workspace that the module is a member of, where its members' needs are known."""
    in_workspace: bool
    """True where a lockfile above the module covers its sisters too."""
    was_told: bool
    """True where the caller gave the start command."""
    reasons: tuple[Reason, ...]

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
        return tuple(found.value for found in self.module.system_packages if found.value)

    @property
    def build(self) -> str | None:
        """The build command as typed."""
        return self.module.build_command.value

    @property
    def folder(self) -> str:
        """The module's folder inside the image."""
        return "/app" if self.module.path == "." else f"/app/{self.module.path}"

    def has(self, name: str) -> bool:
        """Tell whether the module's manifests include a file of this name, in its folder or above it."""
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
            raise _start_unknown(self.module, "no start command is known")
        try:
            command = parse(line, self.port)
        except ValueError as error:
            raise _start_unknown(self.module, f"the start command {line!r} cannot be read: {error}") from error
        return Command(listening(command.arguments, self.port), command.environment)

    @property
    def sisters(self) -> tuple[Member, ...]:
        """The other members of the workspace that the module needs, each after what it needs itself."""
        needed = self.workspace.needed(self.module.path) if self.workspace else ()
        return tuple(member for member in needed if member.path not in {".", self.module.path})

    @property
    def alone(self) -> bool:
        """True where only the module and its sisters are copied: it lies below the root of a known workspace."""
        return self.workspace is not None and self.module.path != "."

    def copy_sisters(self) -> tuple[str, ...]:
        """Return COPY instructions for what the module needs beside itself: settings at the root, and its sisters."""
        if not self.alone:
            return ()
        settings = [name for name in sorted(self.tree.names()) if _SETTINGS.fullmatch(name)]
        shared = [name for name in settings if name not in self.manifests]
        folders = [copy([member.path], f"/app/{member.path}") for member in self.sisters]
        return (*((copy(shared, "/app/"),) if shared else ()), *folders)

    def copy_module(self) -> str:
        """Return the COPY instruction for the module itself; in an unknown workspace its sisters come with it."""
        if self.module.path == ".":
            return "COPY . ."
        if self.in_workspace and not self.alone:
            return "COPY . /app"
        return copy([self.module.path], self.folder)

    def copy_source(self) -> str:
        """Return the COPY instructions for the source: the module and what it needs of its workspace."""
        return "\n".join((*self.copy_sisters(), self.copy_module()))

    def enter(self) -> tuple[str, ...]:
        """Return the WORKDIR instruction that leads from the context's root to the module, where they differ."""
        return () if self.module.path == "." else (f"WORKDIR {literal(self.folder)}",)

    def copy_manifests(self) -> tuple[str, ...]:
        """Return COPY instructions that put each manifest where it is in the source tree."""
        folders: dict[str, list[str]] = {}
        for path in self.manifests:
            folder, _, _ = path.rpartition("/")
            folders.setdefault(folder, []).append(path)
        return tuple(copy(paths, f"./{folder}/" if folder else "./") for folder, paths in folders.items())


def settle(analysis: Analysis, path: str, tree: SourceTree, options: DockerfileOptions) -> App:
    """Take what is needed out of an analysis.

    Raises:
        StageFailure: One of `FAULTS`, with the one question that would settle it.
    """
    module = analysis.module(path)
    if module is None:
        known = ", ".join(known.path for known in analysis.modules) or "none"
        raise MODULE_MISSING(f"the analysis knows no module {path!r}", modules=known)
    language = module.language.value
    if language is None:
        raise LANGUAGE_UNKNOWN(
            _ask(module.language, f"the language of {module.path} is unknown"),
            evidence=_evidence(module.language),
            languages="the usual web languages",
        )
    _refuse_unusable(module)
    role, start = _role_and_start(module, options)
    workspace = workspace_of(tree, module.package_manager.value or "", module.path)
    port = _port(module, role, options)
    return App(
        module=module,
        tree=tree,
        role=role,
        language=language,
        manifests=_manifests(analysis, module, tree, workspace),
        start=start,
        port=port,
        workspace=workspace,
        in_workspace=analysis.workspace_tool is not None or workspace is not None,
        was_told=options.start_command is not None,
        reasons=_reasons(module, options),
    )


def _role_and_start(module: Module, options: DockerfileOptions) -> tuple[Role, str | None]:
    start = options.start_command or module.start_command.value
    role = module.role.value or ("web" if module.port.value or options.port else "worker")
    if role == "static" and not options.start_command:
        return role, None
    if role == "library" and not options.start_command:
        raise NOTHING_TO_RUN(f"{module.path} is a library", evidence=_evidence(module.role))
    if start is None and not _compiled(module):
        raise _start_unknown(module, f"the start command of {module.path} is unknown")
    if role in {"library", "static"}:
        role = "web" if module.port.value or options.port else "worker"
    return role, start


def _compiled(module: Module) -> bool:
    """Tell whether the build itself makes the one program to run, so that no command is needed."""
    return module.language.value in _COMPILED and module.package_manager.value is not None


def _port(module: Module, role: Role, options: DockerfileOptions) -> int | None:
    if options.port:
        return options.port
    if role == "static":
        return 8080
    if role != "web":
        return None
    if module.port.value:
        return _unprivileged(module.port.value) if module.language.value == "php" else module.port.value
    if any(variable.name == "PORT" for variable in module.variables):
        return _PORT_BY_VARIABLE
    raise PORT_UNKNOWN(_ask(module.port, f"the port of {module.path} is unknown"), evidence=_evidence(module.port))


def _unprivileged(port: int) -> int:
    """The port that a server of our own choice listens on: a web server's usual one is root's."""
    return port if port >= 1024 else _PORT_BY_VARIABLE


def _refuse_unusable(module: Module) -> None:
    """Refuse what has no place in a Dockerfile: a line's end would begin an instruction of its own."""
    health = module.health_endpoint.value
    texts = {"path": module.path, "name": module.name, "output directory": module.output_directory.value}
    for what, text in texts.items():
        if text and (_CONTROL.search(text) or (what != "name" and ".." in text.split("/"))):
            raise NAME_UNUSABLE(f"the {what} of a module is {text[:80]!r}", what=what)
    if health and not re.fullmatch(r"/[\w./~%?=&:@+,-]*", health, re.ASCII):
        raise NAME_UNUSABLE(f"the health endpoint of {module.path} is {health[:80]!r}", what="health endpoint")


def _manifests(analysis: Analysis, module: Module, tree: SourceTree, workspace: Workspace | None) -> tuple[str, ...]:
    """The module's own and, in a workspace, those of all members: a lockfile is checked against all of them."""
    paths = [*(workspace.manifests() if workspace else ()), *module.manifests]
    if analysis.workspace_tool and not workspace:
        paths += [path for other in analysis.modules for path in other.manifests]
    return tuple(path for path in dict.fromkeys(paths) if not _CONTROL.search(path) and tree.exists(path))


def _reasons(module: Module, options: DockerfileOptions) -> tuple[Reason, ...]:
    known = (
        ("language", module.language),
        ("version", module.language_version),
        ("framework", module.framework),
        ("package manager", module.package_manager),
        ("build command", module.build_command),
        ("start command", module.start_command),
        ("port", module.port),
        ("health endpoint", module.health_endpoint),
    )
    given = {"start command": options.start_command, "port": options.port}
    reasons = [
        Reason(choice=f"{what} {given[what]}", because="it was given") for what in given if given[what] is not None
    ]
    for what, finding in known:
        if finding.value is not None and given.get(what) is None:
            because = f"the analysis knows it by {finding.known_by}, with confidence {finding.confidence:.2f}"
            reasons.append(Reason(choice=f"{what} {finding.value}", because=because, places=finding.places))
    if module.port.value is None and not options.port and any(v.name == "PORT" for v in module.variables):
        reasons.append(Reason(choice=f"port {_PORT_BY_VARIABLE}", because="the application listens on $PORT"))
    return tuple(reasons)


def _start_unknown(module: Module, message: str) -> StageFailure:
    return START_UNKNOWN(
        _ask(module.start_command, message), evidence=_evidence(module.start_command), path=module.path
    )


def _ask(finding: Finding[T], message: str) -> str:
    return f"{message}: {finding.question}" if finding.question else message


def _evidence(finding: Finding[T]) -> list[Evidence]:
    found = [Evidence(kind="file", text=str(finding.value), where=place) for place in finding.places]
    others = [
        Evidence(kind="file", text=f"also possible: {other.value}", where=other.places[0] if other.places else None)
        for other in finding.alternatives
    ]
    return found + others
