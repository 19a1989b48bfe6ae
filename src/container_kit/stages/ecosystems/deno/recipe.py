"""Deno: its own tool makes one program."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, LINKED, program
from container_kit.stages.ecosystems.facets.generation.questions import START_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    cached,
    chain,
    environment,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word, shell_words


def deno(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Deno server, compiled to one program so that the image needs no cache of modules."""
    base = bases.pick(Base("denoland/deno:2"), rationale="Deno's own")
    task = re.match(r"deno task (\S+)", app.start or "")
    line = str(_tasks(app).get(task[1], app.start)) if task else app.start or ""
    started = re.match(r"deno (?:run|serve)\s+((?:-\S+\s+)*)(\S+)", line)
    if started is None:
        raise START_UNKNOWN(f"no script is named by the start command {line!r}", path=app.module.path)
    options = [word for word in started[1].split() if re.match(r"-A|--allow|--unstable|-[A-Z]", word)] or [
        "--allow-net",
        "--allow-env",
        "--allow-read",
    ]
    permissions = shell_words(options)
    frozen = " --frozen" if app.has("deno.lock") else ""
    lines = (
        *environment({"DENO_DIR": "/cache/deno"}),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        *((cached("/cache/deno", f"deno install{frozen}"),) if app.manifests else ()),
        app.copy_source(),
        cached(
            "/cache/deno",
            chain(
                app.build or "",
                f"deno compile{frozen} {permissions} --output /out/app {shell_word(started[2])}",
            ),
        ),
    )
    reasons = (
        Reason(
            decision="deno compile", rationale="one program; modules are fetched when it is built, not when it starts"
        ),
    )
    runtime = bases.pick(*DEBIANS, rationale=LINKED)
    return program(app, Build(base, lines), runtime, ignore=("**/node_modules",), reasons=reasons, line=line)


def _tasks(app: App) -> dict[str, object]:
    tasks = app.tree.json(app.inside("deno.json")).get("tasks", {})
    return tasks if isinstance(tasks, dict) else {}
