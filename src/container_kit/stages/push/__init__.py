"""The stages that tag and push images, with the registry client that confirms a push and undoes a failed one."""

from container_kit.stages.push.stage import PushImage
from container_kit.stages.push.tag import TagImage

__all__ = ["PushImage", "TagImage"]
