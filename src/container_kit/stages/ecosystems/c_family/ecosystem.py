"""C and C++: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.c_family.detect import DETECTORS
from container_kit.stages.ecosystems.c_family.recipe import c_family
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language

ECOSYSTEM = Ecosystem(
    "c_family",
    detectors=DETECTORS,
    languages=(
        Language("c", c_family, compiled=True),
        Language("cpp", c_family, compiled=True),
    ),
    unread_lock_files=("conan.lock",),
)
