"""Claims from a module's Dockerfile and its compose service: port, command and role."""

from __future__ import annotations

from container_kit.stages.analyze.deployment_files.index import Deployments
from container_kit.stages.analyze.evidence.image_ports import image_ports
from container_kit.stages.analyze.evidence.image_program import missing_program
from container_kit.stages.analyze.evidence.start_scripts import is_entry, read_start_script, without_entry
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.command_ports import port_of_command
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_PROGRAMS = re.compile(
    r"(?:python3?|gunicorn|uvicorn|hypercorn|daphne|flask|fastapi|litestar|streamlit|celery|waitress-serve|granian|uwsgi"
    r"|poetry run|uv run|pipenv run|node|npm|yarn|pnpm|bun|deno|bundle|rails|bin/rails|ruby|puma|php|mix|dotnet"
    r"|frankenphp)\s"
)
"""Programs that exist inside and outside an image. Other commands are paths in the image."""

_BESIDES = re.compile(
    r"(?:air|reflex|CompileDaemon|modd|fresh|watchexec|cargo[ -]watch|dotnet watch)\b(?!\.)"
    r"|tail -[fF]\b|sleep (?:infinity|inf|\d{4,})\b|(?:/(?:usr/)?bin/)?(?:ba|z)?sh$"
)
"""Programs that reload during development, or that keep a container running for a shell."""


def read_containers(folder: Folder, draft: ModuleDraft, deployments: Deployments) -> None:
    """Claim port, command and role from the Dockerfile of a folder and the compose service that builds it."""
    facts = deployments.dockerfile(folder.path)
    context = deployments.context(folder.path)
    if facts is not None:
        for port, place, trust in image_ports(folder, facts):
            draft.port.add(port, "configuration", place, confidence=trust)
        if facts.command and draft.role.value != "static" and not _BESIDES.match(facts.command[0]):
            _claim_command(folder, draft, *facts.command, missing=missing_program(folder, facts))
        claim = draft.role.best  # at the root it may be the image of an inner module
        sure = claim is not None and claim.value == "library" and claim.provenance != "guess"
        if folder.path and sure and facts.command and facts.port:
            draft.role.add("web", "configuration", facts.port[1], confidence=0.96)
    if context is not None and context.variable:
        draft.port.add(context.variable[0], "configuration", context.variable[1], confidence=0.931)
    if context is not None and context.port:
        draft.port.add(context.port[0], "configuration", context.port[1], confidence=0.84)
    if context is not None and context.command and not _BESIDES.match(context.command[0]):
        _claim_service(folder, draft, *context.command, alone=facts is None or facts.command is None)
    _drop_load_test_port(draft)


def _drop_load_test_port(draft: ModuleDraft) -> None:
    """Drop the port of Locust without its web interface."""
    best = draft.start.best
    if best and draft.framework.value == "locust" and "--headless" in best.value:
        draft.port.drop()
        draft.role.add("worker", best.provenance, *best.locations, confidence=0.97)


def _claim_service(folder: Folder, draft: ModuleDraft, command: str, place: str, *, alone: bool) -> None:
    """Claim the command of a service; it counts more if its image has none."""
    script = read_start_script(folder, command)
    trust = 0.45 if script is None and is_entry(command) else 0.925 if alone else 0.7
    shown = script.command if script and script.place else command
    draft.start.add(shown, "configuration", place, confidence=trust)


def _claim_command(folder: Folder, draft: ModuleDraft, command: str, place: str, *, missing: str | None) -> None:
    """Claim the command of an image; it counts more if its program also exists outside the image."""
    if missing:
        draft.broken[f"the image runs a file that does not exist: {missing}"] = place
        draft.start.add(command, "configuration", place, confidence=0.45)
        return
    command = without_entry(command, _PROGRAMS)
    script = read_start_script(folder, command)
    if script and script.program:
        draft.program.add(script.program, "configuration", script.place)
        draft.port.add(port_of_command(script.program), "configuration", script.place, confidence=0.93)
    command = script.command if script else command
    own = draft.start.best
    program, _, arguments = command.partition(" ")
    if own and arguments and own.value.startswith("./") and own.value.rpartition("/")[2] == program.rpartition("/")[2]:
        draft.start.add(f"{own.value} {arguments}", "configuration", place, confidence=own.confidence + 0.001)
        return
    plain = script is not None or _PROGRAMS.match(command) is not None
    trust = 0.87 if plain else 0.45 if is_entry(command) or command.endswith(".R") else 0.8
    draft.start.add(command, "configuration", place, confidence=trust)
