"""Facts about an application from its Dockerfile, and the problems of that Dockerfile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.redaction import looks_secret
from container_kit.stages.docker.image_reference import is_pinned
from container_kit.stages.formats.dockerfile import (
    ImageConfiguration,
    Instruction,
    ParsedDockerfile,
    configuration_of,
    parse_dockerfile,
)

_PORT_VARIABLES = re.compile(r"(?:(?:SERVER_|APP_|HTTP_|NITRO_|WEB_)?PORT|ASPNETCORE_(?:HTTP_PORTS|URLS))")
_PORT = re.compile(r"(?:https?://[^:;\s]+:)?(\d{2,5})\b")
_SECONDARY_PORTS = frozenset({22, 443})
_WRAPPED = re.compile(r"^(?:/(?:usr/)?bin/)?(?:ba|da)?sh -l?c ")


@dataclass(frozen=True, slots=True)
class DockerfileFacts:
    """The port, command and base of the last stage with their places, and the problems as `line N: …`."""

    path: str
    port: tuple[int, str] | None = None
    """The first TCP port of EXPOSE."""
    variable: tuple[int, str] | None = None
    """The value of a variable such as `PORT`."""
    command: tuple[str, str] | None = None
    base: tuple[str, str] | None = None
    bases: tuple[str, ...] = ()
    """The base images of all stages."""
    copies: tuple[str, ...] = ()
    """The paths that any stage copies from the context."""
    runs: tuple[str, ...] = ()
    """The scripts of RUN."""
    problems: tuple[str, ...] = ()


def read_dockerfile(path: str, text: str) -> DockerfileFacts:
    """Read the facts of a Dockerfile; one that cannot be parsed has only problems."""
    try:
        dockerfile = parse_dockerfile(text, path)
    except StageFailure as failure:
        return DockerfileFacts(path, problems=(_syntax_problem(path, failure),))
    syntax = tuple(_syntax_problems(dockerfile))
    last = dockerfile.stage()
    if last is None:
        return DockerfileFacts(path, problems=syntax)
    configuration = configuration_of(dockerfile, last)
    base = dockerfile.base_stage(last)
    return DockerfileFacts(
        path,
        port=_port(path, configuration),
        variable=_variable(path, configuration),
        command=_command(dockerfile, configuration),
        base=(base.base, f"{path}:{base.start.line}") if base.base else None,
        bases=tuple(stage.base for stage in dockerfile.stages if stage.parent is None and stage.base),
        copies=tuple(source for stage in dockerfile.stages for i in stage.instructions for source in i.context_sources),
        runs=tuple(run.script for stage in dockerfile.stages for run in stage.of("RUN")),
        problems=(*syntax, *_problems(dockerfile, configuration)),
    )


def _syntax_problems(dockerfile: ParsedDockerfile) -> Iterator[str]:
    try:
        dockerfile.check()
    except StageFailure as failure:
        yield _syntax_problem(dockerfile.path, failure)


def _syntax_problem(path: str, failure: StageFailure) -> str:
    return f"line {failure.fault.message.removeprefix(f'{path}:')}"


def _port(path: str, configuration: ImageConfiguration) -> tuple[int, str] | None:
    exposed = [
        (ports.first, f"{path}:{ports.line}")
        for ports in configuration.ports
        if ports.protocol == "tcp" and ports.first
    ]
    preferred = (port for port in exposed if port[0] not in _SECONDARY_PORTS)
    return next(preferred, exposed[0] if exposed else None)


def _variable(path: str, configuration: ImageConfiguration) -> tuple[int, str] | None:
    ports = [
        (int(match[1]), configuration.lines[f"ENV {name}"])
        for name, value in configuration.environment.items()
        if _PORT_VARIABLES.fullmatch(name) and (match := _PORT.match(value))
    ]
    port, line = max(ports, key=lambda port: port[1], default=(0, 0))
    return (port, f"{path}:{line}") if line else None


def _command(dockerfile: ParsedDockerfile, configuration: ImageConfiguration) -> tuple[str, str] | None:
    parts: list[str] = []
    line = 0
    for keyword, words in (("ENTRYPOINT", configuration.entrypoint), ("CMD", configuration.command)):
        instruction = dockerfile.at(configuration.lines.get(keyword, 0))
        if words is not None and instruction is not None:
            parts.append(_without_shell(instruction, words))
            line = instruction.line
    command = unwrapped(" ".join(part for part in parts if part))
    if command.endswith(".jar") and " " not in command:  # the entry point of the base image runs it
        command = f"java -jar {command}"
    return (command, f"{dockerfile.path}:{line}") if command else None


def _without_shell(instruction: Instruction, words: tuple[str, ...]) -> str:
    """Return a command as one line, without the shell that a shell form starts."""
    is_json = (instruction.trigger or instruction).is_json
    return " ".join(words if is_json else words[-1:])


def unwrapped(command: str) -> str:
    """Return the part of a command line that keeps running, without the shell and the preparation around it."""
    inner = _WRAPPED.sub("", command.strip())
    if inner != command and len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'":
        inner = inner[1:-1]
    joined = re.sub(r"\s*\\\n\s*", " ", inner.strip())
    steps = [step for step in re.split(r"\s*&&\s*|\s*\n\s*", joined) if step]
    moves = [step for step in steps[:-1] if step.startswith("cd ")]
    return " && ".join([*moves, *(step.removeprefix("exec ") for step in steps[-1:])])


def _problems(dockerfile: ParsedDockerfile, configuration: ImageConfiguration) -> Iterator[str]:
    yield from _unpinned_bases(dockerfile)
    yield from _exposed_secrets(dockerfile)
    start = dockerfile.stages[-1].start.line
    user = configuration.user
    if user is None or user.partition(":")[0] in {"root", "0"}:
        yield f"line {configuration.lines.get('USER', start)}: the container runs as root"
    if configuration.entrypoint is None and configuration.command is None:
        yield f"line {start}: the last stage has no CMD or ENTRYPOINT"


def _unpinned_bases(dockerfile: ParsedDockerfile) -> Iterator[str]:
    for stage in dockerfile.stages:
        is_image = stage.parent is None and stage.is_resolved and stage.base != "scratch"
        if is_image and not is_pinned(stage.base):
            yield f"line {stage.start.line}: base image {stage.base} is not pinned to a version"


def _exposed_secrets(dockerfile: ParsedDockerfile) -> Iterator[str]:
    for instruction in dockerfile.instructions:
        for name, value in instruction.variables:
            text = value.strip("\"'")
            if text and not text.startswith("$") and looks_secret(name):
                yield f"line {instruction.line}: {name} looks like a secret and stays in the image"
