"""Nim: nimble packages."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import join

FRAMEWORKS = (
    Framework("prologue", ("prologue",), 8080),
    Framework("basolato", ("basolato",), 8000),
    Framework("happyx", ("happyx",), 5000),
    Framework("jester", ("jester",), 5000),
    Framework("mummy", ("mummy",), 8080),
    Framework("httpbeast", ("httpbeast", "httpx"), 8080),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the `.nimble` file: its programs are what can be started."""
    manifest = folder.matching("*.nimble")[0]
    text, place = folder.text(manifest), folder.place(manifest)
    draft.manifests.extend(name for name in (manifest, "nimble.lock") if folder.has(name))
    draft.locked = folder.has("nimble.lock")
    draft.name = manifest.removesuffix(".nimble")
    draft.language.add("nim", "declared", place)
    draft.package_manager.add("nimble", "declared", place)
    for listed in re.findall(r"^\s*requires[ (]+(.*(?:,\s*\n.*)*)", text, re.MULTILINE):
        for name, version in re.findall(r"\"([\w./:-]+)\s*([^\"]*)\"", listed):
            if name == "nim":
                draft.version.add(version.strip(), "declared", folder.place(manifest, "nim "))
            else:
                draft.dependencies.setdefault(name.rpartition("/")[2].lower(), folder.place(manifest, name))
    programs = re.search(r"^\s*(?:bin|namedBin[^=]*)\s*=\s*@?[\[{]([^\]}]*)", text, re.MULTILINE)
    named = re.findall(r"\"([^\"]+)\"", programs[1]) if programs else []
    if not named:
        draft.role.add("library", "declared", place, confidence=0.75)
        return
    home = re.search(r"^\s*srcDir\s*=\s*\"([^\"]*)\"", text, re.MULTILINE)
    main = join(home[1] if home else "", f"{named[0]}.nim")
    if folder.has(main):
        draft.entrypoint.add(main, "code", folder.place(main))
    draft.build.add("nimble build -d:release", "framework", place)
    draft.start.add(f"./{named[0].rpartition('/')[2]}", "declared", place, confidence=0.78)
    draft.start.add("nimble run", "framework", place, confidence=0.5)


DETECTORS = (
    Detector(
        "nim",
        describe,
        manifests=("*.nimble",),
        frameworks=FRAMEWORKS,
        sources=(".nim",),
        settings=(".cfg",),
        language="nim",
        run_command="nim compile --run {file}",
        rank=34,
    ),
)
