"""The labels that Container Kit sets on images, containers, networks and volumes: all of them, and only here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from container_kit.stages.contract.stage import StageContext

_PREFIX = "io.container-kit."

RUN = _PREFIX + "run"
"""The id of the run that created a container."""
PIPELINE = _PREFIX + "pipeline"
STAGE = _PREFIX + "stage"

SOURCE = _PREFIX + "source"
"""The folder that an image was built from."""
BASE_IMAGE_LOCAL = _PREFIX + "base-image.local"
"""Set on a base image that was made on this machine instead of pulled."""
BASE_IMAGE_SOURCE = _PREFIX + "base-image.source"
"""What such a base image was made from."""

APP = _PREFIX + "app"
"""The name of the application that a container or volume belongs to."""
IMAGE = _PREFIX + "image"
"""The reference that a container was deployed from; on images of services and proxies, the program in it."""
PORT = _PREFIX + "port"
"""The public port."""
CONTAINER_PORT = _PREFIX + "container-port"
PROBE = _PREFIX + "probe"
HEALTH_PATH = _PREFIX + "health-path"
ZERO_DOWNTIME = _PREFIX + "zero-downtime"
"""Set on a container that is served through a proxy."""
PROXY = _PREFIX + "proxy"
"""Set on the proxy."""
SERVICES = _PREFIX + "services"
"""The backing services that a container uses."""
SERVICE_OF = _PREFIX + "service-of"
"""Set on a backing service: the application that it belongs to."""
NETWORK = _PREFIX + "network"


def run_labels(ctx: StageContext) -> dict[str, str]:
    """Return the labels for everything that a stage creates, so that its leftovers can be found."""
    return {RUN: ctx.run_id, PIPELINE: ctx.pipeline, STAGE: ctx.stage}
