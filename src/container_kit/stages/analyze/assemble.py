"""Turn candidates into modules: read each folder, add the claims of deployment files, and finalize the findings."""

from __future__ import annotations

from dataclasses import dataclass, field

from container_kit.stages.analyze.deployment_files.index import Deployments
from container_kit.stages.analyze.deployment_files.platforms import claim_blueprint
from container_kit.stages.analyze.deployment_files.procfile import agree, read_command_port, read_platform_files
from container_kit.stages.analyze.discovery import Candidate
from container_kit.stages.analyze.evidence.code import scan
from container_kit.stages.analyze.evidence.configuration import SAMPLES, read_configuration
from container_kit.stages.analyze.evidence.containers import read_containers
from container_kit.stages.analyze.evidence.services import services
from container_kit.stages.analyze.evidence.start_scripts import read_start_script
from container_kit.stages.analyze.evidence.system_packages import system_packages
from container_kit.stages.analyze.evidence.variables import add_variable
from container_kit.stages.analyze.evidence.versions import read_tool_versions
from container_kit.stages.artifacts.analysis import Module, StatePath, Variable
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_USUAL = frozenset(["main", "app", "server", "index", "hello"])
"""Usual names of the entry point if no manifest names it."""


@dataclass(slots=True)
class DescribedModule:
    """A candidate with its best draft, before it is finalized."""

    candidate: Candidate
    folder: Folder
    draft: ModuleDraft
    ecosystem: Detector
    variables: dict[str, Variable] = field(default_factory=dict)
    state: dict[str, StatePath] = field(default_factory=dict)


def describe(folder: Folder, candidate: Candidate, deployments: Deployments) -> DescribedModule:
    """Describe the folder with each ecosystem of the candidate, and keep the draft of the application."""
    drafts = []
    for ecosystem in candidate.ecosystems:
        draft = ModuleDraft(ecosystem.name)
        if ecosystem.language and not folder.matching(*ecosystem.manifests):
            _describe_sources(ecosystem, folder, draft)
        else:
            ecosystem.describe(folder, draft)
        _apply_framework(ecosystem, draft)
        drafts.append((ecosystem, draft))
    ecosystem, draft = max(
        drafts, key=lambda pair: _weight(pair[1])
    )  # of equal drafts the first, which has the lowest rank
    read_platform_files(folder, draft)
    if (blueprint := deployments.blueprint(folder.path)) is not None:
        claim_blueprint(blueprint, draft)
    read_containers(folder, draft, deployments)
    read_tool_versions(folder, draft)
    read_configuration(folder, draft)
    found = scan(folder, draft, ecosystem)
    script = read_start_script(folder, draft.start.value or "")
    read_command_port(draft, (script.program if script else None) or "")
    agree(draft)
    _read_samples(folder, found.variables)
    return DescribedModule(candidate, folder, draft, ecosystem, found.variables, found.state)


def _describe_sources(ecosystem: Detector, folder: Folder, draft: ModuleDraft) -> None:
    """Claim only the language if the ecosystem needs a manifest and the folder has none."""
    draft.locked = True
    files = folder.files(*ecosystem.sources)
    for path in files[:1]:
        draft.language.add(ecosystem.language, "code", folder.place(path))
    named = [path for path in files if path.rpartition("/")[2].partition(".")[0].lower() in _USUAL]
    entry = next(iter(named), files[0] if len(files) == 1 else None)
    if entry and ecosystem.run_command:
        draft.entrypoint.add(entry, "code", folder.place(entry))
        draft.start.add(ecosystem.run_command.format(file=entry), "code", folder.place(entry), confidence=0.55)
    else:
        draft.role.add("library", "guess", confidence=0.3)


def _apply_framework(ecosystem: Detector, draft: ModuleDraft) -> None:
    """Claim the first framework of the ecosystem's table that is a runtime dependency, and its port."""
    chosen = draft.framework.value
    for framework in ecosystem.frameworks:
        place = next((draft.dependencies[name] for name in framework.packages if name in draft.dependencies), None)
        if chosen is None and place is not None and not framework.also_client:
            draft.framework.add(framework.name, "declared", place, confidence=0.93)
            chosen = framework.name
        if framework.name == chosen:
            draft.role.add(framework.role, "framework", place, confidence=0.75)
            draft.port.add(framework.port, "framework", place)


def _weight(draft: ModuleDraft) -> float:
    """Return how likely a draft is the application of a folder with files of several ecosystems."""
    role = draft.role.value
    if role in {"web", "worker"}:
        return 3
    if role == "static":
        return 1.5
    return 1 if draft.start else 0


def _read_samples(folder: Folder, variables: dict[str, Variable]) -> None:
    for path in SAMPLES:
        for number, line in enumerate(folder.text(path).splitlines(), 1):
            name, found, value = line.strip().removeprefix("export ").partition("=")
            if found and name.isidentifier() and name.isupper():
                place = f"{folder.place(path).rpartition(':')[0]}:{number}"
                known = variables.get(name)
                if known is None:
                    add_variable(variables, name, False, value.strip().strip("\"'") or None, place)
                else:  # the value of an example does not satisfy the code
                    variables[name] = known.model_copy(update={"locations": (*known.locations, place)[:3]})


def finalize(described: DescribedModule, deployments: Deployments) -> Module:
    """Turn claims into findings, with a question for each missing value that a deployment needs."""
    draft, folder = described.draft, described.folder
    context = deployments.context(folder.path)
    _choose_role(draft, kept_running=context is not None)
    role = draft.role.value
    if role in {"library", "cli", "worker"} and not _serves(draft):
        draft.port.drop()
    elif not draft.port:
        draft.port.question = f"On which port does {draft.name or folder.base} listen?"
    if role == "library":
        draft.start.drop()
    elif not draft.start and role != "static":
        draft.start.question = f"Which command starts {draft.name or folder.base}?"
    return Module(
        path=folder.path or ".",
        name=draft.name or folder.base,
        role=draft.role.finding(),
        language=draft.language.finding("language"),
        language_version=draft.version.finding(),
        framework=draft.framework.finding("framework"),
        package_manager=draft.package_manager.finding("package_manager"),
        build_command=draft.build.finding(),
        start_command=draft.start.finding("start_command"),
        start_program=draft.program.finding(),
        entrypoint=draft.entrypoint.finding(),
        port=draft.port.finding("port"),
        health_endpoint=draft.health.finding(),
        output_directory=draft.output.finding(),
        variables=tuple(described.variables[name] for name in sorted(described.variables)),
        services=services(draft, described.variables, context.services if context else ()),
        state=tuple(described.state.values()) if role in {"web", "worker"} else (),
        release_command=draft.release.finding(),
        system_packages=system_packages(folder, draft),
        manifests=tuple(dict.fromkeys(_rooted(folder, draft))),
    )


def _rooted(folder: Folder, draft: ModuleDraft) -> list[str]:
    return [f"{folder.path}/{name}" if folder.path else name for name in draft.manifests if name]


def _serves(draft: ModuleDraft) -> bool:
    """Return whether the evidence that it listens is more than a default."""
    best = draft.port.best
    return best is not None and best.provenance in {"declared", "configuration"}


def _choose_role(draft: ModuleDraft, *, kept_running: bool) -> None:
    """Choose the role if there is no claim: web if it listens, a command if it starts, otherwise a library.

    Args:
        draft: The claims.
        kept_running: Whether a compose file builds and runs it as a service.
    """
    best = draft.port.best
    listens = best is not None and best.provenance != "framework"
    claim = draft.role.best
    open_role = claim is None or claim.value == "cli" or (claim.provenance == "guess" and bool(draft.start))
    if listens and best is not None and open_role:
        draft.role.add("web", best.provenance, *best.locations, confidence=0.92)
    elif draft.start and kept_running and open_role:
        draft.role.add("worker", "configuration", confidence=0.91)
    elif draft.start:
        draft.role.add("cli", "guess", confidence=0.5)
    else:
        draft.role.add("library", "guess", confidence=0.4)
