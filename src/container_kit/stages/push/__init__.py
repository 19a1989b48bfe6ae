"""Pushing images: the engine sends them, the registry confirms them, and what fails is taken back."""

from container_kit.stages.push.stage import PushImage

__all__ = ["PushImage"]
