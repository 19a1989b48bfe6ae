"""The application to deploy: options, analysis and image combined, every value checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from container_kit.stages.artifacts.analysis import Module
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import ClusterImage, KubernetesOptions
from container_kit.stages.contract import expressions as re
from container_kit.stages.deploy.faults import OPTION_INVALID, PORT_NOT_FOUND
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.docker.image_reference import ImageReference, short_name

_SERVICE_PORTS = {
    "postgres": 5432, "mysql": 3306, "mariadb": 3306, "redis": 6379, "mongodb": 27017, "rabbitmq": 5672, "kafka": 9092,
    "elasticsearch": 9200, "memcached": 11211, "smtp": 587, "s3": 443, "nats": 4222,
}  # fmt: skip
_MIN_MEMORY = Fraction(16 * 2**20)
_MIN_CPU = Fraction(1, 100)
DEFAULT_USER = 10001


@dataclass(frozen=True, slots=True)
class ManifestValues:
    """The values of the manifests; every text is safe to write."""

    name: str
    namespace: str
    image: str
    pull_policy: str
    version: str
    port: int | None
    """None for a worker: no Service, no Ingress, no probes."""
    options: KubernetesOptions
    labels: dict[str, str]
    env: list[dict[str, object]]
    writable_paths: tuple[str, ...]
    user: int
    egress_ports: tuple[int, ...]


def combine(
    options: KubernetesOptions, image: ClusterImage, namespace: str, module: Module | None, built: Image | None
) -> ManifestValues:
    """Combine the options, the analysis and the built image.

    Raises:
        StageFailure: `deploy.option_invalid` names the field; `kubernetes.secret_literal`,
            `deploy.port_not_found`.
    """
    check_options(options)
    reference = fields.image("image", image.reference)
    return ManifestValues(
        name=_name(options, module, reference),
        namespace=fields.namespace("namespace", namespace),
        image=reference,
        pull_policy=image.pull_policy,
        version=_version(reference),
        port=_port(options, module, built),
        options=options.model_copy(update={"health_path": _health_path(options, module)}),
        labels=dict(fields.label("labels", key, value) for key, value in options.labels.items()),
        env=_environment(options),
        writable_paths=tuple(sorted({fields.mount_path("writable_paths", path) for path in options.writable_paths})),
        user=options.run_as_user or _numeric_user(built),
        egress_ports=_egress(options, module),
    )


_CHECKS: dict[str, Callable[[str, str], str]] = {
    "name": fields.application_name,
    "namespace": fields.namespace,
    "pull_secret": fields.object_name,
    "ingress_class": fields.object_name,
    "tls_secret": fields.object_name,
    "ingress_namespace": fields.namespace,
    "host": fields.host_name,
    "registry": fields.registry,
    "health_path": fields.http_path,
}


def check_options(options: KubernetesOptions) -> None:
    """Check every option that can be checked on its own.

    Raises:
        StageFailure: `deploy.option_invalid` names the field; `kubernetes.secret_literal`.
    """
    for field, check in _CHECKS.items():
        if (value := getattr(options, field)) is not None:
            check(field, value)
    fields.request_and_limit("cpu", options.cpu, options.cpu_limit, minimum=_MIN_CPU)
    fields.request_and_limit("memory", options.memory, options.memory_limit, minimum=_MIN_MEMORY)
    for field in ("command", "args"):
        for word in getattr(options, field):
            fields.text(field, word)
    for key, value in options.labels.items():
        fields.label("labels", key, value)
    for path in options.writable_paths:
        fields.mount_path("writable_paths", path)
    _environment(options)
    _egress(options, None)


def _name(options: KubernetesOptions, module: Module | None, reference: str) -> str:
    if options.name is not None:
        return options.name
    if module is not None and module.name:
        return fields.slug(module.name)
    return fields.slug(short_name(reference))


def _version(reference: str) -> str:
    """Return the tag, else the start of the digest: the version label."""
    image = ImageReference.parse(reference)
    digest = (image.digest or "").partition(":")[2]
    return fields.label_value(image.tag or "") or digest[:12] or "latest"


def _port(options: KubernetesOptions, module: Module | None, built: Image | None) -> int | None:
    if options.port is not None:
        return options.port
    if module is not None and module.port.value is not None and 0 < module.port.value < 65536:
        return module.port.value
    if built is not None and built.ports:
        return built.ports[0]
    if module is not None and module.role.value in ("worker", "cli", "library"):
        return None
    message = "the port for the application's Service and probes is not known"
    raise PORT_NOT_FOUND(message, option="port", open="not checked")


def _health_path(options: KubernetesOptions, module: Module | None) -> str | None:
    if options.health_path is not None:
        return options.health_path
    analyzed = module.health_endpoint.value if module is not None else None
    return fields.http_path("health_path", analyzed) if analyzed else None


def _numeric_user(built: Image | None) -> int:
    user = built.user.partition(":")[0] if built is not None else ""
    return int(user) if re.fullmatch(r"[1-9]\d{0,8}", user) else DEFAULT_USER


def _egress(options: KubernetesOptions, module: Module | None) -> tuple[int, ...]:
    for port in options.egress_ports:
        if not 0 < port < 65536:
            rule = "ports from 1 to 65535"
            raise OPTION_INVALID(f"egress_ports is invalid: {port}", option="egress_ports", rule=rule)
    ports = (_SERVICE_PORTS.get(service.kind) for service in (module.services if module is not None else ()))
    return tuple(sorted({*options.egress_ports, *(port for port in ports if port is not None)}))


def _environment(options: KubernetesOptions) -> list[dict[str, object]]:
    """Return the variables, sorted by name: literals, and references to Secrets and ConfigMaps."""
    env: dict[str, dict[str, object]] = {}
    for name, value in options.env.items():
        fields.variable("env", name)
        env[name] = {"name": name, "value": fields.literal("env", name, value)}
    for field, source in (("secret_env", "secretKeyRef"), ("config_env", "configMapKeyRef")):
        for name, reference in getattr(options, field).items():
            fields.variable(field, name)
            if name in env:
                raise OPTION_INVALID(f"{name} is given twice", option=field, rule=f"{name} only once")
            holder, key = fields.reference(f"{field}[{name}]", reference)
            env[name] = {"name": name, "valueFrom": {source: {"name": holder, "key": key}}}
    return [env[name] for name in sorted(env)]
