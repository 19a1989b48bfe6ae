"""Shell scripts: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

ECOSYSTEM = Ecosystem(
    "shell",
    detectors=(
        plain_detector(
            PlainLanguage(
                "shell",
                (".sh", ".bash"),
                ("start", "run", "main", "entrypoint", "app", "index", "server", "hello"),
                "bash {file}",
                rank=89,
                starts=((r"\A\S+\n#!\s*(?:/usr)?/bin/(?:env\s+)?(?P<program>sh|zsh|ash)\b", "{program} {file}"),),
            )
        ),
    ),
)
