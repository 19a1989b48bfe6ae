"""Crystal: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.crystal.detect import DETECTORS
from container_kit.stages.ecosystems.crystal.recipe import crystal
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language

ECOSYSTEM = Ecosystem(
    "crystal",
    detectors=DETECTORS,
    languages=(Language("crystal", crystal, needs_manifest=True, compiled=True),),
)
