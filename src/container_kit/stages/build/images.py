"""The image of a build: a prediction for dry runs, and its removal after a failed build."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.build.dockerfile import Instruction
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.docker import images

if TYPE_CHECKING:
    from docker import APIClient


def untag_built(api: APIClient, reference: str, source: str, previous: str | None) -> None:
    """Undo the move of a tag to a new image that was built from a folder. It blocks."""
    details = images.inspect(api, reference)
    if details is None or details["Id"] == previous:
        return
    image = images.describe(details, reference)
    if image.source == source:
        images.restore_tag(api, reference, image.id, previous, keep_image=False)


def predict(inputs: Inputs, options: BuildOptions) -> Image:
    """Predict the image of a build from its Dockerfile. Properties that come from the base image are not known."""
    stages = inputs.parsed.stages
    target = (options.target or "").lower()
    last = next((stage for stage in stages if target and (stage.name or "").lower() == target), stages[-1])
    arguments = {instruction.word: instruction.arguments.strip() for instruction in last.instructions}
    return Image(
        id="",
        reference=inputs.reference,
        ports=tuple(sorted({port for instruction in last.instructions for port in _exposed(instruction)})),
        user=arguments.get("USER", ""),
        healthcheck=arguments.get("HEALTHCHECK", "NONE").upper() != "NONE",
        source=str(inputs.root),
    )


def _exposed(instruction: Instruction) -> Iterator[int]:
    """Read the TCP ports of an EXPOSE instruction."""
    for word in instruction.arguments.split() if instruction.word == "EXPOSE" else ():
        port = word.removesuffix("/tcp")
        if port.isdigit() and int(port) < 65536:
            yield int(port)
