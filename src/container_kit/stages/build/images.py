"""The image of a build: a prediction for dry runs, and its removal after a failed build."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.docker import built_images, images, labels
from container_kit.stages.formats.dockerfile import configuration_of

if TYPE_CHECKING:
    from docker import APIClient


TAG_TAKEN = FaultCode(
    "build.tag_taken",
    means="The tag names an image that was not built from this folder, such as a base image.",
    hint="Build with another tag. To move {tag} anyway, call tag with the built image afterwards.",
)


def own_name(reference: str, source: str) -> str:
    """Return the name with a part that belongs to the folder, so that no other image has it."""
    name, _, tag = reference.rpartition(":")
    return f"{name}-{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}:{tag}"


def is_foreign(api: APIClient, reference: str, source: str) -> bool:
    """Return whether a tag names an image that was not built from a folder on this machine. It blocks."""
    details = images.inspect(api, reference)
    if details is None:
        return False
    label = ((details.get("Config") or {}).get("Labels") or {}).get(labels.SOURCE)
    earlier = label == source  # a release before the records
    return details["Id"] not in built_images.images_of(source) and not earlier


def untag_built(api: APIClient, reference: str, source: str, previous: str | None) -> None:
    """Undo the move of a tag to a new image that was built from a folder. It blocks."""
    details = images.inspect(api, reference)
    if details is None or details["Id"] == previous:
        return
    label = ((details.get("Config") or {}).get("Labels") or {}).get(labels.SOURCE)
    if label == built_images.source_digest(source):
        images.restore_tag(api, reference, details["Id"], previous, keep_image=False)


def predict(inputs: Inputs, options: BuildOptions) -> Image:
    """Predict the image of a build from its Dockerfile. Properties that only the base image sets are unknown."""
    stage = inputs.parsed.stage(options.target) or inputs.parsed.stages[-1]
    configuration = configuration_of(inputs.parsed, stage)
    return Image(
        id="",
        reference=inputs.reference,
        ports=configuration.tcp_ports(),
        user=configuration.user or "",
        healthcheck=(configuration.healthcheck or ("NONE",))[0] != "NONE",
        source=str(inputs.root),
    )
