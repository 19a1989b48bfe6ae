"""Haskell: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language
from container_kit.stages.ecosystems.haskell.detect import DETECTORS
from container_kit.stages.ecosystems.haskell.recipe import haskell

ECOSYSTEM = Ecosystem(
    "haskell",
    detectors=DETECTORS,
    languages=(Language("haskell", haskell, needs_manifest=True),),
    unread_lock_files=("stack.yaml.lock",),
    tool_folders=(".stack-work", "dist-newstyle"),
)
