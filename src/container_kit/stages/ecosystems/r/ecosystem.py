"""R: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector

_PLUMBER = "\"plumber::pr_run(plumber::pr('{file}'), host='0.0.0.0', port=8000)\""
ECOSYSTEM = Ecosystem(
    "r",
    detectors=(
        plain_detector(
            PlainLanguage(
                "r",
                (".R", ".r"),
                ("app", "main", "run", "run_api", "start", "server", "api", "plumber"),
                "Rscript {file}",
                rank=78,
                frameworks=(
                    ("shiny", r"library\(shiny\)|shinyApp\(", 3838, ""),
                    ("plumber", r"plumber::|library\(plumber\)|#\* @get", 8000, ""),
                ),
                manifests=(("renv.lock", "renv"),),
                starts=(
                    (r"\A(?:server|ui)\.R\n", "R -e \"shiny::runApp('.')\""),
                    (r"(?s)\A\S+\n(?!.*(?:pr_run|\$run)\().*#\* @(?:get|post)\b", f"Rscript -e {_PLUMBER}"),
                ),
            )
        ),
    ),
    unread_lock_files=("renv.lock",),
)
