"""Crystal applications."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft, claim_program
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("lucky", ("lucky",), 3000),
    Framework("amber", ("amber",), 3000),
    Framework("kemal", ("kemal",), 3000),
    Framework("athena", ("athena",), 3000),
    Framework("grip", ("grip",), 4004),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `shard.yml`: its targets are what can be started."""
    data, place = folder.yaml("shard.yml"), folder.place("shard.yml")
    draft.manifests.extend(name for name in ("shard.yml", "shard.lock") if folder.has(name))
    dependencies, targets = data.get("dependencies"), data.get("targets")
    draft.locked = folder.has("shard.lock") or not dependencies
    draft.name = str(data.get("name") or folder.base)
    draft.language.add("crystal", "declared", place)
    draft.package_manager.add("shards", "declared", place)
    version = data.get("crystal")
    draft.version.add(str(version) if version else None, "declared", folder.place("shard.yml", "crystal:"))
    for name in dependencies if isinstance(dependencies, dict) else ():
        draft.dependencies[name.lower()] = folder.place("shard.yml", f"{name}:")
    if isinstance(targets, dict) and targets:
        name, target = next(iter(targets.items()))
        main = target.get("main") if isinstance(target, dict) else None
        draft.entrypoint.add(main if isinstance(main, str) else None, "declared", folder.place("shard.yml", "targets:"))
        claim_program(
            draft,
            f"./bin/{name}",
            f"crystal run {main}",
            "shards build --release",
            folder.place("shard.yml", "targets:"),
        )
    elif folder.has(f"src/{draft.name}.cr") and (draft.dependencies.keys() & {"kemal", "lucky", "amber", "athena"}):
        draft.start.add(
            f"crystal run src/{draft.name}.cr", "code", folder.place(f"src/{draft.name}.cr"), confidence=0.7
        )
    else:
        draft.role.add("library", "declared", place, confidence=0.75)


DETECTORS = (
    Detector(
        "crystal",
        describe,
        version_tools=("crystal",),
        manifests=("shard.yml",),
        frameworks=FRAMEWORKS,
        sources=(".cr",),
        language="crystal",
        run_command="crystal run {file}",
        rank=29,
    ),
)
