"""From a start command as people type it to the arguments of PID 1."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from container_kit.stages.contract import expressions as re

_LAUNCHERS = (
    ("poetry", "run"),
    ("uv", "run"),
    ("pipenv", "run"),
    ("pdm", "run"),
    ("pnpm", "exec"),
    ("yarn", "exec"),
    ("npx",),
    ("bunx",),
    ("exec",),
    ("cross-env",),
)
"""What starts a program in the environment that the image has on its path already; it would be PID 1 in its stead."""

_OPERATORS = re.compile(r"^[;&|<>()]+$")
_VARIABLE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$", re.DOTALL)
_PART = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|[<>]&|&>>?|&&|\|\||[;|&]|[^'"\\<>&|;]+|.""", re.DOTALL)
"""The parts of a shell's line: quotations, redirections, operators, and what is between them."""
_PORT = re.compile(r"\$PORT\b|\$\{PORT(?::?-[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class Command:
    """A start command for an image."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that the command set before it."""


def parse(text: str, port: int | None) -> Command:
    """Take a command line apart so that its program becomes PID 1.

    Variables set in front become the image's environment, launchers are dropped, `$PORT` is replaced. A line that
    needs a shell gets one that `exec`s its last command.

    Args:
        text: One command line in shell syntax.
        port: What `$PORT` stands for.

    Raises:
        ValueError: A quotation is not closed, or there is no program.
    """
    line = _PORT.sub(str(port), text.strip()) if port else text.strip()
    if _needs_shell(line):
        return Command(("sh", "-c", _last_becomes_pid_1(line, port)))
    variables: dict[str, str] = {}
    arguments = shlex.split(line)
    while arguments:
        assignment = _VARIABLE.match(arguments[0])
        launcher = _launcher(arguments)
        if assignment:
            variables[assignment[1]] = assignment[2]
            arguments = arguments[1:]
        elif launcher:
            arguments = arguments[launcher:]
        else:
            return Command(tuple(arguments), variables)
    raise ValueError("it names no program")


def _needs_shell(line: str) -> bool:
    return any(_OPERATORS.match(word) for word in _words(line)) or "$" in line or "`" in line


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _launcher(arguments: Sequence[str]) -> int:
    """Count the words of a launcher and its options in front."""
    for launcher in _LAUNCHERS:
        if tuple(arguments[: len(launcher)]) == launcher and len(arguments) > len(launcher):
            length = len(launcher)
            while length < len(arguments) - 1 and arguments[length].startswith("-"):
                length += 1
            return length
    return 0


def _last_becomes_pid_1(line: str, port: int | None) -> str:
    """Let a shell's last command replace it, and listen on the port where it is plain words."""
    ends = [match.end() for match in _PART.finditer(line) if match[0] in {"&&", ";"}]
    head, last = (line[: ends[-1]], line[ends[-1] :].strip()) if ends else ("", line.strip())
    if not last or last.startswith("exec ") or any(part[0] in {"|", "||", "&"} for part in _PART.finditer(last)):
        return line
    if not _needs_shell(last):
        command = parse(last, port)
        set_before = [f"{name}={shlex.quote(value)}" for name, value in command.environment.items()]
        last = " ".join((*(("env", *set_before) if set_before else ()), shlex.join(listening(command.arguments, port))))
    return f"{head} exec {last}".strip()


@dataclass(frozen=True, slots=True)
class _Server:
    """The options that set a server's address and port."""

    program: tuple[str, ...]
    host: tuple[str, ...] = ()
    """The option for the address and its other spellings."""
    port: tuple[str, ...] = ()
    address: str = "0.0.0.0"  # noqa: S104 - inside a container every address is the container's own
    """What is given to the option; with `{port}` where address and port are one."""
    extra: tuple[str, ...] = ()


_SERVERS = (
    _Server(("gunicorn",), ("--bind", "-b"), address="0.0.0.0:{port}"),
    _Server(("hypercorn",), ("--bind", "-b"), address="0.0.0.0:{port}"),
    _Server(("granian",), ("--host",), ("--port",)),
    _Server(("uvicorn",), ("--host",), ("--port",)),
    _Server(("daphne",), ("-b", "--bind"), ("-p", "--port")),
    _Server(("waitress-serve",), ("--listen",), address="*:{port}"),
    _Server(("flask", "run"), ("--host", "-h"), ("--port", "-p")),
    _Server(("fastapi", "run"), ("--host",), ("--port",)),
    _Server(("streamlit", "run"), ("--server.address",), ("--server.port",), extra=("--server.headless=true",)),
    _Server(("next", "start"), ("--hostname", "-H"), ("--port", "-p")),
    _Server(("vite", "preview"), ("--host",), ("--port",)),
    _Server(("astro", "preview"), ("--host",), ("--port",)),
    _Server(("docusaurus", "serve"), ("--host", "-h"), ("--port", "-p")),
    _Server(("gatsby", "serve"), ("--host", "-H"), ("--port", "-p")),
    _Server(("vinxi", "start"), ("--host",), ("--port",)),
    _Server(("fastify", "start"), ("--address", "-a"), ("--port", "-p")),
    _Server(("json-server",), ("--host", "-H"), ("--port", "-p")),
    _Server(("sirv",), ("--host", "-H"), ("--port", "-p")),
    _Server(("puma",), ("--bind", "-b"), address="tcp://0.0.0.0:{port}"),
    _Server(("rails", "server"), ("--binding", "-b"), ("--port", "-p"), extra=("--pid", "/tmp/server.pid")),  # noqa: S108 - the image's only writable folder
    _Server(("rackup",), ("--host", "-o"), ("--port", "-p")),
)


def listening(arguments: tuple[str, ...], port: int | None) -> tuple[str, ...]:
    """Make a known server listen on all addresses of the container and on the port; do not change other commands."""
    if port is None:
        return arguments
    if "runserver" in arguments:  # Django's, which takes the address as a word
        kept = [word for word in arguments if not re.fullmatch(r"[\d.\[\]:]+|--noreload", word)]
        return (*kept, f"0.0.0.0:{port}", "--noreload")
    for server in _SERVERS:
        if _runs(server.program, arguments):
            return _with_address(server, arguments, port)
    return arguments


def _runs(program: tuple[str, ...], arguments: tuple[str, ...]) -> bool:
    words = [word.rsplit("/", 1)[-1] for word in arguments]
    start = 2 if words[:1] in (["python"], ["python3"]) and words[1:2] == ["-m"] else 0
    start = 2 if words[:2] == ["bundle", "exec"] else start
    return words[start : start + 1] == [program[0]] and set(program[1:]) <= set(words[start + 1 :])


def _with_address(server: _Server, arguments: tuple[str, ...], port: int) -> tuple[str, ...]:
    extended = _with_option(arguments, server.host, server.address.format(port=port))
    if server.port:
        extended = _with_option(extended, server.port, str(port))
    return (*extended, *(() if set(server.extra) <= set(extended) else server.extra))


def _with_option(arguments: tuple[str, ...], names: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Set an option, replacing each spelling of it that is there."""
    kept: list[str] = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in names:
            skip = True
        elif not any(word.startswith(f"{name}=") for name in names):
            kept.append(word)
    return (*kept, f"{names[0]}={value}") if names[0].startswith("--") else (*kept, names[0], value)
