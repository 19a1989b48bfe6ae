"""Perl: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "perl",
    detectors=(
        plain_detector(
            PlainLanguage(
                "perl",
                (".psgi", ".pl"),
                ("app", "main", "server", "index"),
                "perl {file}",
                rank=75,
                frameworks=(
                    (
                        "mojolicious",
                        r"\buse\s+Mojo(?:licious|licious::Lite|::Base\s+'Mojolicious')",
                        3000,
                        "perl {file} daemon",
                    ),
                    ("dancer", r"\buse\s+Dancer2?\b", 5000, ""),
                    ("catalyst", r"\buse\s+Catalyst\b", 3000, ""),
                    ("plack", r"\buse\s+Plack\b", 5000, ""),
                ),
                manifests=(("cpanfile", "cpanm"), ("Makefile.PL", "cpanm"), ("Build.PL", "cpanm")),
                starts=((r"\A\S+\.psgi\n", "plackup {file}"),),
                inner=(".pm",),
                programs=("script", "bin"),
            )
        ),
    ),
)
