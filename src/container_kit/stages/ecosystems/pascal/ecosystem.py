"""Pascal: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "pascal",
    detectors=(
        plain_detector(PlainLanguage("pascal", (".pas", ".lpr"), ("main", "app"), "./{stem}", "fpc {file}", 79)),
    ),
)
