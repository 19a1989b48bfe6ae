"""The rare arguments of `full-deployment` and `deploy`.

A listed schema shows them as one object `options`, because the schemas of all tools are part of every session's
context. The whole schema is a resource. A call may pass them in `options` or next to the other arguments.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema, model_validator

from container_kit.tools.builtin._fields import AllowSecrets, CaFile, DockerfilePath, HealthTimeout
from container_kit.tools.tool import ToolInput

SCHEMA_URI = "schema://{name}"
"""The resource template of the schemas of `options`."""

MemoryLimit = Annotated[int, Field(ge=16, description="Memory limit in MiB; default 512")]
CpuLimit = Annotated[float, Field(gt=0, description="CPU limit in cores; default 1")]
StartCommand = Annotated[
    str, Field(min_length=1, max_length=2000, description="Replaces CMD, such as `gunicorn app:app`; default: CMD")
]


def _reject_root(user: str) -> str:
    """Reject root: it is for pipelines of the operator only."""
    if user.partition(":")[0] in {"", "0", "root"}:
        raise ValueError("name a user other than root")
    return user


User = Annotated[
    str,
    AfterValidator(_reject_root),
    Field(description="UID, UID:GID or name; default: the image's user, or 65534 for root"),
]
Volumes = Annotated[dict[str, str], Field(description="Name: path in the container, such as data: /var/lib/app")]
ReadOnlyRoot = Annotated[bool, Field(description="Read-only root with a writable /tmp; default true")]
ProbeKind = Annotated[Literal["http", "tcp"], Field(description="Kind of health probe; default http")]
ZeroDowntime = Annotated[bool, Field(description="Put a proxy in front: an update fails no request; default false")]
KeepVersions = Annotated[int, Field(ge=1, le=50, description="Replaced versions to keep for a rollback; default 3")]
Release = Annotated[bool, Field(description="Run the release command, such as a migration, first; default true")]
Platform = Annotated[
    str, Field(pattern=r"^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$", description="Such as linux/arm64; default: the engine's")
]
BuildArgs = Annotated[dict[str, str], Field(description="NAME: value; no secrets, because the image keeps them")]
BuildSecrets = Annotated[dict[str, str], Field(description="Build secrets. Id: env:NAME or file:PATH, not the value")]
BuildTarget = Annotated[str, Field(description="Stage of the Dockerfile to build; default: the last")]
NoCache = Annotated[bool, Field(description="Build without the cache; default false")]
OnlyFixable = Annotated[bool, Field(description="Fail only on findings with a fix; default true")]
RequireScanner = Annotated[bool, Field(description="Fail if nothing could scan the image; default false")]
Replicas = Annotated[int, Field(ge=1, le=500, description="Pods, on a Kubernetes target only; default 2")]


class DeployExtras(ToolInput):
    """The rare options of `deploy`."""

    memory_mb: MemoryLimit | None = None
    cpus: CpuLimit | None = None
    start_command: StartCommand | None = None
    user: User | None = None
    volumes: Volumes | None = None
    read_only: ReadOnlyRoot | None = None
    probe: ProbeKind | None = None
    health_timeout: HealthTimeout | None = None
    zero_downtime: ZeroDowntime | None = None
    keep_versions: KeepVersions | None = None
    release: Release | None = None


class FullDeploymentExtras(DeployExtras):
    """The rare options of `full-deployment`."""

    dockerfile: DockerfilePath | None = None
    build_args: BuildArgs | None = None
    secrets: BuildSecrets | None = None
    allow_secrets: AllowSecrets | None = None
    ca_file: CaFile | None = None
    target: BuildTarget | None = None
    platform: Platform | None = None
    no_cache: NoCache | None = None
    only_fixable: OnlyFixable | None = None
    require_scanner: RequireScanner | None = None
    replicas: Replicas | None = None


OPTIONS: dict[str, type[ToolInput]] = {"full-deployment-options": FullDeploymentExtras, "deploy-options": DeployExtras}
"""The models of `options` by the name of their resource."""


def _listed(model: type[ToolInput], name: str) -> dict[str, Any]:
    """Return the listed schema of `options`: the names of its fields, and the resource with the whole schema."""
    return {"type": "object", "description": f"{', '.join(model.model_fields)}. See {SCHEMA_URI.format(name=name)}"}


class DeployOptionsInput(DeployExtras):
    """Arguments with the rare options of `deploy`."""

    unlisted: ClassVar[frozenset[str]] = frozenset(DeployExtras.model_fields)
    options: Annotated[DeployExtras, WithJsonSchema(_listed(DeployExtras, "deploy-options"))] | None = None

    _check = model_validator(mode="before")(lambda values: _reject_repeated(values))


class FullDeploymentOptionsInput(FullDeploymentExtras):
    """Arguments with the rare options of `full-deployment`."""

    unlisted: ClassVar[frozenset[str]] = frozenset(FullDeploymentExtras.model_fields)
    options: (
        Annotated[FullDeploymentExtras, WithJsonSchema(_listed(FullDeploymentExtras, "full-deployment-options"))] | None
    ) = None

    _check = model_validator(mode="before")(lambda values: _reject_repeated(values))


def _reject_repeated(values: Any) -> Any:
    """Reject an argument that is given twice with different values."""
    extras = values.get("options") if isinstance(values, dict) else None
    if isinstance(extras, dict):
        repeated = [name for name, value in extras.items() if name in values and values[name] != value]
        if repeated:
            raise ValueError(f"pass {', '.join(repeated)} either in options or next to it")
    return values


def given_arguments(arguments: ToolInput) -> dict[str, JsonValue]:
    """Return the arguments that a caller gave, by the names that the pipelines use, those of `options` included."""
    given: dict[str, JsonValue] = arguments.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    extras = given.pop("options", None)
    if isinstance(extras, dict):
        given |= extras
    if "platform" in given:
        given["platforms"] = [given.pop("platform")]
    return given
