"""Fortran: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "fortran",
    detectors=(
        plain_detector(
            PlainLanguage(
                "fortran", (".f90", ".f95", ".f"), ("main", "app"), "./{stem}", "gfortran -o {stem} {file}", 79
            )
        ),
    ),
)
