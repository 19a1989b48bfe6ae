"""Start scripts: what a shell script that an image starts with is here, and what it starts in the end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_SHELLS = re.compile(
    r"(?:/usr)?(?:/bin/|/bin/env\s+)?(?:ba|da|a)?sh(?:\s+-[a-z]+)*\s+|(?:\S*/)?(?:tini|dumb-init)\s+(?:--\s+)?"
)
_HANDS_OVER = re.compile(r"^(?:exec\s+)?(?:[\w./-]+\s+){0,3}\"?\$(?:@|\*|\{@\})\"?$")
_ARGUMENTS = re.compile(r"\s\"?\$(?:@|\*|\{@\})\"?$")
_OF_THE_IMAGE = re.compile(r"entry-?_?point|(?:^|/)\.?(?:docker|container)(?:/|-)", re.IGNORECASE)
"""Scripts that an image needs and nobody runs elsewhere."""
_ENTRY = re.compile(r"(?:/(?:\S*/)?|(?=docker))(?:docker[-_])?(?:\w+[-_])?entry-?_?point(?:\.sh)?|/(?:\S+/)?[\w-]+\.sh")
"""Where an image keeps its entry script."""
_SET = re.compile(r"^\s*(?:export\s+|local\s+|for\s+)?(\w+)(?:=|\s+in\s)", re.MULTILINE)
_READ = re.compile(r"\$\{?(\w+)")
_NO_COMMAND = re.compile(r"^(?:fi|done|esac|else|\}|\{|;;|wait\b.*|#.*|[A-Za-z_]\w*=\S*)?$")


@dataclass(frozen=True, slots=True)
class StartScript:
    """A script of the module that an image's command names."""

    command: str
    """How to start the same in the module's folder: the script, or the arguments that it hands over to."""
    program: str | None = None
    """What the script runs last."""
    place: str | None = None


def is_entry(command: str) -> bool:
    """Tell whether a command is nothing but a script of the image, which the module does not hold."""
    return _ENTRY.fullmatch(command) is not None


def without_entry(command: str, programs: re.Pattern[str]) -> str:
    """What an entry script of the image is given to start, where that is one of the programs."""
    entry, _, given = command.partition(" ")
    return given if _ENTRY.fullmatch(entry) and programs.match(f"{given} ") else command


def read_start_script(folder: Folder, command: str) -> StartScript | None:
    """The script that a command of an image starts, where the module's folder has it.

    A place inside the image is looked for by its end: `/app/scripts/run.sh` may be `scripts/run.sh`.
    """
    plain = command
    while found := _SHELLS.match(plain):
        plain = plain[found.end() :]
    name, _, arguments = plain.strip("\"'").partition(" ")
    path = _found(folder, name)
    if path is None:
        return None
    last = _last_command(folder.source(path))
    if _HANDS_OVER.match(last):
        return StartScript(arguments.strip()) if arguments.strip() else None
    program = _ARGUMENTS.sub(f" {arguments}" if arguments else "", last.removeprefix("exec ")).strip()
    if any(name in _SET.findall(folder.source(path)) for name in _READ.findall(program)):
        program = ""  # only the script itself knows what it sets
    place = folder.place(path, last or None)
    if _OF_THE_IMAGE.search(path):
        return StartScript(program, None, place) if program else None
    shown = path if "/" in path else f"./{path}"
    return StartScript(f"{shown} {arguments}".strip(), program or None, place)


def _found(folder: Folder, name: str) -> str | None:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or not name.endswith((".sh", ".bash")):
        return None
    return folder.first(*("/".join(parts[at:]) for at in range(len(parts))))


def _last_command(text: str) -> str:
    """The last line that runs something, with the lines that it goes on."""
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    return next((line for line in reversed(lines) if not _NO_COMMAND.match(line)), "")
