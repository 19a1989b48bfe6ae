"""Dart and Flutter: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.dart.detect import DETECTORS
from container_kit.stages.ecosystems.dart.recipe import build_flutter_site, dart
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, SiteBuild

ECOSYSTEM = Ecosystem(
    "dart",
    detectors=DETECTORS,
    languages=(
        Language(
            "dart",
            dart,
            SiteBuild(build_flutter_site, output="{folder}/build/web"),
            needs_manifest=True,
            compiled=True,
            images=("dart",),
        ),
    ),
    unread_lock_files=("pubspec.lock",),
    tool_folders=(".dart_tool",),
)
