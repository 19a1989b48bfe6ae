"""The stage `build`: it reads the inputs, selects a builder, runs the build and explains its failures.

Writing or reviewing a Dockerfile does not belong here.
"""

from container_kit.stages.build.stage import BuildImage

__all__ = ["BuildImage"]
