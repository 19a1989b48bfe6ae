"""Julia: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "julia",
    detectors=(
        plain_detector(
            PlainLanguage(
                "julia",
                (".jl",),
                ("main", "app", "server"),
                "julia{project} {file}",
                rank=77,
                frameworks=(
                    ("genie", r"\busing\s+[\w, ]*Genie\b", 8000, ""),
                    ("oxygen", r"\busing\s+[\w, ]*Oxygen\b", 8080, ""),
                ),
                manifests=(("Project.toml", "pkg"),),
            )
        ),
    ),
)
