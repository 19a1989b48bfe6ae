"""Nim: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.nim.detect import DETECTORS

ECOSYSTEM = Ecosystem("nim", detectors=DETECTORS)
