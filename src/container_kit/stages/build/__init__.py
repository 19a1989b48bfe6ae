"""Building an image. Others know this room by `BuildImage`, `BuildOptions` and `Image`."""

from container_kit.stages.build.stage import BuildImage

__all__ = ["BuildImage"]
