"""The desired state of a container: the image, the options and the analysis, combined and checked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from container_kit.stages.artifacts.analysis import Analysis, Module, Variable
from container_kit.stages.artifacts.deployment import DeployOptions, ProgramKind
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy import env_file
from container_kit.stages.deploy.faults import OPTION_INVALID, OVER_LIMIT, over_limit
from container_kit.stages.deploy.local.services.catalog import KINDS, ServiceSpec
from container_kit.stages.docker.image_reference import short_name

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")  # an RFC 1123 label, with room for suffixes
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?")
_PATH = re.compile(r"/[!-~]{0,1000}")
_OWN_SECRET = re.compile(
    r"(?:(?:APP|APPLICATION|DJANGO|FLASK|FASTAPI|QUART|JWT|SESSION|COOKIE|CSRF|AUTH|NEXTAUTH|BETTER_AUTH|SERVER|SITE|WEB"
    r"|API|TOKEN|ACCESS_TOKEN|REFRESH_TOKEN|SECURITY)_)?(?:SECRET|SECRET_KEY|SECRET_KEY_BASE|SECRET_TOKEN|PASSWORD_SALT)"
)
"""Names of secrets that only the application itself uses; those of other services have values that nobody can guess."""
_ROOT = ("", "root", "0")
_NOBODY = "65534:65534"

FAULTS = (OPTION_INVALID, OVER_LIMIT, *env_file.FAULTS)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A version of an application as it should run."""

    app: str
    image: str
    image_id: str
    container_port: int | None
    """None if only the running application shows it."""
    user: str
    health_path: str
    options: DeployOptions
    env: Mapping[str, str] = field(repr=False)
    redact: Redactor = field(repr=False)
    services: tuple[tuple[ServiceSpec, str], ...] = ()
    """The backing services, each with the variable that takes its address."""
    missing_variables: tuple[str, ...] = ()
    """Variables that the application requires and that nothing sets."""
    root: Path | None = None
    """The module's folder in the source tree, if the container comes from one."""
    known_services: Mapping[str, str] = field(default_factory=dict)
    """The variables of the services that the analysis found, by kind."""
    kind: ProgramKind = "web"
    generated: tuple[str, ...] = ()
    """Variables with a secret of the application itself, for which any random value will do."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """The names of the application's volumes, mapped to paths in the container."""
    writable: str | None = None
    """The folder with the code, if the application writes to it; each container has its own copy."""
    release: tuple[str, ...] = ()
    """The command that prepares the version before it serves."""
    digest: str = ""
    """A digest of all of this, before a port is detected."""

    def with_port(self, container_port: int) -> ContainerSpec:
        """Return a copy with the application's port."""
        return replace(self, container_port=container_port)

    def with_env(self, addresses: Mapping[str, str]) -> ContainerSpec:
        """Return a copy with the addresses of services in these variables; they are redacted."""
        self.redact.add(addresses.values())
        return replace(self, env={**self.env, **addresses})


async def resolve_spec(
    ctx: StageContext,
    image: Image,
    options: DeployOptions,
    source: Source | None,
    analysis: Analysis | None,
    target: Target,
) -> ContainerSpec:
    """Combine and check what a deployment requests; reads the environment file.

    Raises:
        StageFailure: One of `FAULTS`, or a workspace fault of the file's path.
    """
    module = analysis.module(source.module if source else ".") if analysis else None
    base = str(ctx.workspace.directory(source.path)) if source else None
    app = _application_name(options.name, image, base, source.module if source else ".")
    _check(options)
    options = _apply_limits(options, target)
    from_file = await env_file.read(ctx, options.env_file, base) if options.env_file else {}
    env = _with_port_variable({**from_file, **options.env}, image, options, module)
    services = _services(options, module, env)
    generated = tuple(v.name for v in unset_variables(module, env) if _OWN_SECRET.fullmatch(v.name))
    env = {v.name: v.suggested for v in unset_variables(module, env) if v.suggested is not None} | env
    given = {*env, *generated, *(variable for _, variable in services)}
    return ContainerSpec(
        app=app,
        image=image.reference,
        image_id=image.id,
        container_port=_container_port(image, options, module),
        user=options.user or (image.user if image.user.partition(":")[0] not in _ROOT else _NOBODY),
        health_path=options.health_path or (module and module.health_endpoint.value) or "/",
        options=options,
        env=env,
        redact=Redactor([*from_file.values(), *options.env.values()]),
        services=services,
        root=_module_folder(ctx, source),
        known_services={service.kind: service.variable or "" for service in module.services} if module else {},
        kind=_kind(image, options, module),
        generated=generated,
        volumes=_volumes(image, options),
        writable=image.writable,
        release=image.release if options.release else (),
        missing_variables=tuple(v.name for v in module.variables if v.required and v.name not in given)
        if module
        else (),
    )


def _module_folder(ctx: StageContext, source: Source | None) -> Path | None:
    if source is None:
        return None
    root = Path(ctx.workspace.directory(source.path))
    return root if source.module == "." else Path(ctx.workspace.directory(str(root / source.module)))


def _kind(image: Image, options: DeployOptions, module: Module | None) -> ProgramKind:
    """Return what the program is by the analysis, if no port is known; a console script of a package is a command."""
    if module is None or _container_port(image, options, module) is not None or image.ports or options.port:
        return "web"
    if module.role.value == "worker":
        return "worker"
    if module.role.value != "cli":
        return "web"
    return "command" if module.role.provenance == "declared" else "job"


def unset_variables(module: Module | None, env: Mapping[str, str]) -> list[Variable]:
    """Return the variables that the code reads without a default and that nothing sets."""
    return [v for v in module.variables if not v.default and v.name not in env] if module else []


def _application_name(requested: str | None, image: Image, folder: str | None, module: str) -> str:
    if requested is not None:
        if not _NAME.fullmatch(requested):
            suggestion = _valid_name(requested)
            raise OPTION_INVALID(
                f"{requested[:60]!r} is not a valid application name",
                next_actions=[NextAction(why=f"`{suggestion}` is a valid name", arguments={"name": suggestion})],
                option="name",
                rule="at most 40 lower-case letters, digits and hyphens, starting with a letter, "
                f"for example `{suggestion}`",
            )
        return requested
    if folder is not None:
        name = PurePosixPath(folder).name
        return _valid_name(name if module == "." else f"{name}-{PurePosixPath(module).name}")
    return _valid_name(short_name(image.reference))


def _valid_name(text: str) -> str:
    """Return the nearest valid name."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].rstrip("-")
    return name if _NAME.fullmatch(name) else f"app-{name}"[:40].rstrip("-")


def _check(options: DeployOptions) -> None:
    env_file.check(options.env)
    if options.health_path is not None and not _PATH.fullmatch(options.health_path):
        rule = "a path that starts with / and has no spaces, for example /health"
        raise OPTION_INVALID("health_path is not a path", option="health_path", rule=rule)
    if options.start_command is not None and not _is_command(options.start_command):
        rule = "a command with closed quotes, for example `gunicorn app:app`"
        raise OPTION_INVALID("start_command cannot be split", option="start_command", rule=rule)
    if options.user is not None and not _USER.fullmatch(options.user):
        raise OPTION_INVALID("user is not a valid user", option="user", rule="UID, UID:GID or a user name")
    for name, path in options.volumes.items():
        if not _is_mountable(name, path):
            rule = 'lower-case volume names mapped to paths in the container, for example {"data": "/var/lib/app"}'
            raise OPTION_INVALID(f"the volume {name[:40]!r} cannot be mounted", option="volumes", rule=rule)


def _is_command(text: str) -> bool:
    try:
        return bool(shlex.split(text)) and "\0" not in text
    except ValueError:
        return False


def _is_mountable(name: str, path: str) -> bool:
    valid = _NAME.fullmatch(name) and _PATH.fullmatch(path) and ":" not in path
    return bool(valid) and PurePosixPath(path) != PurePosixPath("/")


def _volumes(image: Image, options: DeployOptions) -> dict[str, str]:
    """Return the paths of the requested volumes and of those of the image, by the names of the volumes."""
    mounted = dict(options.volumes)
    for path in image.volumes:
        if path not in mounted.values() and _is_mountable("volume", path):
            name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "data"
            mounted.setdefault(name[:100], path)
    return mounted


def _services(
    options: DeployOptions, module: Module | None, env: Mapping[str, str]
) -> tuple[tuple[ServiceSpec, str], ...]:
    """Return the requested services, except those whose variable is already set."""
    variables = {service.kind: service.variable for service in module.services} if module else {}
    if isinstance(options.services, tuple):
        requested: tuple[str, ...] = options.services
    else:
        requested = tuple(variables) if options.services else ()
    kinds = [kind for name, kind in KINDS.items() if name in requested]
    return tuple((kind, v) for kind in kinds if (v := variables.get(kind.name) or kind.variable) not in env)


def _apply_limits(options: DeployOptions, target: Target) -> DeployOptions:
    """Lower defaults to a target's limits; reject explicit values above them."""
    lowered = {}
    for option, limit in (("memory_mb", target.limits.memory_mb), ("cpus", target.limits.cpus)):
        if limit is None or getattr(options, option) <= limit:
            continue
        if option in options.model_fields_set:
            raise over_limit(target.name, option, f"{getattr(options, option):g}", limit, f"{limit:g}")
        lowered[option] = limit
    return options.model_copy(update=lowered)


def _container_port(image: Image, options: DeployOptions, module: Module | None) -> int | None:
    if options.container_port is not None:
        return options.container_port
    analyzed = module.port.value if module else None
    if not image.ports or analyzed in image.ports:
        return analyzed
    return image.ports[0] if len(image.ports) == 1 else None


def _with_port_variable(
    env: dict[str, str], image: Image, options: DeployOptions, module: Module | None
) -> dict[str, str]:
    """Set PORT if the application reads it and nothing sets it."""
    port = _container_port(image, options, module)
    reads_port = module is not None and any(variable.name == "PORT" for variable in module.variables)
    if reads_port and "PORT" not in env and port is not None:
        # A PORT that the image itself sets would be EXPOSEd too, and so be the same number.
        return {**env, "PORT": str(port)}
    return env
