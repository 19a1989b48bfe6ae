"""A folder of which only a Procfile, a platform's file or a Dockerfile speaks."""

from __future__ import annotations

from container_kit.stages.docker.image_reference import short_name
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import read_dockerfile
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Guess the language from the Dockerfile's base image; the rest is claimed from the platform's files."""
    draft.locked = True
    draft.language.question = f"In which language is {folder.base} written?"
    if folder.has("Dockerfile"):
        facts = read_dockerfile("Dockerfile", folder.text("Dockerfile"))
        for base in facts.bases:
            name = short_name(base)
            draft.language.add(
                catalog().language_of_image(name), "guess", folder.place("Dockerfile", base), confidence=0.45
            )
        if facts.command or facts.base:
            draft.role.add("web" if facts.port else "cli", "configuration", folder.place("Dockerfile"), confidence=0.7)


DETECTORS = (
    Detector(
        "platform",
        describe,
        entry_files=("Procfile", "nixpacks.toml", "nixpacks.json", "railpack.json", "Dockerfile"),
        rank=95,
    ),
)
