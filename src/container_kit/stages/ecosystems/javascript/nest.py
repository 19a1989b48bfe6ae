"""Applications of a Nest monorepo: `nest-cli.json` names them, and one `package.json` serves all."""

from __future__ import annotations

from typing import Any

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import join
from container_kit.stages.ecosystems.javascript.packages import read_manager, read_package, read_version

_MANIFEST = "nest-cli.json"


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the entry of this folder in the nearest `nest-cli.json` above."""
    home = _home(folder)
    named = {root: (name, project) for name, root, project in _projects(home)}
    relative = folder.path.removeprefix(home.path).lstrip("/")
    if relative not in named or not relative:
        draft.role.add("library", "guess", confidence=0.3)
        return
    draft.name, project = named[relative]
    place = home.place(_MANIFEST, f'"{draft.name}"')
    package = read_package(home)
    draft.private = True
    draft.dependencies.update(dict.fromkeys(package.runtime, home.place("package.json")))
    draft.language.add("typescript", "declared", place)
    read_manager(folder, package, draft)
    read_version(home, package, draft)
    if project.get("type") == "library":
        draft.role.add("library", "declared", place)
        return
    _claim_application(folder, draft, project, place)


def _claim_application(folder: Folder, draft: ModuleDraft, project: dict[str, Any], place: str) -> None:
    entry = project.get("entryFile") if isinstance(project.get("entryFile"), str) else "main"
    main = f"src/{entry}.ts"
    text = folder.source(main)
    draft.framework.add("nestjs", "declared", place)
    if folder.has(main):
        draft.entrypoint.add(main, "code", folder.place(main))
    draft.build.add(f"npx nest build {draft.name}", "framework", place)
    draft.start.add(f"node dist/{join('apps', draft.name)}/{entry}", "declared", place, confidence=0.85)
    listens = ".listen(" in text and "createMicroservice" not in text
    draft.role.add("web" if listens or not text else "worker", "code", folder.place(main), confidence=0.9)
    if listens:
        draft.port.add(3000, "framework", place)


def projects(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the applications that `nest-cli.json` names."""
    paths = [root for _, root, project in _projects(folder) if project.get("type") != "library"]
    return ("nest", paths) if paths else None


def _projects(home: Folder) -> list[tuple[str, str, dict[str, Any]]]:
    declared = home.json(_MANIFEST).get("projects")
    named = declared.items() if isinstance(declared, dict) else ()
    return [
        (name, project["root"].strip("./"), project)
        for name, project in named
        if isinstance(project, dict) and isinstance(project.get("root"), str)
    ]


def _home(folder: Folder) -> Folder:
    path = folder.path
    while path and not folder.tree.exists(join(path, _MANIFEST)):
        path = path.rpartition("/")[0]
    return Folder(folder.tree, path)


DETECTORS = (
    Detector(
        "nest",
        describe,
        manifests=(_MANIFEST,),
        workspace=projects,
        members_by_manifest=True,
        sources=(".ts", ".js"),
        rank=62,
    ),
)
