"""Stages that generate, review and patch a Dockerfile. Other packages import only the stages."""

from container_kit.stages.dockerfile.patches import ApplyPatches
from container_kit.stages.dockerfile.review import ReviewDockerfile
from container_kit.stages.dockerfile.write import WriteDockerfile
from container_kit.stages.ecosystems.facets.generation.base_images import BasePolicy

__all__ = ["ApplyPatches", "BasePolicy", "ReviewDockerfile", "WriteDockerfile"]
