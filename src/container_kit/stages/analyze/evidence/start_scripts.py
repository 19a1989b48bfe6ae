"""Start scripts: the file of a script that an image starts, and the program that the script runs."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_SHELLS = re.compile(
    r"(?:/usr)?(?:/bin/|/bin/env\s+)?(?:ba|da|a)?sh(?:\s+-[a-z]+)*\s+|(?:\S*/)?(?:tini|dumb-init)\s+(?:--\s+)?"
)
_HANDS_OVER = re.compile(r"^(?:exec\s+)?(?:[\w./-]+\s+){0,3}\"?\$(?:@|\*|\{@\})\"?$")
_ARGUMENTS = re.compile(r"\s\"?\$(?:@|\*|\{@\})\"?$")
_OF_THE_IMAGE = re.compile(r"entry-?_?point|(?:^|/)\.?(?:docker|container)(?:/|-)", re.IGNORECASE)
"""Entry scripts that only make sense in an image."""
_ENTRY = re.compile(r"(?:/(?:\S*/)?|(?=docker))(?:docker[-_])?(?:\w+[-_])?entry-?_?point(?:\.sh)?|/(?:\S+/)?[\w-]+\.sh")
"""The folders of entry scripts in an image."""
_SET = re.compile(r"^\s*(?:export\s+|local\s+|for\s+)?(\w+)(?:=|\s+in\s)", re.MULTILINE)
_READ = re.compile(r"\$\{?(\w+)")
_NO_COMMAND = re.compile(r"^(?:fi|done|esac|else|\}|\{|;;|wait\b.*|#.*|[A-Za-z_]\w*=\S*)?$")


@dataclass(frozen=True, slots=True)
class StartScript:
    """A script of the module that the command of an image names."""

    command: str
    """The equivalent command in the module's folder: the script, or the program that it executes."""
    program: str | None = None
    """The last command of the script."""
    place: str | None = None


def is_entry(command: str) -> bool:
    """Return whether a command is only an entry script that the module does not contain."""
    return _ENTRY.fullmatch(command) is not None


def without_entry(command: str, programs: re.Pattern[str]) -> str:
    """Return the arguments of an entry script if they start one of the programs, otherwise the command."""
    entry, _, given = command.partition(" ")
    return given if _ENTRY.fullmatch(entry) and programs.match(f"{given} ") else command


def read_start_script(folder: Folder, command: str) -> StartScript | None:
    """Return the script that a command of an image starts, if the module's folder contains it.

    A path in the image matches by its end: `/app/scripts/run.sh` may be `scripts/run.sh`.
    """
    plain = command
    while found := _SHELLS.match(plain):
        plain = plain[found.end() :]
    name, _, arguments = plain.strip("\"'").partition(" ")
    path = _found(folder, name, by_shell=plain != command)
    if path is None:
        return None
    last = _last_command(folder.source(path))
    if _HANDS_OVER.match(last):
        return StartScript(arguments.strip()) if arguments.strip() else None
    program = _ARGUMENTS.sub(f" {arguments}" if arguments else "", last.removeprefix("exec ")).strip()
    if any(name in _SET.findall(folder.source(path)) for name in _READ.findall(program)):
        program = ""  # the variables are set inside the script
    place = folder.place(path, last or None)
    if _OF_THE_IMAGE.search(path):
        return StartScript(program, None, place) if program else None
    shown = path if "/" in path else f"./{path}"
    return StartScript(f"{shown} {arguments}".strip(), program or None, place)


def _found(folder: Folder, name: str, *, by_shell: bool) -> str | None:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    is_script = name.endswith((".sh", ".bash")) or (by_shell and bool(parts) and "." not in parts[-1])
    if ".." in parts or not is_script:
        return None
    return folder.first(*("/".join(parts[at:]) for at in range(len(parts))))


def _last_command(text: str) -> str:
    """Return the last command, with its continued lines."""
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    return next((line for line in reversed(lines) if not _NO_COMMAND.match(line)), "")
