"""Static sites: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, SiteBuild
from container_kit.stages.ecosystems.static.detect import DETECTORS
from container_kit.stages.ecosystems.static.recipe import build_site, static

ECOSYSTEM = Ecosystem(
    "static",
    detectors=DETECTORS,
    languages=(Language("html", static, SiteBuild(build_site), images=("nginx", "httpd")),),
)
