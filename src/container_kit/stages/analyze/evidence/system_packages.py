"""Debian packages that dependencies need because wheels, gems and native add-ons do not include them."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Finding
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


def system_packages(folder: Folder, draft: ModuleDraft) -> tuple[Finding[str], ...]:
    """Return the packages with the dependency that needs them, and the packages of an `Aptfile`."""
    found: dict[str, list[str]] = {}
    detector = catalog().detectors_by_name.get(draft.ecosystem)
    for dependency, packages in (detector.system_packages if detector else {}).items():
        if place := draft.dependencies.get(dependency):
            for package in packages:
                found.setdefault(package, []).append(place)
    listed = [
        line.strip() for line in folder.text("Aptfile").splitlines() if line.strip() and not line.startswith(("#", ":"))
    ]
    known: list[Finding[str]] = [
        Finding(value=name, confidence=0.98, provenance="declared", locations=(folder.place("Aptfile", name),))
        for name in listed
    ]
    needed: list[Finding[str]] = [
        Finding(value=name, confidence=0.85, provenance="framework", locations=tuple(locations[:3]))
        for name, locations in sorted(found.items())
        if name not in listed
    ]
    return tuple(known + needed)
