"""OCaml: dune and opam."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import join

FRAMEWORKS = (
    Framework("dream", ("dream",), 8080),
    Framework("opium", ("opium",), 3000),
    Framework("ocsigen", ("eliom", "ocsigenserver"), 8080),
    Framework("cohttp", ("cohttp-lwt-unix", "cohttp-eio", "cohttp-async"), 8080, also_client=True),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the opam files, and the `dune` file that makes a program."""
    packages = folder.matching("*.opam")
    manifest = (packages or [""])[0] or folder.first("dune-project", "dune") or "dune-project"
    place = folder.place(manifest)
    draft.manifests.extend(name for name in ("dune-project", *packages, "esy.json") if folder.has(name))
    draft.locked = bool(folder.matching("*.opam.locked"))
    draft.language.add("ocaml", "declared", place)
    draft.package_manager.add("opam", "declared", place)
    if match := re.search(r"\(name\s+([\w-]+)\)", folder.text("dune-project")):
        draft.name = match[1]
    builds = [path for path in folder.files("dune", depth=4) if path.rpartition("/")[2] == "dune"]
    _read_libraries(folder, draft, builds)
    program = next((path for path in builds if re.search(r"\(executables?\b", folder.source(path))), None)
    draft.build.add("dune build --release" if program else "dune build", "framework", place)
    if program is None:
        draft.role.add("library", "code", place, confidence=0.8)
        return
    _claim_program(folder, draft, program)


def _read_libraries(folder: Folder, draft: ModuleDraft, builds: list[str]) -> None:
    for path in builds:
        for listed in re.findall(r"\(libraries\s+([^)]*)\)", folder.source(path)):
            for name in listed.split():
                draft.dependencies.setdefault(name.partition(".")[0], folder.place(path, name))


def _claim_program(folder: Folder, draft: ModuleDraft, program: str) -> None:
    text, home = folder.source(program), program.rpartition("/")[0]
    names = re.search(r"\(executables?\b.*?\(names?\s+([\w-]+)", text, re.DOTALL)
    name = names[1] if names else "main"
    main = join(home, f"{name}.ml")
    if folder.has(main):
        draft.entrypoint.add(main, "code", folder.place(main))
    where = f"./{join(home, name)}.exe"
    draft.start.add(f"dune exec {where}", "declared", folder.place(program, name), confidence=0.8)
    if public := re.search(r"\(public_names?\s+([\w-]+)", text):
        draft.start.add(f"dune exec {public[1]}", "declared", folder.place(program, public[1]), confidence=0.6)


DETECTORS = (
    Detector(
        "ocaml",
        describe,
        manifests=("dune-project", "*.opam"),
        frameworks=FRAMEWORKS,
        sources=(".ml",),
        language="ocaml",
        run_command="ocaml {file}",
        rank=33,
    ),
)
