"""Deploying an image. Others know this room by `Deploy`, `FindDeployment`, `LocalPlace` and `Deployment`.

The new version runs beside the old one and proves itself before it takes the public port; the same process then
serves. `swap` tells how the port changes hands, `recovery` what happens if we die in between.
"""

from container_kit.stages.deploy.find import FindDeployment
from container_kit.stages.deploy.place import LocalPlace
from container_kit.stages.deploy.stage import Deploy

__all__ = ["Deploy", "FindDeployment", "LocalPlace"]
