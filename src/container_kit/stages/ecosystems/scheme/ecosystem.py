"""Scheme: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "scheme",
    detectors=(
        plain_detector(
            PlainLanguage(
                "scheme",
                (".scm", ".ss", ".sld", ".sps"),
                ("main", "index", "app", "server", "haunt"),
                "guile {file}",
                rank=72,
                frameworks=(
                    ("artanis", r"\(artanis artanis\)", 3000, ""),
                    ("spiffy", r"\(import[^)]*\bspiffy\b", 8080, ""),
                ),
                starts=(
                    (r"\A\S+\.scm\n#!.*\bcsi\b|\(import[^)]*\b(?:chicken|spiffy)\b", "csi -s {file}"),
                    (r"\A\S+\n#!.*\bgosh\b|\(use gauche", "gosh {file}"),
                    (r"\A\S+\n#!.*\bchibi-scheme\b|\(chibi ", "chibi-scheme {file}"),
                ),
            )
        ),
    ),
)
