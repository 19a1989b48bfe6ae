"""Resolve the facts that a Dockerfile needs from an analysis."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Analysis, Module, Role
from container_kit.stages.artifacts.dockerfile import DockerfileOptions, Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.docker.image_reference import ImageReference
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.declaration import RootBuild
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.questions import (
    LANGUAGE_UNKNOWN,
    MODULE_MISSING,
    NAME_UNUSABLE,
    NOTHING_TO_RUN,
    PORT_UNKNOWN,
    ask,
    evidence,
    malformed,
    start_unknown,
)
from container_kit.stages.ecosystems.facets.generation.workspace import PackageWorkspace

_PORT_BY_VARIABLE = 8080
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
"""Line separators and invisible characters."""
_PATTERN = re.compile(r"[\\*?\[\]]")
_NAME = re.compile(r"[\w./@+~-]+")
_HEALTH = re.compile(r"/[\w./~@:+-]*", re.ASCII)
_NO_COMMAND = re.compile(r"\s*[\[-]")
"""BuildKit reads a word with such a beginning as a flag or as JSON."""
_HIDING = re.compile(r"(?:pdm|pipenv|pixi) run [\w:-]+|\.?[\w./-]+\.(?:sh|bash)")
"""Commands that would be PID 1 instead of the application."""


def resolve(analysis: Analysis, path: str, tree: ContextTree, options: DockerfileOptions) -> App:
    """Resolve the facts of a module.

    Raises:
        StageFailure: One of `FAULTS`, with the question that resolves it.
    """
    module = analysis.module(path)
    if module is None:
        known = ", ".join(known.path for known in analysis.modules) or "none"
        raise MODULE_MISSING(f"the analysis has no module {path!r}", modules=known)
    language = module.language.value
    if language is None:
        raise LANGUAGE_UNKNOWN(
            ask(module.language, f"the language of {module.path} is unknown"),
            evidence=evidence(module.language),
            languages="the usual web languages",
        )
    _refuse_unusable(module, options)
    _refuse_malformed(analysis, module)
    place, root_build = module.path, _root_build(module, tree)
    if root_build:
        module = module.model_copy(update={"path": ".", "manifests": root_build.files})
    role, start = _role_and_start(module, options)
    declared = _workspace(tree, module.package_manager.value or "")
    workspace = declared if declared and declared.member(module.path) else None
    below_lock = analysis.workspace_tool is not None and root_build is None and declared is None
    port = _port(module, role, options)
    return App(
        module=module,
        tree=tree,
        role=role,
        language=language,
        manifests=_manifests(analysis, module, tree, workspace, below_lock=below_lock),
        start=start,
        port=port,
        workspace=workspace,
        in_workspace=below_lock or workspace is not None,
        start_given=options.start_command is not None,
        reasons=_reasons(module, options),
        place=place,
    )


def _root_build(module: Module, tree: ContextTree) -> RootBuild | None:
    """Return the root manifest that builds a module without a manifest; None if the module has one."""
    if module.path == "." or not module.build_command.value:
        return None
    for build in catalog().root_builds:
        own = any(tree.exists(f"{module.path}/{name}") for name in build.module_manifests)
        if module.language.value in build.languages and not own and tree.exists(build.manifest):
            return build
    return None


def _workspace(tree: ContextTree, manager: str) -> PackageWorkspace | None:
    """Return the workspace at the root; None if it does not exist, or if another tool manages it."""
    declared = catalog().managers.get(manager)
    return declared.workspace(tree) if declared and declared.workspace else None


def _role_and_start(module: Module, options: DockerfileOptions) -> tuple[Role, str | None]:
    start = options.start_command or _program(module)
    role = module.role.value or ("web" if module.port.value or options.port else "worker")
    if role == "static" and not options.start_command:
        return role, None
    if role == "library" and not options.start_command:
        raise NOTHING_TO_RUN(f"{module.path} is a library", evidence=evidence(module.role))
    if start is None and not _compiled(module):
        raise start_unknown(module, f"the start command of {module.path} is unknown")
    if role in {"library", "static"}:
        role = "web" if module.port.value or options.port else "worker"
    return role, start


def _program(module: Module) -> str | None:
    """Return the start command, or the program of a script or of a package manager's task."""
    start = module.start_command.value
    return module.start_program.value or start if start and _HIDING.fullmatch(start) else start


def _compiled(module: Module) -> bool:
    """Return whether the build creates the only program, so that no start command is needed."""
    language = catalog().languages.get(module.language.value or "")
    return language is not None and language.compiled and module.package_manager.value is not None


def _port(module: Module, role: Role, options: DockerfileOptions) -> int | None:
    if options.port:
        return options.port
    if role == "static":
        return 8080
    if role != "web":
        return None
    if module.port.value:
        language = catalog().languages.get(module.language.value or "")
        return _unprivileged(module.port.value) if language and language.brings_server else module.port.value
    if any(variable.name == "PORT" for variable in module.variables):
        return _PORT_BY_VARIABLE
    raise PORT_UNKNOWN(ask(module.port, f"the port of {module.path} is unknown"), evidence=evidence(module.port))


def _unprivileged(port: int) -> int:
    """Return the port of the added server: only root can use ports below 1024."""
    return port if port >= 1024 else _PORT_BY_VARIABLE


def _refuse_unusable(module: Module, options: DockerfileOptions) -> None:
    """Reject names that BuildKit or a shell would interpret as something other than a name."""
    output = module.output_directory.value
    for what, text in {"path": module.path, "output directory": output}.items():
        if text and (not _NAME.fullmatch(text) or ".." in text.split("/")):
            raise NAME_UNUSABLE(f"the {what} of a module is {text[:80]!r}", what=what)
    health, build = module.health_endpoint.value, module.build_command.value
    if health and not _HEALTH.fullmatch(health):
        raise NAME_UNUSABLE(f"the health endpoint of {module.path} is {health[:80]!r}", what="health endpoint")
    if build and (_NO_COMMAND.match(build) or _CONTROL.search(build) or build.endswith("\\") or "<<" in build):
        raise NAME_UNUSABLE(f"the build command of {module.path} is {build[:80]!r}", what="build command")
    for image in options.base_images.values():
        if ImageReference.try_parse(image) is None:
            raise NAME_UNUSABLE(f"{image[:80]!r} is not an image reference", what="base image")


def _refuse_malformed(analysis: Analysis, module: Module) -> None:
    """Reject a module with a broken manifest: the build would fail on it too."""
    for risk in analysis.risks:
        path = (risk.place or "").partition(":")[0]
        if risk.kind == "malformed" and path in module.manifests:
            raise malformed(path, risk)


def _manifests(
    analysis: Analysis, module: Module, tree: ContextTree, workspace: PackageWorkspace | None, *, below_lock: bool
) -> tuple[str, ...]:
    """Return the module's manifests and, in a workspace, those of all members: the lock file covers all of them."""
    paths = [*(workspace.manifests(module.path) if workspace else ()), *module.manifests]
    if below_lock and not workspace:
        paths += [path for other in analysis.modules for path in other.manifests]
    return tuple(
        path
        for path in dict.fromkeys(paths)
        if not _CONTROL.search(path) and not _PATTERN.search(path) and tree.exists(path)
    )


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
        Reason(decision=f"{what} {given[what]}", rationale="set by the caller")
        for what in given
        if given[what] is not None
    ]
    for what, finding in known:
        if finding.value is not None and given.get(what) is None:
            rationale = f"the analysis found it by {finding.provenance}, with confidence {finding.confidence:.2f}"
            reasons.append(Reason(decision=f"{what} {finding.value}", rationale=rationale, locations=finding.locations))
    if module.port.value is None and not options.port and any(v.name == "PORT" for v in module.variables):
        reasons.append(Reason(decision=f"port {_PORT_BY_VARIABLE}", rationale="the application listens on $PORT"))
    return tuple(reasons)
