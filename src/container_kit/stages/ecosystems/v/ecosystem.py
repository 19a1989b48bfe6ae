"""V: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "v",
    detectors=(
        plain_detector(
            PlainLanguage(
                "v",
                (".v",),
                ("main", "app", "server"),
                "v run {file}",
                rank=74,
                manifests=(("v.mod", "v"),),
                frameworks=(("vweb", r"^import\s+vweb\b", 8080, ""), ("veb", r"^import\s+veb\b", 8080, "")),
            )
        ),
    ),
)
