"""Failures of the command of a RUN instruction: the command, its memory, disk and permissions, and source code."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from container_kit.stages.build.context.build_context import walk
from container_kit.stages.build.failures.pattern import Failure, When, pattern
from container_kit.stages.contract import expressions as re

_MAX_FILES = 20_000


def _has_carriage_returns(failure: Failure, match: re.Match[str]) -> bool:
    """Return whether the script's first line ends with a carriage return.

    The kernel takes it for a part of the interpreter's name, and the shell reports that the script was not found.
    """
    name = Path(match["command"]).name
    entries = islice(walk(failure.inputs.context, failure.inputs.ignore), _MAX_FILES)
    for entry in entries:
        if entry.path.rsplit("/", 1)[-1] == name:
            with Path(entry.full).open("rb") as file:
                return file.readline(200).endswith(b"\r\n")
    return False


def _exit_is(*codes: int) -> When:
    def holds(failure: Failure, _match: re.Match[str]) -> bool:
        return failure.exit_code in codes

    return holds


_LINE_ENDINGS_HINT = (
    "Save the script with Unix line endings (LF), for example with `*.sh text eol=lf` in .gitattributes."
)

_COMMANDS = (
    pattern(
        "build.shell_not_found",
        r"exec: \"(?P<shell>[^\"]*sh)\":.*(?:no such file|not found)",
        "the image has no shell {shell} to run commands with",
        means="RUN needs a shell, and the image (from scratch, or distroless) has none.",
        hint="Run the command in an earlier stage whose image has a shell, and COPY --from it.",
    ),
    pattern(
        "build.line_endings",
        r"^(?:\S+: )?(?:\d+: |line \d+: )?(?P<command>/\S+): not found$",
        "the script {command} has Windows line endings",
        means="A script's first line ends with a carriage return, so its interpreter is not found.",
        hint=_LINE_ENDINGS_HINT,
        when=_has_carriage_returns,
    ),
    pattern(
        "build.line_endings_inside",
        r"\^M|\$'\\r'|Illegal option -$",
        "a script has Windows line endings",
        means="A script contains carriage returns.",
        hint=_LINE_ENDINGS_HINT,
    ),
    pattern(
        "build.git_not_found",
        r"Cannot find command 'git'|git: not found|spawn git\b|\bgit: command not found",
        "git is required and not in the image",
        means="A dependency comes from a git repository, and the image has no git.",
        hint="Install git before {where}, for example `apt-get install -y git`, or depend on a release.",
    ),
    pattern(
        "build.compiler_not_found",
        r"(?:command '|: )(?:[\w-]+-)?(?P<compiler>gcc|cc|g\+\+|c\+\+|clang|make)"
        r"(?:' failed: No such file|: (?:command )?not found)",
        "a package must be compiled and the image has no {compiler}",
        means="A package has no binary for this platform, and the image has no compiler.",
        hint="Install a compiler before {where} (`apt-get install -y build-essential`), if possible in another stage.",
    ),
    pattern(
        "build.exec_format_error",
        r"[Ee]xec format error",
        "a program was built for another architecture, or is a script without a `#!` line",
        means="The kernel cannot run a file: it is for another architecture, or has no `#!` line.",
        hint="Use the program built for the image's platform in {where}, or start the script with `#!/bin/sh`.",
    ),
    pattern(
        "build.not_executable",
        r"(?P<command>/\S+): Permission denied",
        "{command} is not executable",
        means="A command is a file without execute permission.",
        hint="Add `RUN chmod +x {command}` before {where}, or `git update-index --chmod=+x`, or COPY --chmod=755.",
        when=_exit_is(126),
    ),
    pattern(
        "build.command_not_found",
        r"(?:^|: )(?P<command>[^\s:]+): (?:command )?not found$",
        "the image has no command {command}",
        means="A command is not installed or not on the PATH.",
        hint="Install the package with {command} before {where}, or correct its name.",
        when=_exit_is(127),
    ),
    pattern(
        "build.shell_syntax",
        r"(?P<problem>[Ss]yntax error: .*|syntax error near .*|unexpected EOF while looking for .*)$",
        "the shell cannot read the command: {problem}",
        means="The shell command of a RUN instruction has a syntax error.",
        hint="Correct the quotes and operators of the command in {where}.",
    ),
)

_RESOURCES = (
    pattern(
        "build.disk_full",
        r"[Nn]o space left on device|ENOSPC",
        "no space was left while the command wrote",
        means="A RUN instruction filled a disk: the engine's, or a tmpfs.",
        hint="Free space on the engine's disk (`docker system df`, `docker builder prune`), or write less in {where}.",
    ),
    pattern(
        "build.out_of_memory",
        r"JavaScript heap out of memory|^MemoryError|java\.lang\.OutOfMemoryError|[Cc]annot allocate memory|bad_alloc",
        "the command ran out of memory",
        means="A program in the build needs more memory than it can get.",
        hint="Give the engine more memory, or make the program use less (fewer jobs, --max-old-space-size).",
    ),
    pattern(
        "build.process_killed",
        r"exit code: 137",
        "the command was killed, usually because the machine ran out of memory",
        means="A command was ended by signal 9, which the kernel sends when memory runs out.",
        hint="Give the engine more memory, or make {where} use less (fewer parallel jobs).",
    ),
    pattern(
        "build.read_only_filesystem",
        r"(?:'(?P<path>[^']+)': )?Read-only file system",
        "{path} is read-only there",
        means="A command writes to a mount that is read-only.",
        hint="Write elsewhere in {where}, or add `,rw` to the mount.",
    ),
    pattern(
        "build.permission_denied",
        r"(?:'(?P<path>[^']+)': |open lock file (?P<lock>\S+) .*|'?(?P<file>/[^\s']+)'?: )?"
        r"(?:[Pp]ermission denied|EACCES)",
        "permission denied for {path}{lock}{file}",
        means="A command has no permission, usually because it runs as the user of an earlier USER.",
        hint="Move {where} before USER, or give that user the folder with COPY --chown or `RUN chown`.",
    ),
)

_CODE = (
    pattern(
        "build.module_not_found",
        r"ModuleNotFoundError: No module named '(?P<module>[^']+)'|Cannot find module '(?P<package>[^']+)'",
        "the module {module}{package} is not installed",
        means="Code that runs during the build imports a module that is not in the image.",
        hint="Add {module}{package} to the dependencies, or COPY it before {where}.",
    ),
    pattern(
        "build.release_unsupported",
        r"error: (?:release version|invalid target release:) (?P<release>\d+)",
        "the image's JDK cannot compile for Java {release}",
        means="The project needs a newer Java release than the image's JDK supports.",
        hint="Use a base image with JDK {release} or newer.",
    ),
    pattern(
        "build.source_syntax",
        r"^\s*(?P<problem>(?:SyntaxError|IndentationError): .*)$",
        "the source code cannot be parsed: {problem}",
        means="A source file has a syntax error.",
        hint="Correct the source at the line in the log: {problem}.",
    ),
    pattern(
        "build.compile_error",
        r"^(?P<place>[^\s:]+\.\w+:\d+(?::\d+)?): (?:fatal )?error: (?P<problem>.+)$"
        r"|^(?P<go>[^\s:]+\.go:\d+:\d+): (?P<goproblem>.+)$"
        r"|(?P<ts>\S+\.tsx?\(\d+,\d+\)): error (?P<tsproblem>.+)$",
        "the code does not compile: {place}{go}{ts} {problem}{goproblem}{tsproblem}",
        means="A compiler rejected the source code.",
        hint="Correct {place}{go}{ts}: {problem}{goproblem}{tsproblem}.",
    ),
)

PATTERNS = (*_COMMANDS, *_RESOURCES, *_CODE)
