"""Failures of what a RUN instruction runs: the command itself, its memory, its disk, its rights, its source code."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from container_kit.stages.build.context.build_context import walk
from container_kit.stages.build.failures.pattern import Failure, When, sign

_FILES_LOOKED_AT = 20_000


def _script_with_carriage_returns(failure: Failure, match: re.Match[str]) -> bool:
    """The kernel looks for an interpreter with a carriage return; the shell then says that the script was not found."""
    name = Path(match["command"]).name
    entries = islice(walk(failure.inputs.context, failure.inputs.ignore), _FILES_LOOKED_AT)
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
    sign(
        "build.shell_not_found",
        r"exec: \"(?P<shell>[^\"]*sh)\":.*(?:no such file|not found)",
        "the image has no shell {shell} to run commands with",
        means="RUN needs a shell, and the image (from scratch, or distroless) has none.",
        hint="Run the command in an earlier stage whose image has a shell, and COPY --from it.",
    ),
    sign(
        "build.line_endings",
        r"^(?:\S+: )?(?:\d+: |line \d+: )?(?P<command>/\S+): not found$",
        "the script {command} has Windows line endings",
        means="A script's first line ends with a carriage return, so its interpreter is not found.",
        hint=_LINE_ENDINGS_HINT,
        when=_script_with_carriage_returns,
    ),
    sign(
        "build.line_endings_inside",
        r"\^M|\$'\\r'|Illegal option -$",
        "a script has Windows line endings",
        means="A shell met carriage returns inside a script.",
        hint=_LINE_ENDINGS_HINT,
    ),
    sign(
        "build.git_not_found",
        r"Cannot find command 'git'|git: not found|spawn git\b|\bgit: command not found",
        "git is needed and the image has none",
        means="A dependency comes from a git repository, and the image has no git.",
        hint="Install git before {where}, for example `apt-get install -y git`, or depend on a release.",
    ),
    sign(
        "build.compiler_not_found",
        r"(?:command '|: )(?:[\w-]+-)?(?P<compiler>gcc|cc|g\+\+|c\+\+|clang|make)"
        r"(?:' failed: No such file|: (?:command )?not found)",
        "a package must be compiled and the image has no {compiler}",
        means="A package brings no binary for this platform, and the image has no compiler.",
        hint="Install a compiler before {where} (`apt-get install -y build-essential`), best in an earlier stage.",
    ),
    sign(
        "build.exec_format_error",
        r"[Ee]xec format error",
        "a program was made for another processor, or is a script without its first line",
        means="The kernel cannot run a file: another architecture, or no `#!` line.",
        hint="Use the program built for the image's platform in {where}, or begin the script with `#!/bin/sh`.",
    ),
    sign(
        "build.not_executable",
        r"(?P<command>/\S+): Permission denied",
        "{command} is not executable",
        means="A file is run that lacks the execute permission.",
        hint="Add `RUN chmod +x {command}` before {where}, or `git update-index --chmod=+x`, or COPY --chmod=755.",
        when=_exit_is(126),
    ),
    sign(
        "build.command_not_found",
        r"(?:^|: )(?P<command>[^\s:]+): (?:command )?not found$",
        "the image has no command {command}",
        means="A command is run that is not installed or not on the PATH.",
        hint="Install what brings {command} before {where}, or correct its name.",
        when=_exit_is(127),
    ),
    sign(
        "build.shell_syntax",
        r"(?P<problem>[Ss]yntax error: .*|syntax error near .*|unexpected EOF while looking for .*)$",
        "the shell cannot read the command: {problem}",
        means="The shell command of a RUN instruction is malformed.",
        hint="Correct the quotes and operators of the command in {where}.",
    ),
)

_RESOURCES = (
    sign(
        "build.disk_full",
        r"[Nn]o space left on device|ENOSPC",
        "no space was left while the command wrote",
        means="A RUN instruction filled a disk: the engine's, or a tmpfs.",
        hint="Free space on the engine's disk (`docker system df`, `docker builder prune`), or write less in {where}.",
    ),
    sign(
        "build.out_of_memory",
        r"JavaScript heap out of memory|^MemoryError|java\.lang\.OutOfMemoryError|[Cc]annot allocate memory|bad_alloc",
        "the command ran out of memory",
        means="A program in the build could not get the memory that it needs.",
        hint="Give the engine more memory, or let the program use less (fewer jobs, --max-old-space-size).",
    ),
    sign(
        "build.process_killed",
        r"exit code: 137",
        "the command was killed, usually because the machine ran out of memory",
        means="A command ended by signal 9; the kernel does that when memory runs out.",
        hint="Give the engine more memory, or let {where} use less (fewer parallel jobs).",
    ),
    sign(
        "build.read_only_filesystem",
        r"(?:'(?P<path>[^']+)': )?Read-only file system",
        "{path} is read-only there",
        means="A command writes to a mount that is read-only.",
        hint="Write elsewhere in {where}, or add `,rw` to the mount.",
    ),
    sign(
        "build.permission_denied",
        r"(?:'(?P<path>[^']+)': |open lock file (?P<lock>\S+) .*|'?(?P<file>/[^\s']+)'?: )?"
        r"(?:[Pp]ermission denied|EACCES)",
        "permission denied for {path}{lock}{file}",
        means="A command lacks a right, usually because an earlier USER made it run without root.",
        hint="Move {where} before USER, or give that user the folder with COPY --chown or `RUN chown`.",
    ),
)

_CODE = (
    sign(
        "build.module_not_found",
        r"ModuleNotFoundError: No module named '(?P<module>[^']+)'|Cannot find module '(?P<package>[^']+)'",
        "the module {module}{package} is not installed",
        means="Code that runs during the build imports a module that is not in the image.",
        hint="Add {module}{package} to the dependencies, or COPY it before {where}.",
    ),
    sign(
        "build.release_unsupported",
        r"error: (?:release version|invalid target release:) (?P<release>\d+)",
        "the image's JDK cannot compile for Java {release}",
        means="The project asks for a newer Java release than the image's JDK knows.",
        hint="Use a base image with JDK {release} or newer.",
    ),
    sign(
        "build.source_syntax",
        r"^\s*(?P<problem>(?:SyntaxError|IndentationError): .*)$",
        "the source code cannot be parsed: {problem}",
        means="A source file is not valid in its language.",
        hint="Correct the source where the log points: {problem}.",
    ),
    sign(
        "build.compile_error",
        r"^(?P<place>[^\s:]+\.\w+:\d+(?::\d+)?): (?:fatal )?error: (?P<problem>.+)$"
        r"|^(?P<go>[^\s:]+\.go:\d+:\d+): (?P<goproblem>.+)$"
        r"|(?P<ts>\S+\.tsx?\(\d+,\d+\)): error (?P<tsproblem>.+)$",
        "the code does not compile: {place}{go}{ts} {problem}{goproblem}{tsproblem}",
        means="A compiler refused the source code.",
        hint="Correct {place}{go}{ts}: {problem}{goproblem}{tsproblem}.",
    ),
)

SIGNS = (*_COMMANDS, *_RESOURCES, *_CODE)
