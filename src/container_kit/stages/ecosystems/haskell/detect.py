"""Haskell by Stack and by Cabal."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft, claim_program
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("yesod", ("yesod", "yesod-core"), 3000),
    Framework("ihp", ("ihp",), 8000),
    Framework("servant", ("servant-server", "servant"), 8080),
    Framework("scotty", ("scotty",), 3000),
    Framework("spock", ("spock",), 8080),
    Framework("snap", ("snap", "snap-server"), 8000),
    Framework("happstack", ("happstack-server", "happstack-lite"), 8000),
    Framework("warp", ("warp",), 3000),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `package.yaml` or the `.cabal` file; `stack.yaml` decides the tool."""
    cabal = next(iter(folder.matching("*.cabal")), None)
    source = cabal or "package.yaml"
    manifest = cabal or folder.first("package.yaml", "stack.yaml", "cabal.project") or source
    text, place, stack = folder.text(source), folder.place(manifest), folder.has("stack.yaml")
    names = (cabal, "package.yaml", "stack.yaml", "stack.yaml.lock", "cabal.project")
    draft.manifests.extend(name for name in names if name and folder.has(name))
    draft.locked = bool(folder.first("stack.yaml", "cabal.project.freeze"))
    draft.language.add("haskell", "declared", place)
    draft.package_manager.add("stack" if stack else "cabal", "declared", folder.place("stack.yaml") if stack else place)
    if match := re.search(r"^name:\s*(\S+)", text, re.MULTILINE):
        draft.name = match[1]
    _read_dependencies(folder, draft, source)
    if match := re.search(r"(?:ghc|resolver|snapshot)[\s:-]+(?:lts-)?([\d.]+)", folder.text("stack.yaml")):
        draft.version.add(match[1], "declared", folder.place("stack.yaml", match[0]), confidence=0.5)
    if (name := _executable(text, draft.name)) is not None:
        _claim_executable(folder, draft, name, "stack" if stack else "cabal", folder.place(source, name))
    elif text:
        draft.role.add("library", "declared", place, confidence=0.85)


def _executable(text: str, package: str) -> str | None:
    """Return the program that the package makes; its own name if the manifest gives no other."""
    match = re.search(r"^executable\s+(\S+)", text, re.MULTILINE | re.IGNORECASE)
    match = match or re.search(r"^executables:\s*\n\s+([\w-]+):", text, re.MULTILINE)
    if match:
        return match[1]
    return package if re.search(r"^executable:", text, re.MULTILINE) else None


def _claim_executable(folder: Folder, draft: ModuleDraft, name: str, tool: str, place: str) -> None:
    if port := folder.find(r"\bsetPort\s+(\d{2,5})\b", ".hs"):
        draft.port.add(int(port[1][1]), "code", folder.place(port[0], port[1][0]), confidence=0.92)
    start = f"stack exec {name}" if tool == "stack" else f"cabal run {name}"
    claim_program(draft, start, f"{tool} run", f"{tool} build", place)


def _read_dependencies(folder: Folder, draft: ModuleDraft, manifest: str) -> None:
    text = folder.text(manifest)
    for match in re.finditer(
        r"^[\s,-]*(?:build-depends:)?[\s,]*([A-Za-z][\w-]*)\s*(?:[\^<>=&|{].*|,.*)?$", text, re.MULTILINE
    ):
        draft.dependencies.setdefault(match[1].lower(), folder.place(manifest, match[1]))
    for listed in re.findall(r"build-depends:([^:]*?)(?=\n\s*[\w-]+\s*:|\n\s*\n|\Z)", text):
        for name in re.findall(r"(?:^|,)\s*([A-Za-z][\w-]*)", listed):
            draft.dependencies.setdefault(name.lower(), folder.place(manifest, name))
    for listed in re.findall(r"^\s*dependencies:\s*\[([^\]]*)\]", text, re.MULTILINE):
        for name in re.findall(r"[A-Za-z][\w-]*", listed):
            draft.dependencies.setdefault(name.lower(), folder.place(manifest, name))


DETECTORS = (
    Detector(
        "haskell",
        describe,
        version_tools=("ghc",),
        manifests=("*.cabal", "package.yaml", "stack.yaml"),
        frameworks=FRAMEWORKS,
        sources=(".hs",),
        language="haskell",
        run_command="runghc {file}",
        rank=31,
    ),
)
