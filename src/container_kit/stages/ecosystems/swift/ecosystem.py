"""Swift: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language
from container_kit.stages.ecosystems.swift.detect import DETECTORS
from container_kit.stages.ecosystems.swift.recipe import swift

ECOSYSTEM = Ecosystem(
    "swift",
    detectors=DETECTORS,
    languages=(Language("swift", swift, needs_manifest=True, compiled=True, images=("swift",)),),
    unread_lock_files=("Package.resolved", "Podfile.lock"),
    dependency_folders=("Pods",),
)
