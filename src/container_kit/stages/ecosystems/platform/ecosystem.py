"""Applications that only deployment files describe: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.platform.detect import DETECTORS

ECOSYSTEM = Ecosystem("platform", detectors=DETECTORS)
