"""Which tools are offered."""

from __future__ import annotations

from container_kit.tools.analyze import ANALYZE
from container_kit.tools.build import BUILD
from container_kit.tools.deploy import DEPLOY
from container_kit.tools.full_deployment import FULL_DEPLOYMENT
from container_kit.tools.offer import Offer
from container_kit.tools.scan import SCAN
from container_kit.tools.write_dockerfile import WRITE_DOCKERFILE

ALL: tuple[Offer, ...] = (FULL_DEPLOYMENT, ANALYZE, WRITE_DOCKERFILE, BUILD, SCAN, DEPLOY)
"""The tools of this product, the one for the main job first."""
