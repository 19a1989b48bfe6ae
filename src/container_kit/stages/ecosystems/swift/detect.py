"""Swift applications."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
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
    if match := re.search(r"swift-tools-version:\s*([\d.]+)", text):
        draft.version.add(match[1], "declared", folder.place("Package.swift", match[0]))
    for match in re.finditer(r"\.package\([^)]*url:\s*\"[^\"]*/([\w.-]+?)(?:\.git)?\"", text):
        draft.dependencies.setdefault(match[1].lower(), folder.place("Package.swift", match[1]))
    sources = folder.files(".swift", depth=4)
    main = next((path for path in sources if path.endswith(("main.swift", "entrypoint.swift", "App.swift"))), None)
    declared = re.search(r"\.executable(?:Target)?\(\s*name:\s*\"([^\"]+)\"", text)
    if not declared and not main:
        draft.role.add("library", "declared", place, confidence=0.85)
        return
    draft.name = declared[1] if declared else _target(folder, text, main or "")
    draft.entrypoint.add(main, "code", folder.place(main) if main else None)
    claim_program(draft, f".build/release/{draft.name}", "swift run", "swift build -c release", place)
    if "vapor" in draft.dependencies:
        command = f".build/release/{draft.name} serve --hostname 0.0.0.0"
        draft.start.add(command, "framework", place, confidence=0.83)


def _target(folder: Folder, text: str, main: str) -> str:
    """Return the target that a main file belongs to: its folder below `Sources`, else the package."""
    named = re.match(r"Sources/([^/]+)/", main) or re.search(r"name:\s*\"([^\"]+)\"", text)
    return named[1] if named else folder.base


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
