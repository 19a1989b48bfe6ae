"""What the Dockerfile of a module and its service in a compose file say: port, command, and that it is one."""

from __future__ import annotations

import re

from container_kit.stages.analyze.deployment_files.index import Deployments
from container_kit.stages.analyze.evidence.image_ports import image_ports
from container_kit.stages.analyze.evidence.image_program import missing_program
from container_kit.stages.analyze.evidence.start_scripts import is_entry, read_start_script, without_entry
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.command_ports import port_of_command
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_PROGRAMS = re.compile(
    r"(?:python3?|gunicorn|uvicorn|hypercorn|daphne|flask|fastapi|litestar|streamlit|celery|waitress-serve|granian|uwsgi"
    r"|poetry run|uv run|pipenv run|node|npm|yarn|pnpm|bun|deno|bundle|rails|bin/rails|ruby|puma|php|mix|dotnet"
    r"|frankenphp)\s"
)
"""Programs that an image has as a person's machine has them; other commands name places inside the image."""

_BESIDES = re.compile(
    r"(?:air|reflex|CompileDaemon|modd|fresh|watchexec|cargo[ -]watch|dotnet watch)\b(?!\.)"
    r"|tail -[fF]\b|sleep (?:infinity|inf|\d{4,})\b|(?:/(?:usr/)?bin/)?(?:ba|z)?sh$"
)
"""Programs that restart another while it is written, and what keeps a container for a person to work in."""


def read_containers(folder: Folder, draft: ModuleDraft, deployments: Deployments) -> None:
    """Claim port, command and role by the Dockerfile of a folder and by the compose service that builds it."""
    facts = deployments.dockerfile(folder.path)
    context = deployments.context(folder.path)
    if facts is not None:
        for port, place, trust in image_ports(folder, facts):
            draft.port.add(port, "configuration", place, confidence=trust)
        if facts.command and draft.role.value != "static" and not _BESIDES.match(facts.command[0]):
            _claim_command(folder, draft, *facts.command, missing=missing_program(folder, facts))
        said = draft.role.best  # at the root it may be the image of what lies below
        sure = said is not None and said.value == "library" and said.provenance != "guess"
        if folder.path and sure and facts.command and facts.port:
            draft.role.add("web", "configuration", facts.port[1], confidence=0.96)
    if context is not None and context.variable:
        draft.port.add(context.variable[0], "configuration", context.variable[1], confidence=0.931)
    if context is not None and context.port:
        draft.port.add(context.port[0], "configuration", context.port[1], confidence=0.84)
    if context is not None and context.command and not _BESIDES.match(context.command[0]):
        _claim_service(folder, draft, *context.command, alone=facts is None or facts.command is None)
    _settle_load(draft)


def _settle_load(draft: ModuleDraft) -> None:
    """Locust without its pages listens nowhere."""
    best = draft.start.best
    if best and draft.framework.value == "locust" and "--headless" in best.value:
        draft.port.drop()
        draft.role.add("worker", best.provenance, *best.locations, confidence=0.97)


def _claim_service(folder: Folder, draft: ModuleDraft, command: str, place: str, *, alone: bool) -> None:
    """Claim the command of a service, which counts for more where its image says none."""
    script = read_start_script(folder, command)
    trust = 0.45 if script is None and is_entry(command) else 0.925 if alone else 0.7
    shown = script.command if script and script.place else command
    draft.start.add(shown, "configuration", place, confidence=trust)


def _claim_command(folder: Folder, draft: ModuleDraft, command: str, place: str, *, missing: str | None) -> None:
    """Claim the command of an image, which counts for more where a person's machine has its program too."""
    if missing:
        draft.broken[f"the image runs a file that is not there: {missing}"] = place
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
