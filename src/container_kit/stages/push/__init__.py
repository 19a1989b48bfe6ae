"""Naming and pushing images: the engine sends them, the registry confirms them, and what fails is taken back."""

from container_kit.stages.push.stage import PushImage
from container_kit.stages.push.tag import TagImage

__all__ = ["PushImage", "TagImage"]
