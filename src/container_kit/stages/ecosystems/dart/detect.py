"""Dart and Flutter applications."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft, claim_program
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("flutter", ("flutter",), None, "static"),
    Framework("serverpod", ("serverpod",), 8080),
    Framework("dart_frog", ("dart_frog",), 8080),
    Framework("shelf", ("shelf", "shelf_router"), 8080),
    Framework("angel3", ("angel3_framework",), 3000),
    Framework("alfred", ("alfred",), 3000),
    Framework("jaspr", ("jaspr",), 8080),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `pubspec.yaml`."""
    data, place = folder.yaml("pubspec.yaml"), folder.place("pubspec.yaml")
    draft.manifests.extend(name for name in ("pubspec.yaml", "pubspec.lock") if folder.has(name))
    draft.locked = folder.has("pubspec.lock")
    draft.name = str(data.get("name") or folder.base)
    draft.language.add("dart", "declared", place)
    draft.package_manager.add("pub", "declared", place)
    environment = data.get("environment")
    version = environment.get("sdk") if isinstance(environment, dict) else None
    draft.version.add(version if isinstance(version, str) else None, "declared", folder.place("pubspec.yaml", "sdk:"))
    for key, into in (("dependencies", draft.dependencies), ("dev_dependencies", draft.tools)):
        table = data.get(key)
        for name in table if isinstance(table, dict) else ():
            into[name] = folder.place("pubspec.yaml", f"{name}:")
    if "flutter" in draft.dependencies:
        draft.build.add("flutter build web", "framework", place, confidence=0.8)
        draft.output.add("build/web", "framework", place)
        draft.start.add("flutter run -d web-server", "framework", place, confidence=0.4)
        return
    if "dart_frog" in draft.dependencies:
        draft.start.add("dart build/bin/server.dart", "framework", place, confidence=0.6)
        draft.build.add("dart_frog build", "framework", place)
        return
    binaries = [path for path in folder.files(".dart", depth=3) if path.startswith("bin/")]
    usual = [p for p in binaries if p in {"bin/server.dart", "bin/main.dart", f"bin/{draft.name}.dart"}] or binaries
    if usual:
        draft.entrypoint.add(usual[0], "code", folder.place(usual[0]))
        claim_program(
            draft,
            f"dart run {usual[0]}",
            "dart run",
            f"dart compile exe {usual[0]} -o bin/server",
            folder.place(usual[0]),
        )
    else:
        draft.role.add("library", "declared", place, confidence=0.8)


DETECTORS = (
    Detector(
        "dart",
        describe,
        version_tools=("dart", "flutter"),
        manifests=("pubspec.yaml",),
        frameworks=FRAMEWORKS,
        sources=(".dart",),
        language="dart",
        run_command="dart run {file}",
        rank=24,
    ),
)
