"""The labels that Container Kit sets on images, containers, networks and volumes: all of them, and only here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from container_kit.stages.contract import expressions as re

if TYPE_CHECKING:
    from container_kit.stages.contract.stage import StageContext


_RESERVED = re.compile(r"\bio\.container-kit\.[a-z0-9.-]*[a-z0-9]")

RUN = "io.container-kit.run"
"""The id of the run that created a container."""
PIPELINE = "io.container-kit.pipeline"
STAGE = "io.container-kit.stage"

SOURCE = "io.container-kit.source"
"""A keyed digest of the folder that an image was built from; `built_images` has the folder."""
BASE_IMAGE_LOCAL = "io.container-kit.base-image.local"
"""Set on a base image that was made on this machine instead of pulled."""
BASE_IMAGE_SOURCE = "io.container-kit.base-image.source"
"""What such a base image was made from."""

WRITABLE = "io.container-kit.writable"
"""The folder of an image that the application writes to, next to its code."""
RELEASE = "io.container-kit.release"
"""The command that prepares a new version before it serves, as a JSON list."""

APP = "io.container-kit.app"
"""The name of the application that a container or volume belongs to."""
IMAGE = "io.container-kit.image"
"""The reference that a container was deployed from; on images of services and proxies, the program in it."""
PORT = "io.container-kit.port"
"""The public port."""
CONTAINER_PORT = "io.container-kit.container-port"
PROBE = "io.container-kit.probe"
HEALTH_PATH = "io.container-kit.health-path"
ZERO_DOWNTIME = "io.container-kit.zero-downtime"
"""Set on a container that is served through a proxy."""
PROXY = "io.container-kit.proxy"
"""Set on the proxy."""
SPECIFICATION = "io.container-kit.specification"
"""A digest of everything that decides how a container runs."""
SERVICES = "io.container-kit.services"
"""The backing services that a container uses."""
SERVICE_OF = "io.container-kit.service-of"
"""Set on a backing service: the application that it belongs to."""
NETWORK = "io.container-kit.network"


HEALTHY = "io.container-kit.healthy"
"""Annotation of a ReplicaSet whose revision was seen healthy."""
_OF_OBJECTS = (
    RUN, PIPELINE, STAGE, SOURCE, APP, IMAGE, PORT, CONTAINER_PORT, PROBE, HEALTH_PATH, ZERO_DOWNTIME, PROXY,
    SPECIFICATION, SERVICES, SERVICE_OF, NETWORK,
)  # fmt: skip
"""Labels that mean something on a container, image, network or volume. Those of base images are not among them."""


def of_container(own: dict[str, str]) -> dict[str, str]:
    """Return all labels of a container. The engine adds the labels of the image, so unused ones are set empty."""
    return {**dict.fromkeys(_OF_OBJECTS, ""), **own}


def of_image(source: str, dockerfile: str) -> dict[str, str]:
    """Return the labels of a built image. They override the reserved labels that its Dockerfile sets."""
    return {**dict.fromkeys(reserved(dockerfile), ""), SOURCE: source}


def reserved(dockerfile: str) -> list[str]:
    """Return the labels in a Dockerfile's text that only Container Kit sets.

    A Dockerfile may declare its release command and its writable folder: both concern only its own container.
    """
    return sorted(set(_RESERVED.findall(dockerfile)) - {RELEASE, WRITABLE})


def run_labels(ctx: StageContext) -> dict[str, str]:
    """Return the labels for everything that a stage creates, so that its leftovers can be found."""
    return {RUN: ctx.run_id, PIPELINE: ctx.pipeline, STAGE: ctx.stage}
