"""D: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "d",
    detectors=(
        plain_detector(
            PlainLanguage(
                "d",
                (".d",),
                ("app", "main"),
                "dub run",
                rank=74,
                frameworks=(("vibe.d", r"\bimport\s+vibe\b", 8080, ""),),
                manifests=(("dub.json", "dub"), ("dub.sdl", "dub")),
            )
        ),
    ),
)
