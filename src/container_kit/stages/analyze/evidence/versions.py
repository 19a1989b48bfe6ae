"""Language versions in files of version managers: `.tool-versions` and `mise.toml`."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


def read_tool_versions(folder: Folder, draft: ModuleDraft) -> None:
    """Claim the version in a version manager's file, in the folder or at the root of the tree."""
    detector = catalog().detectors_by_name.get(draft.ecosystem)
    names = detector.version_tools if detector else ()
    for place in dict.fromkeys((folder, Folder(folder.tree))):
        for name in names:
            _read_asdf(place, draft, name)
            _read_mise(place, draft, name)


def _read_asdf(folder: Folder, draft: ModuleDraft, name: str) -> None:
    if found := re.search(rf"^{name}\s+(\S+)", folder.text(".tool-versions"), re.MULTILINE):
        version = re.sub(r"^[a-z-]+(?=\d)", "", found[1])
        draft.version.add(version, "declared", folder.place(".tool-versions", found[0]), confidence=0.983)


def _read_mise(folder: Folder, draft: ModuleDraft, name: str) -> None:
    for path in ("mise.toml", ".mise.toml"):
        tools = folder.toml(path).get("tools") if folder.has(path) else None
        value = tools.get(name) if isinstance(tools, dict) else None
        if isinstance(value, dict):
            value = value.get("version")
        if isinstance(value, str):
            draft.version.add(value, "declared", folder.place(path, name), confidence=0.983)
