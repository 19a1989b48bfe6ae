"""Dart and Flutter applications."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft, claim_program
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.values import table_in

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
    version = table_in(data, "environment").get("sdk")
    draft.version.add(version if isinstance(version, str) else None, "declared", folder.place("pubspec.yaml", "sdk:"))
    for key, into in (("dependencies", draft.dependencies), ("dev_dependencies", draft.tools)):
        for name in table_in(data, key):
            into[name] = folder.place("pubspec.yaml", f"{name}:")
    _claim_start(folder, draft, place)


def _claim_start(folder: Folder, draft: ModuleDraft, place: str) -> None:
    if "flutter" in draft.dependencies:
        draft.build.add("flutter build web", "framework", place, confidence=0.8)
        draft.output.add("build/web", "framework", place)
        draft.start.add("flutter run -d web-server", "framework", place, confidence=0.4)
    elif "dart_frog" in draft.dependencies:
        draft.start.add("dart build/bin/server.dart", "framework", place, confidence=0.6)
        draft.build.add("dart_frog build", "framework", place)
    elif program := _program(folder, draft):
        draft.entrypoint.add(program, "code", folder.place(program))
        build = f"dart compile exe {program} -o bin/server"
        claim_program(draft, f"dart run {program}", "dart run", build, folder.place(program))
    else:
        draft.role.add("library", "declared", place, confidence=0.8)


def _program(folder: Folder, draft: ModuleDraft) -> str | None:
    """Return the file below `bin` that is run: one with a usual name, else the first."""
    usual = {"bin/server.dart", "bin/main.dart", f"bin/{draft.name}.dart"}
    programs = [path for path in folder.files(".dart", depth=3) if path.startswith("bin/")]
    return next((path for path in programs if path in usual), next(iter(programs), None))


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
