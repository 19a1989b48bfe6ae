"""COBOL: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "cobol",
    detectors=(
        plain_detector(
            PlainLanguage(
                "cobol",
                (".cbl", ".cob", ".cobol"),
                ("index", "main", "app"),
                "./{stem}",
                "cobc -x -o {stem} {file}",
                71,
            )
        ),
    ),
)
