"""Images in the engine: what they are, and giving their names back. It all blocks; `DockerEngine.call` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.docker.labels import SOURCE

if TYPE_CHECKING:
    from docker import APIClient

_CONFLICT = 409


def id_of(api: APIClient, reference: str) -> str | None:
    """The id of the image that a reference names, or None."""
    found = _inspect(api, reference)
    return str(found["Id"]) if found is not None else None


def describe(api: APIClient, image: str) -> dict[str, Any]:
    """What is known of an image, as fields of `Image`."""
    found = api.inspect_image(image)
    config = found.get("Config") or {}
    variant = found.get("Variant")
    return {
        "id": str(found["Id"]),
        "size": int(found.get("Size") or 0),
        "platform": f"{found.get('Os', 'linux')}/{found.get('Architecture', '')}" + (f"/{variant}" if variant else ""),
        "ports": _tcp_ports(config.get("ExposedPorts") or {}),
        "user": str(config.get("User") or ""),
        "healthcheck": (config.get("Healthcheck") or {}).get("Test", ["NONE"])[:1] != ["NONE"],
    }


def restore(api: APIClient, reference: str, image_id: str, previous: str | None) -> None:
    """Undo the making of an image: its reference names again what it named before, and the image goes if unused.

    A reference that names something else meanwhile is left alone, and so is an image that was there before.
    """
    if not image_id or previous == image_id or id_of(api, reference) != image_id:
        return
    if previous is not None and id_of(api, previous) is not None:
        api.tag(previous, *reference.rsplit(":", 1), force=True)
        _remove_unnamed(api, image_id)
    else:
        _remove(api, reference)


def untag_built(api: APIClient, reference: str, source: str, previous: str | None) -> None:
    """Undo the reference if it names a new image that was built from a folder."""
    found = _inspect(api, reference)
    if found is None or found["Id"] == previous:
        return
    if ((found.get("Config") or {}).get("Labels") or {}).get(SOURCE) == source:
        restore(api, reference, str(found["Id"]), previous)


def foretold(read: Inputs, options: BuildOptions) -> Image:
    """The image that a build would make, as far as its Dockerfile tells."""
    stages = read.parsed.stages
    wanted = (options.target or "").lower()
    last = next((stage for stage in stages if wanted and (stage.name or "").lower() == wanted), stages[-1])
    ports: set[int] = set()
    user, healthcheck = "", False
    for instruction in last.instructions:
        if instruction.word == "EXPOSE":
            words = [word.removesuffix("/tcp") for word in instruction.arguments.split()]
            ports |= {int(word) for word in words if word.isdigit() and int(word) < 65536}
        elif instruction.word == "USER":
            user = instruction.arguments
        elif instruction.word == "HEALTHCHECK":
            healthcheck = instruction.arguments.strip().upper() != "NONE"
    return Image(
        id="",
        reference=read.reference,
        ports=tuple(sorted(ports)),
        user=user,
        healthcheck=healthcheck,
        source=str(read.root),
    )


def _inspect(api: APIClient, reference: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: dict[str, Any] = api.inspect_image(reference)
    except NotFound:
        return None
    return found


def _remove_unnamed(api: APIClient, image_id: str) -> None:
    found = _inspect(api, image_id)
    if found is not None and not found.get("RepoTags"):
        _remove(api, image_id)


def _remove(api: APIClient, image: str) -> None:
    from docker.errors import APIError, NotFound

    try:
        api.remove_image(image)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != _CONFLICT:  # a container uses it, or it has another name: it stays
            raise


def _tcp_ports(exposed: dict[str, Any]) -> tuple[int, ...]:
    numbers = (port.partition("/") for port in exposed)
    return tuple(sorted(int(number) for number, _, kind in numbers if kind in {"", "tcp"} and number.isdigit()))
