"""The configuration of the image that a stage of a Dockerfile makes, as far as the Dockerfile decides it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.dockerfile.document import BuildStage, ParsedDockerfile
from container_kit.stages.formats.dockerfile.instruction import Instruction
from container_kit.stages.formats.dockerfile.variables import (
    ExpansionError,
    declare_arguments,
    expand,
    expand_or_keep,
)

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_SHELL = ("/bin/sh", "-c")
_MAX_PORT = 65535
_MAX_PORT_TEXT = 1000
# [[address:]host port:]port[-port][/protocol]
_PORT = re.compile(r"(?:.*:)?(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExposedPorts:
    """A port of EXPOSE, or a range of ports."""

    first: int
    last: int
    protocol: str
    """`tcp`, `udp` or `sctp`."""
    line: int


@dataclass(frozen=True, slots=True)
class ImageConfiguration:
    """The settings of a stage and of the stages that it continues; those of the base image are not known."""

    ports: tuple[ExposedPorts, ...] = ()
    """In the order of the Dockerfile."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of ENV. A variable that only the base image can set stays as written."""
    user: str | None = None
    """None if no USER sets it."""
    workdir: str | None = None
    """None if no WORKDIR sets it; a relative one is below `/`."""
    entrypoint: tuple[str, ...] | None = None
    """The exec form, with the shell before a shell form; None if no ENTRYPOINT sets it."""
    command: tuple[str, ...] | None = None
    """As `entrypoint`, for CMD. Empty if an ENTRYPOINT removes the one of the base image."""
    healthcheck: tuple[str, ...] | None = None
    """As an image has it: `NONE`, `CMD` and its words, or `CMD-SHELL` and one text."""
    shell: tuple[str, ...] = _DEFAULT_SHELL
    lines: Mapping[str, int] = field(default_factory=dict)
    """The line of each setting, by the keyword; of a variable by `ENV NAME`."""

    def tcp_ports(self) -> tuple[int, ...]:
        """Return the TCP ports, sorted."""
        numbers: list[int] = []
        for first, last in sorted((one.first, one.last) for one in self.ports if one.protocol == "tcp"):
            numbers.extend(range(max(first, numbers[-1] + 1 if numbers else 0), last + 1))
        return tuple(numbers)


def configuration_of(dockerfile: ParsedDockerfile, stage: BuildStage) -> ImageConfiguration:
    """Follow the instructions of a stage from its base image on."""
    chain = dockerfile.chain(stage)
    state = _State(dockerfile, is_from_scratch=chain[0].base == "scratch")
    deferred: tuple[Instruction, ...] = ()
    for current in chain:
        state.begin_stage()
        for instruction in (*deferred, *current.instructions):
            state.apply(instruction)
        deferred = tuple(one.trigger for one in current.of("ONBUILD") if one.trigger is not None)
    return state.configuration()


class _State:
    """The configuration while the instructions run."""

    def __init__(self, dockerfile: ParsedDockerfile, *, is_from_scratch: bool) -> None:
        self._dockerfile = dockerfile
        self._keep_unset = not is_from_scratch
        self._variables = {"PATH": _DEFAULT_PATH} if is_from_scratch else {}
        self._environment: dict[str, str] = {}
        self._ports: list[ExposedPorts] = []
        self._user: str | None = None
        self._workdir: str | None = None
        self._entrypoint: tuple[str, ...] | None = None
        self._command: tuple[str, ...] | None = None
        self._command_set = False
        self._healthcheck: tuple[str, ...] | None = None
        self._shell: tuple[str, ...] = _DEFAULT_SHELL
        self._lines: dict[str, int] = {}
        self._appliers: dict[str, Callable[[Instruction], None]] = {
            "ARG": self._arg,
            "CMD": self._cmd,
            "ENTRYPOINT": self._set_entrypoint,
            "ENV": self._env,
            "EXPOSE": self._expose,
            "HEALTHCHECK": self._set_healthcheck,
            "SHELL": self._set_shell,
            "USER": self._set_user,
            "WORKDIR": self._set_workdir,
        }

    def begin_stage(self) -> None:
        self._command_set = False

    def apply(self, instruction: Instruction) -> None:
        applier = self._appliers.get(instruction.keyword)
        if applier is not None:
            applier(instruction)

    def configuration(self) -> ImageConfiguration:
        return ImageConfiguration(
            ports=tuple(self._ports),
            environment=self._environment,
            user=self._user,
            workdir=self._workdir,
            entrypoint=self._entrypoint,
            command=self._command,
            healthcheck=self._healthcheck,
            shell=self._shell,
            lines=self._lines,
        )

    def _expanded(self, word: str) -> str:
        return expand_or_keep(word, self._variables, escape=self._dockerfile.escape, keep_unset=self._keep_unset)

    def _arg(self, instruction: Instruction) -> None:
        known = self._dockerfile
        for argument in instruction.arguments:
            name, has_default, _ = argument.partition("=")
            if not has_default and name in known.global_variables and name not in known.build_args:
                self._variables[name] = known.global_variables[name]
        declare_arguments(instruction, self._variables, known.build_args, escape=known.escape)

    def _env(self, instruction: Instruction) -> None:
        values = {self._expanded(name): self._expanded(value) for name, value in instruction.variables}
        self._environment |= values
        self._variables |= values
        self._lines |= {f"ENV {name}": instruction.line for name in values}

    def _expose(self, instruction: Instruction) -> None:
        self._lines["EXPOSE"] = instruction.line
        for word in instruction.arguments:
            self._ports.extend(self._ports_of(word, instruction.line))

    def _ports_of(self, word: str, line: int) -> Iterator[ExposedPorts]:
        try:
            found = expand(word, self._variables, escape=self._dockerfile.escape, keep_unset=self._keep_unset)
        except ExpansionError:
            return
        if len(found.text) > _MAX_PORT_TEXT:
            return
        for text in found.words:
            match = _PORT.fullmatch(text)
            if match is None:
                continue
            first, last = int(match[1]), int(match[2] or match[1])
            if first <= last <= _MAX_PORT:
                yield ExposedPorts(first, last, (match[3] or "tcp").lower(), line)

    def _set_user(self, instruction: Instruction) -> None:
        self._user = self._expanded(instruction.text)
        self._lines["USER"] = instruction.line

    def _set_workdir(self, instruction: Instruction) -> None:
        path = self._expanded(instruction.text)
        if not path.startswith("/"):
            path = posixpath.normpath(posixpath.join(self._workdir or "/", path))
        self._workdir = path
        self._lines["WORKDIR"] = instruction.line

    def _set_shell(self, instruction: Instruction) -> None:
        self._shell = instruction.arguments
        self._lines["SHELL"] = instruction.line

    def _cmd(self, instruction: Instruction) -> None:
        self._command = self._with_shell(instruction)
        self._command_set = True
        self._lines["CMD"] = instruction.line

    def _set_entrypoint(self, instruction: Instruction) -> None:
        self._entrypoint = self._with_shell(instruction)
        self._lines["ENTRYPOINT"] = instruction.line
        if not self._command_set:
            self._command = ()
            self._lines.pop("CMD", None)

    def _with_shell(self, instruction: Instruction) -> tuple[str, ...]:
        return instruction.arguments if instruction.is_json else (*self._shell, instruction.text)

    def _set_healthcheck(self, instruction: Instruction) -> None:
        kind, *command = instruction.arguments or ("NONE",)
        kind = kind.upper()
        self._healthcheck = (kind if instruction.is_json or kind == "NONE" else "CMD-SHELL", *command)
        self._lines["HEALTHCHECK"] = instruction.line
