"""Deno: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.deno.detect import DETECTORS
from container_kit.stages.ecosystems.deno.recipe import deno
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, PackageManager

ECOSYSTEM = Ecosystem(
    "deno",
    detectors=DETECTORS,
    managers=(PackageManager("deno", recipe=deno),),
    unread_lock_files=("deno.lock",),
)
