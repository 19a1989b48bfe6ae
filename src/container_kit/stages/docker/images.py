"""Images in the engine: inspection, and moves of tags. All functions block; `DockerEngine.call` runs them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.docker import built_images, labels
from container_kit.stages.docker.image_reference import ImageReference

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_NOT_FOUND = FaultCode(
    "image.not_found",
    means="The engine has no such image.",
    hint="Build {image} first, load it into the engine at {host}, or use an image that exists: {existing}.",
)

_CONFLICT = 409
_UNTAGGED = "<none>:<none>"  # how older engines list an image without a tag
_MAX_SHOWN = 10


def inspect(api: APIClient, reference: str) -> dict[str, Any] | None:
    """Inspect an image; None if the engine does not have it."""
    from docker.errors import NotFound

    try:
        details: dict[str, Any] = api.inspect_image(reference)
    except NotFound:
        return None
    return details


def image_id(api: APIClient, reference: str) -> str | None:
    """Return the id of an image; None if the engine does not have it."""
    details = inspect(api, reference)
    return str(details["Id"]) if details is not None else None


def tags(details: dict[str, Any]) -> list[str]:
    """Return the tags of an image that was inspected or listed."""
    return [tag for tag in details.get("RepoTags") or () if tag != _UNTAGGED]


def all_tags(api: APIClient) -> list[str]:
    """List the tags of all images."""
    return sorted(tag for image in api.images() for tag in tags(image))


def describe(details: dict[str, Any], reference: str) -> Image:
    """Create the artifact of an inspected image."""
    config = details.get("Config") or {}
    known = config.get("Labels") or {}
    platform = (details.get("Os") or "linux", details.get("Architecture"), details.get("Variant"))
    return Image(
        id=details["Id"],
        reference=reference,
        size=details.get("Size") or 0,
        platform="/".join(filter(None, platform)),
        ports=_tcp_ports(config.get("ExposedPorts") or {}),
        user=config.get("User") or "",
        healthcheck=((config.get("Healthcheck") or {}).get("Test") or ["NONE"])[0] != "NONE",
        volumes=tuple(sorted(config.get("Volumes") or {})),
        writable=known.get(labels.WRITABLE),
        release=_command(known.get(labels.RELEASE)),
        source=built_images.source_of(details["Id"]),
    )


def _command(text: str | None) -> tuple[str, ...]:
    """Return the words of a label that holds a JSON list; none if it does not."""
    try:
        words = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(map(str, words)) if isinstance(words, list) else ()


def _tcp_ports(exposed: Iterable[str]) -> tuple[int, ...]:
    ports = (port.partition("/") for port in exposed)
    return tuple(sorted(int(number) for number, _, protocol in ports if protocol in {"", "tcp"} and number.isdigit()))


def move_tag(api: APIClient, reference: ImageReference, image: str) -> None:
    """Point a tag to an image."""
    api.tag(image, reference.name, reference.tag, force=True)


def restore_tag(api: APIClient, reference: str, image: str, previous: str | None, *, keep_image: bool) -> None:
    """Undo the move of a tag to an image: point it to the previous image again, or remove a new tag.

    A tag that points to a third image by now is left alone.

    Args:
        api: The engine's client.
        reference: The tag, as `name:tag`.
        image: The id of the image that the tag was moved to.
        previous: The id of the image that the tag pointed to before.
        keep_image: Keep the image even if no tag is left, and its last tag with it. Otherwise the image is removed
            unless it has another tag or a container uses it.
    """
    if previous == image or image_id(api, reference) != image:
        return
    if previous is not None and image_id(api, previous) is not None:
        move_tag(api, ImageReference.parse(reference), previous)
        if not keep_image and not tags(inspect(api, image) or {}):
            _remove(api, image)
    elif not keep_image:
        _remove(api, reference)
    elif len(tags(inspect(api, image) or {})) > 1:
        api.remove_image(reference, noprune=True)


def _remove(api: APIClient, image: str) -> None:
    from docker.errors import APIError, NotFound

    try:
        api.remove_image(image)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != _CONFLICT:  # a container uses it, or it has another tag
            raise


def not_found(image: str, host: str, existing: Iterable[str] = ()) -> StageFailure:
    """Create the fault of an image that the engine does not have.

    Args:
        image: Its reference or id.
        host: The engine's address.
        existing: The tags of the images that exist, to suggest similar ones.
    """
    known = list(existing)
    similar = get_close_matches(image, known, n=3)
    shown = ", ".join(similar or known[:_MAX_SHOWN])
    return IMAGE_NOT_FOUND(
        f"the engine has no image {image}",
        evidence=[Evidence(kind="value", text=shown or "the engine has no images", where=host)],
        next_actions=[NextAction(why=f"{name} exists", arguments={"image": name}) for name in similar],
        image=image,
        host=host,
        existing=shown or "the engine has no images",
    )
