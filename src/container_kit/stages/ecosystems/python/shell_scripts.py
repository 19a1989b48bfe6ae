"""Start commands that are shell scripts of the project: which programs of a developer's machine they call."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.start_command import Command
from container_kit.stages.ecosystems.python.requirements import declares

SERVE_FOLDER = "/opt/venv/serve"
"""The folder for the files that an image gets in addition to the project's."""
_TOOLS = re.compile(r"\b(uv|poetry|pipenv|pdm|hatch|rye)\s+(?:run|sync|install)\b")
_SERVERS = re.compile(r"\b(gunicorn|uvicorn|hypercorn|daphne)\b")
_SHIM = """#!/bin/sh
# The image has the dependencies on its path: this runs the command that the tool would run, and installs nothing.
[ "$1" = run ] || exit 0
shift
while [ "${1#-}" != "$1" ]; do shift; done
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """How an application is served in an image."""

    command: Command
    requirements: tuple[str, ...] = ()
    """What the command needs and the project does not declare."""
    files: tuple[tuple[str, str], ...] = ()
    """Files of `SERVE_FOLDER`, with their text; those without a suffix are programs on the path."""
    reasons: tuple[Reason, ...] = ()


def shell_script(app: App, command: Command) -> Serving | None:
    """Return how a shell script of the project is started; None if the command is not one.

    The script needs no executable bit, and calls of `uv run` and its like need no such tool in the image.
    """
    words = command.arguments
    by_shell = posixpath.basename(words[0]) in {"sh", "bash"} and len(words) > 1
    path = posixpath.normpath(words[1] if by_shell else words[0])
    if path.startswith(("-", "/", "..")):
        return None
    text = app.tree.text(app.inside(path))
    if text is None or not (by_shell or text.startswith("#!") or path.endswith(".sh")):
        return None
    shell = words[0] if by_shell else "bash" if "bash" in text.partition("\n")[0] else "sh"
    arguments = words if by_shell else (shell, path, *words[1:])
    tools = tuple(dict.fromkeys(_TOOLS.findall(text)))
    servers = [name for name in dict.fromkeys(_SERVERS.findall(text)) if not declares(app, name)]
    why = f"{path} calls it, and the image has the dependencies without it"
    return Serving(
        replace(command, arguments=arguments),
        tuple(servers),
        tuple((name, _SHIM) for name in tools),
        tuple(Reason(decision=f"{name} replaced", rationale=why) for name in tools),
    )
