"""Swift applications."""

from __future__ import annotations

import re

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft, claim_program
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("vapor", ("vapor",), 8080),
    Framework("hummingbird", ("hummingbird",), 8080),
    Framework("kitura", ("kitura",), 8080),
    Framework("perfect", ("perfecthttpserver", "perfect-httpserver"), 8181),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `Package.swift`."""
    text, place = folder.text("Package.swift"), folder.place("Package.swift")
    draft.manifests.extend(name for name in ("Package.swift", "Package.resolved") if folder.has(name))
    draft.locked = folder.has("Package.resolved") or ".package(" not in text
    draft.language.add("swift", "declared", place)
    draft.package_manager.add("swiftpm", "declared", place)
    if found := re.search(r"swift-tools-version:\s*([\d.]+)", text):
        draft.version.add(found[1], "declared", folder.place("Package.swift", found[0]))
    for found in re.finditer(r"\.package\([^)]*url:\s*\"[^\"]*/([\w.-]+?)(?:\.git)?\"", text):
        draft.dependencies.setdefault(found[1].lower(), folder.place("Package.swift", found[1]))
    named = re.search(r"\.executable(?:Target)?\(\s*name:\s*\"([^\"]+)\"", text)
    main = next(
        (p for p in folder.files(".swift", depth=4) if p.endswith(("main.swift", "entrypoint.swift", "App.swift"))),
        None,
    )
    if named or main:
        package = re.search(r"name:\s*\"([^\"]+)\"", text)
        inner = re.match(r"Sources/([^/]+)/", main or "")
        target = named[1] if named else inner[1] if inner else package[1] if package else folder.base
        draft.name = target
        draft.entrypoint.add(main, "code", folder.place(main) if main else None)
        claim_program(draft, f".build/release/{target}", "swift run", "swift build -c release", place)
        if "vapor" in draft.dependencies:
            draft.start.add(f".build/release/{target} serve --hostname 0.0.0.0", "framework", place, confidence=0.83)
    else:
        draft.role.add("library", "declared", place, confidence=0.85)


DETECTORS = (
    Detector(
        "swift",
        describe,
        version_tools=("swift",),
        manifests=("Package.swift",),
        frameworks=FRAMEWORKS,
        sources=(".swift",),
        language="swift",
        run_command="swift {file}",
        rank=23,
    ),
)
