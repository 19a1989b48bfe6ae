"""The labels of containers, images, networks and volumes that Container Kit creates in an engine."""

_PREFIX = "io.container-kit."

RUN = f"{_PREFIX}run"
"""The run that created the object."""
PIPELINE = f"{_PREFIX}pipeline"
STAGE = f"{_PREFIX}stage"
SOURCE = f"{_PREFIX}source"
"""The folder that an image was built from. No other label of an image changes from build to build."""
BASE_IMAGE_LOCAL = f"{_PREFIX}base-image.local"
"""`true` on a base image that was assembled on this machine and is not the public one."""
BASE_IMAGE_SOURCE = f"{_PREFIX}base-image.source"
"""The origin of such a base image."""
