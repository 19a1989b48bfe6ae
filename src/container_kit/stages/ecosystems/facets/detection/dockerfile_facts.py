"""Facts that an existing Dockerfile gives of its application, and the problems that the file shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from container_kit.stages.contract.redaction import looks_secret

_SHELL_FORM = re.compile(r"^\[.*\]$", re.DOTALL)
_NAMED = re.compile(r"\s[aA][sS]\s+(\S+)")
_PORT_VARIABLE = re.compile(
    r"\b(?:(?:SERVER_|APP_|HTTP_|NITRO_|WEB_)?PORT|ASPNETCORE_(?:HTTP_PORTS|URLS))[= ]\s*[\"']?(?:https?://[^:;\"'\s]+:)?"
    r"(?:\$\{\w+:-)?(\d{2,5})\b"
)
_WRAPPED = re.compile(r"^(?:/(?:usr/)?bin/)?(?:ba|da)?sh -l?c ")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its line."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class DockerfileFacts:
    """The last stage's ports, command and base, with their places; and problems as `line N: …`."""

    path: str
    port: tuple[int, str] | None = None
    """What it exposes."""
    variable: tuple[int, str] | None = None
    """The port that it sets a variable such as `PORT` to."""
    command: tuple[str, str] | None = None
    base: tuple[str, str] | None = None
    bases: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    """What any stage copies from the context."""
    runs: tuple[str, ...] = ()
    """The commands that build it."""
    problems: tuple[str, ...] = ()


def read_dockerfile(path: str, text: str) -> DockerfileFacts:
    """Read one; a file without `FROM` says nothing and has that as its problem."""
    instructions = list(_instructions(text))
    stages = [i for i in instructions if i.name == "FROM"]
    if not stages:
        return DockerfileFacts(path, problems=("line 1: no FROM instruction",))
    last = _inherited(instructions, stages)
    sets = [i.value for i in instructions if i.name in {"ARG", "ENV"} and "=" in i.value]
    arguments = dict(value.partition("=")[::2] for value in sets)
    return DockerfileFacts(
        path,
        _port(path, last, arguments),
        _variable(path, last),
        _command(path, last),
        _base(path, stages),
        tuple(stage.value.split()[0] for stage in stages if stage.value),
        _copied(instructions),
        tuple(i.value for i in instructions if i.name == "RUN"),
        tuple(_problems(instructions, stages, [i for i in instructions if i.line > stages[-1].line])),
    )


def _copied(instructions: list[Instruction]) -> tuple[str, ...]:
    copies = [i for i in instructions if i.name in {"COPY", "ADD"}]
    return tuple(source for copy in copies for source in _sources(copy.value))


def _base(path: str, stages: list[Instruction]) -> tuple[str, str] | None:
    """Return the image that the last stage is based on in the end, whatever stages are between."""
    names = [(m[1].lower() if (m := _NAMED.search(stage.value)) else None) for stage in stages]
    at = len(stages) - 1
    while True:
        image = _image(stages[at])
        if image.lower() not in names[:at]:
            return (image, f"{path}:{stages[at].line}") if image else None
        at = names.index(image.lower())


def _inherited(instructions: list[Instruction], stages: list[Instruction]) -> list[Instruction]:
    """Return the instructions of the last stage after those of the stages in the file that it is based on."""
    found: list[Instruction] = []
    at: int | None = len(stages) - 1
    while at is not None:
        end = stages[at + 1].line if at + 1 < len(stages) else None
        found = [i for i in instructions if i.line > stages[at].line and (end is None or i.line < end)] + found
        base = _image(stages[at]).lower()
        names = [(m[1].lower() if (m := _NAMED.search(stage.value)) else None) for stage in stages[:at]]
        at = names.index(base) if base in names else None
    return found


def _instructions(text: str) -> list[Instruction]:
    found: list[Instruction] = []
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        start = start or number
        pending += stripped.removesuffix("\\") if stripped.endswith("\\") else stripped
        if stripped.endswith("\\"):
            pending += " "
            continue
        if match := re.match(r"([A-Za-z]+)\s+(.*)", pending, re.DOTALL):
            found.append(Instruction(match[1].upper(), match[2].strip(), start))
        pending, start = "", 0
    return found


def _port(path: str, last: list[Instruction], arguments: dict[str, str]) -> tuple[int, str] | None:
    found: list[tuple[int, str]] = []
    for instruction in last:
        for word in instruction.value.split() if instruction.name == "EXPOSE" else ():
            port = word.partition("/")[0]
            if named := re.fullmatch(r"\$\{?(\w+)(?::-(\d+))?\}?", port):
                port = arguments.get(named[1], named[2] or "").strip("\"'")
            if port.isdigit() and 0 < int(port) < 65536:
                found.append((int(port), f"{path}:{instruction.line}"))
    return next((exposed for exposed in found if exposed[0] not in {22, 443}), found[0] if found else None)


def _variable(path: str, last: list[Instruction]) -> tuple[int, str] | None:
    found = [(m, i) for i in last if i.name == "ENV" and (m := _PORT_VARIABLE.search(i.value))]
    return (int(found[-1][0][1]), f"{path}:{found[-1][1].line}") if found else None


def _sources(value: str) -> list[str]:
    """Return the paths that a COPY takes from the context; none if it copies from another stage."""
    words = _plain(value).split()
    if any(word.startswith("--from=") for word in words) or "<<" in value:
        return []
    return [word for word in words if not word.startswith("--")][:-1]


def _command(path: str, last: list[Instruction]) -> tuple[str, str] | None:
    words: list[str] = []
    line = 0
    for name in ("ENTRYPOINT", "CMD"):
        instruction = next((i for i in reversed(last) if i.name == name), None)
        if instruction:
            words.append(_plain(instruction.value))
            line = instruction.line
    command = unwrapped(" ".join(word for word in words if word))
    if command.endswith(".jar") and " " not in command:  # the entry point of the image's base runs it
        command = f"java -jar {command}"
    return (command, f"{path}:{line}") if command else None


def _plain(value: str) -> str:
    """Return the command of an exec or shell form as one line."""
    if _SHELL_FORM.match(value):
        try:
            return " ".join(str(word) for word in json.loads(value))
        except (ValueError, TypeError, RecursionError):
            return value
    return value


def unwrapped(command: str) -> str:
    """Return the part of a command line that keeps running, without the shell and the preparation around it."""
    inner = _WRAPPED.sub("", command.strip())
    if inner != command and len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'":
        inner = inner[1:-1]
    joined = re.sub(r"\s*\\\n\s*", " ", inner.strip())
    steps = [step for step in re.split(r"\s*&&\s*|\s*\n\s*", joined) if step]
    moves = [step for step in steps[:-1] if step.startswith("cd ")]
    return " && ".join([*moves, *(step.removeprefix("exec ") for step in steps[-1:])])


def _problems(instructions: list[Instruction], stages: list[Instruction], last: list[Instruction]) -> list[str]:
    problems = [*_unpinned_bases(stages), *_exposed_secrets(instructions)]
    users = [i for i in last if i.name == "USER"]
    if not users or users[-1].value.split(":")[0] in {"root", "0"}:
        problems.append(f"line {users[-1].line if users else stages[-1].line}: the container runs as root")
    if not any(i.name in {"CMD", "ENTRYPOINT"} for i in last):
        problems.append(f"line {stages[-1].line}: the last stage names no command")
    return problems


def _unpinned_bases(stages: list[Instruction]) -> Iterator[str]:
    names = {m[1].lower() for s in stages if (m := _NAMED.search(s.value))} | {"scratch"}
    for stage in stages:
        image = _image(stage)
        tag = image.rpartition("/")[2].partition(":")[2]
        if image.lower() not in names and not {"$", "@"} & set(image) and tag in {"", "latest"}:
            yield f"line {stage.line}: base image {image} is not pinned to a version"


def _image(stage: Instruction) -> str:
    return next((word for word in stage.value.split() if not word.startswith("--")), "")


def _exposed_secrets(instructions: list[Instruction]) -> Iterator[str]:
    for instruction in instructions:
        name = re.match(r"(\w+)[= ]\s*(\S+)", instruction.value)
        if instruction.name in {"ENV", "ARG"} and name and looks_secret(name[1]) and not name[2].startswith("$"):
            yield f"line {instruction.line}: {name[1]} looks like a secret and stays in the image"
