"""The Dockerfile room: writes one from an analysis, reviews one that is there. Known to others by its stages alone."""

from container_kit.stages.dockerfile.patches import ApplyPatches
from container_kit.stages.dockerfile.review import ReviewDockerfile
from container_kit.stages.dockerfile.write import WriteDockerfile
from container_kit.stages.ecosystems.facets.generation.base_images import BasePolicy

__all__ = ["ApplyPatches", "BasePolicy", "ReviewDockerfile", "WriteDockerfile"]
