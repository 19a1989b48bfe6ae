"""Zig applications."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft, claim_program
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("httpz", ("httpz", "http.zig"), 5882),
    Framework("zap", ("zap",), 3000),
    Framework("jetzig", ("jetzig",), 8080),
    Framework("tokamak", ("tokamak",), 8080),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `build.zig` and `build.zig.zon`."""
    text, place = folder.text("build.zig"), folder.place("build.zig")
    zon = folder.text("build.zig.zon")
    draft.manifests.extend(name for name in ("build.zig", "build.zig.zon") if folder.has(name))
    draft.locked = True  # the manifest holds hashes
    draft.language.add("zig", "declared", place)
    draft.package_manager.add("zig", "declared", place)
    if match := re.search(r"minimum_zig_version\s*=\s*\"([^\"]+)\"", zon):
        draft.version.add(match[1], "declared", folder.place("build.zig.zon", match[0]))
    block = zon.partition(".dependencies")[2]
    for match in re.finditer(r"\.(?:@\")?([\w.-]+)\"?\s*=\s*\.\{", block):
        draft.dependencies.setdefault(match[1].lower(), folder.place("build.zig.zon", match[1]))
    if "addExecutable" in text:
        named = re.search(r"addExecutable\(.*?\.?name\s*=\s*\"([^\"]+)\"", text, re.DOTALL) or re.search(
            r"addExecutable\(\"([^\"]+)\"", text
        )
        draft.name = named[1] if named else folder.base
        place = folder.place("build.zig", "addExecutable")
        draft.entrypoint.add(folder.first("src/main.zig", "main.zig"), "code", place)
        claim_program(draft, f"./zig-out/bin/{draft.name}", "zig build run", "zig build -Doptimize=ReleaseSafe", place)
    else:
        draft.role.add("library", "code", place, confidence=0.8)


DETECTORS = (
    Detector(
        "zig",
        describe,
        version_tools=("zig",),
        manifests=("build.zig", "build.zig.zon"),
        frameworks=FRAMEWORKS,
        sources=(".zig",),
        language="zig",
        run_command="zig run {file}",
        rank=32,
    ),
)
