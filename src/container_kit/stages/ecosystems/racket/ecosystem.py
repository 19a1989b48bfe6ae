"""Racket: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "racket",
    detectors=(
        plain_detector(
            PlainLanguage(
                "racket",
                (".rkt",),
                ("main", "server", "app"),
                "racket {file}",
                rank=73,
                frameworks=(("web-server", r"web-server/servlet-env|serve/servlet", 8000, ""),),
                manifests=(("info.rkt", "raco"),),
            )
        ),
    ),
)
