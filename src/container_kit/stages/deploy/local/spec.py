"""What is to run: the image, the options and the analysis brought together and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from container_kit.stages.artifacts.analysis import Analysis, Module
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import env_file
from container_kit.stages.deploy.local.services.catalog import KINDS, ServiceSpec

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")  # fits RFC 1123 labels with room for what is added to it
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?")
_PATH = re.compile(r"/[!-~]{0,1000}")
_ROOT = ("", "root", "0")
_NOBODY = "65534:65534"

NAME_INVALID = FaultCode(
    "deploy.name_invalid",
    means="The application's name cannot name a container.",
    hint="Use at most 40 lower-case letters, digits and hyphens, starting with a letter, for example `{suggestion}`.",
)
OPTION_INVALID = FaultCode(
    "deploy.option_invalid",
    means="An option of the deployment has a value that cannot work.",
    hint="Give `{option}` as {form}.",
)

OVER_LIMIT = FaultCode(
    "deploy.over_limit",
    means="The deployment asks for more than its target allows.",
    hint="Ask for at most {option}={limit}, or have the target's limit raised in container-kit.toml.",
)

FAULTS = (NAME_INVALID, OPTION_INVALID, OVER_LIMIT, *env_file.FAULTS)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A version of an application as it should run."""

    app: str
    image: str
    image_id: str
    container_port: int | None
    """None where only the running application can tell."""
    user: str
    health_path: str
    options: DeployOptions
    env: Mapping[str, str] = field(repr=False)
    redact: Redactor = field(repr=False)
    services: tuple[tuple[ServiceSpec, str], ...] = ()
    """Services to have beside it, and the variable that takes the address of each."""
    missing: tuple[str, ...] = ()
    """Variables that the application cannot start without and that nothing sets."""

    def on(self, container_port: int) -> ContainerSpec:
        """The same with its port known."""
        return replace(self, container_port=container_port)

    def linked(self, addresses: Mapping[str, str]) -> ContainerSpec:
        """The same with the addresses of services in these variables."""
        self.redact.add(addresses.values())
        return replace(self, env={**self.env, **addresses})


async def resolve(
    ctx: StageContext,
    image: Image,
    options: DeployOptions,
    source: Source | None,
    analysis: Analysis | None,
    target: Target,
) -> ContainerSpec:
    """Bring together and check what is asked for, reading the file of variables.

    Raises:
        StageFailure: One of `FAULTS`, or one of the workspace's for the file's path.
    """
    module = analysis.module(source.module if source else ".") if analysis else None
    app = _name(options.name, image, source)
    _check(options)
    options = _limited(options, target)
    base = str(ctx.workspace.directory(source.path)) if source else None
    from_file = await env_file.read(ctx, options.env_file, base) if options.env_file else {}
    env = _with_port({**from_file, **options.env}, image, options, module)
    services = _services(options, module, env)
    told = {*env, *(variable for _, variable in services)}
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
        missing=tuple(v.name for v in module.variables if v.required and v.name not in told) if module else (),
    )


def _name(wanted: str | None, image: Image, source: Source | None) -> str:
    if wanted is not None:
        if not _NAME.fullmatch(wanted):
            suggestion = _as_name(wanted)
            better = NextAction(why=f"`{suggestion}` is a valid name", arguments={"name": suggestion})
            message = f"{wanted[:60]!r} is not a valid name for an application"
            raise NAME_INVALID(message, next_actions=[better], suggestion=suggestion)
        return wanted
    if source is not None:
        folder = Path(image.source or source.path).resolve()
        return _as_name(folder.name if source.module == "." else f"{folder.name}-{PurePosixPath(source.module).name}")
    return _as_name(image.reference.rpartition("/")[2].partition("@")[0].partition(":")[0])


def _as_name(text: str) -> str:
    """The nearest valid name."""
    tidy = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].rstrip("-")
    return tidy if _NAME.fullmatch(tidy) else f"app-{tidy}"[:40].rstrip("-")


def _check(options: DeployOptions) -> None:
    env_file.check(options.env)
    if options.health_path is not None and not _PATH.fullmatch(options.health_path):
        form = "a path that starts with / and holds no spaces, for example /health"
        raise OPTION_INVALID("health_path is not a path", option="health_path", form=form)
    if options.user is not None and not _USER.fullmatch(options.user):
        raise OPTION_INVALID("user is not a user", option="user", form="UID, UID:GID or a user's name")
    for name, path in options.volumes.items():
        if (
            not _NAME.fullmatch(name)
            or not _PATH.fullmatch(path)
            or ":" in path
            or PurePosixPath(path) == PurePosixPath("/")
        ):
            form = 'names of lower-case letters mapped to paths in the container, for example {"data": "/var/lib/app"}'
            raise OPTION_INVALID(f"the volume {name[:40]!r} cannot be mounted", option="volumes", form=form)


def _services(
    options: DeployOptions, module: Module | None, env: Mapping[str, str]
) -> tuple[tuple[ServiceSpec, str], ...]:
    """The services that are asked for and not given already by the address in their variable."""
    found = {service.kind: service.variable for service in module.services} if module else {}
    asked = options.services if isinstance(options.services, tuple) else tuple(found) if options.services else ()
    wanted = [kind for name, kind in KINDS.items() if name in asked]
    return tuple((kind, v) for kind in wanted if (v := found.get(kind.name) or kind.variable) not in env)


def _limited(options: DeployOptions, target: Target) -> DeployOptions:
    """The options with defaults that fit a target's limits; what was asked for beyond them is refused."""
    lowered = {}
    for option, limit in (("memory_mb", target.limits.memory_mb), ("cpus", target.limits.cpus)):
        if limit is None or getattr(options, option) <= limit:
            continue
        if option in options.model_fields_set:
            message = f"{option}={getattr(options, option):g} is more than {target.name} allows: {limit:g}"
            within = NextAction(why=f"{target.name} allows {limit:g}", arguments={option: limit})
            raise OVER_LIMIT(message, next_actions=[within], option=option, limit=f"{limit:g}")
        lowered[option] = limit
    return options.model_copy(update=lowered)


def _container_port(image: Image, options: DeployOptions, module: Module | None) -> int | None:
    if options.container_port is not None:
        return options.container_port
    known = module.port.value if module else None
    if not image.ports or known in image.ports:
        return known
    return image.ports[0] if len(image.ports) == 1 else None


def _with_port(env: dict[str, str], image: Image, options: DeployOptions, module: Module | None) -> dict[str, str]:
    """Tell the application its port where it reads PORT and nobody has told it."""
    port = _container_port(image, options, module)
    reads = {variable.name: variable for variable in module.variables} if module else {}
    if "PORT" in reads and "PORT" not in env and port is not None:
        # What the image itself sets would be EXPOSEd too, hence the same number.
        return {**env, "PORT": str(port)}
    return env
