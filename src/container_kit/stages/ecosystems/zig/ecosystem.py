"""Zig: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language
from container_kit.stages.ecosystems.zig.detect import DETECTORS
from container_kit.stages.ecosystems.zig.recipe import zig

ECOSYSTEM = Ecosystem(
    "zig",
    detectors=DETECTORS,
    languages=(Language("zig", zig, needs_manifest=True, compiled=True),),
    tool_folders=(".zig-cache", "zig-cache", "zig-out"),
)
