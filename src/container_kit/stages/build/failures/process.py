"""Failures of the command of a RUN instruction: the command, its memory, disk and permissions, and source code."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from container_kit.stages.build.context.build_context import walk
from container_kit.stages.build.failures import codes
from container_kit.stages.build.failures.pattern import Failure, exit_is, pattern, sign
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction
from container_kit.stages.contract.placeholder import placeholder

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


def _give_argument(failure: Failure, match: re.Match[str]) -> list[NextAction]:
    """Propose a build argument if the Dockerfile declares it; else the declaration first."""
    name = next((value for value in match.groupdict().values() if value and value.isupper()), None)
    if name is None:
        return []
    declared = any(name in argument for stage in failure.inputs.parsed.instructions for argument in [stage.source]
                   if stage.keyword == "ARG")  # fmt: skip
    first = "" if declared else f"Add the line `ARG {name}` before {failure.where}, in the same stage. Then give"
    why = f"{first or 'Give'} {name} a value for the build; it stays in the image's history, so no secret."
    return [NextAction(why=why, arguments={"build_args": {name: placeholder(name)}})]


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
    sign(
        codes.GIT_NOT_FOUND,
        r"git: not found|\bgit: command not found|exec: \"git\": executable file not found",
        "git is required and not in the image",
        "Install git before {where}, for example `apt-get install -y git`, or depend on a release.",
    ),
    sign(
        codes.COMPILER_NOT_FOUND,
        r"(?:command '|: )(?:[\w-]{1,40}-)?(?P<compiler>gcc|cc|g\+\+|c\+\+|clang|make|cmake|pkg-config|python3?|cargo)"
        r"(?:' failed: No such file|: (?:command )?not found)|(?P<build>gcc|cc|g\+\+|make): No such file or directory",
        "a package must be compiled and the image has no {compiler}{build}",
        "Install a compiler before {where} (`apt-get install -y build-essential`), if possible in another stage.",
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
        when=exit_is(126),
    ),
    pattern(
        "build.command_not_found",
        r"(?:^|: )(?P<command>[^\s:]{1,200}): (?:command )?not found$|Failed to spawn: `?(?P<command>[^\s`]{1,100})",
        "the image has no command {command}",
        means="A command is not installed or not on the PATH.",
        hint="Install the package with {command} before {where}, or correct its name.",
        when=exit_is(127, 1, 2),
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
    sign(
        codes.REPOSITORY_UNAUTHORIZED,
        r"could not read Username for|Permission denied \(publickey|Authentication failed for|Host key verification failed|remote: Repository not found|terminal prompts disabled|could not read Password",
        "git has no access to a repository",
        "Pass a token as a build secret and use it in {where} (`--mount=type=secret`), or depend on a published release.",
    ),
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

_NAMED = r"[A-Z][A-Z0-9]{1,40}_[A-Z0-9_]{1,60}|[A-Z]{3,40}"
_CODE = (
    sign(
        codes.VARIABLE_NOT_FOUND,
        rf"KeyError: '(?P<python>{_NAMED})'|(?P<decouple>[A-Z][A-Z0-9_]{{1,80}}) not found\. Declare it as envvar"
        r"|Environment variable not found: (?P<prisma>[A-Z][A-Z0-9_]{1,80})|Environment variable \"(?P<environs>[A-Z][A-Z0-9_]{1,80})\" (?:is )?not set"
        r"|(?:[Mm]issing|[Rr]equired|[Uu]ndefined|[Uu]nset|must (?:be )?set|[Nn]o)[^\n]{0,40}(?:environment|env)\w{0,12}(?: variables?)?:? [\"'`]?(?P<words>[A-Z][A-Z0-9_]{2,80})"
        r"|[\"'`]?(?P<first>[A-Z][A-Z0-9]{0,40}_[A-Z0-9_]{1,60})[\"'`]? (?:environment variable )?(?:is (?:not (?:set|defined)|required|missing|undefined)|must be (?:set|defined)|not set|missing)"
        r"|The (?P<django>SECRET_KEY) setting must not be empty|ValidationError: \d{1,3} validation errors? for \w{0,60}[Ss](?:ettings)?\n(?P<pydantic>\w{1,80})\n  Field required"
        r"|(?P<zod>Invalid environment variables)|PrismaClientInitializationError|supabaseUrl is required|Neither apiKey nor|missing_secret",
        "the build needs the variable {python}{decouple}{prisma}{environs}{words}{first}{django}{pydantic}",
        "Declare it with ARG before {where} and pass it in build_args (a public or dummy value), or mount it as a build "
        "secret; a build must not need production values.",
        actions=_give_argument,
    ),
    sign(
        codes.MODULE_NOT_FOUND,
        r"ModuleNotFoundError: No module named '(?P<module>[^']{1,200})'|Cannot find (?:module|package) '(?P<package>[^']{1,300})'(?! or its corresponding)"
        r"|No module named (?P<run>[\w.]{1,100})$",
        "the module {module}{package}{run} is not installed",
        "Add {module}{package}{run} to the dependencies, or COPY it before {where}.",
    ),
    pattern(
        "build.release_unsupported",
        r"error: (?:release version|invalid target release:) (?P<release>\d+)",
        "the image's JDK cannot compile for Java {release}",
        means="The project needs a newer Java release than the image's JDK supports.",
        hint="Use a base image with JDK {release} or newer.",
    ),
    sign(
        codes.SOURCE_SYNTAX,
        r"^\s{0,40}(?P<problem>(?:SyntaxError|IndentationError|TabError): [^\n]{1,300})$",
        "the source code cannot be parsed: {problem}",
        "Correct the source at the line in the log: {problem}.",
    ),
    sign(
        codes.COMPILE_ERROR,
        r"^(?P<place>[^\s:]{1,300}\.\w{1,10}:\d+(?::\d+)?): (?:fatal )?error: (?P<problem>[^\n]{1,300})$"
        r"|^(?P<go>[^\s:]{1,300}\.go:\d+(?::\d+)?): (?P<goproblem>[^\n]{1,300})$"
        r"|(?P<ts>[^\s(]{1,300}\.(?:tsx?|vue|svelte)\(\d+,\d+\)): error (?P<tsproblem>[^\n]{1,300})$"
        r"|^(?P<tsc>[^\s:]{1,300}\.tsx?:\d+:\d+) - error (?P<tscproblem>[^\n]{1,300})$|(?P<next>Type error: [^\n]{1,300})",
        "the code does not compile: {place}{go}{ts}{tsc} {problem}{goproblem}{tsproblem}{tscproblem}{next}",
        "Correct {place}{go}{ts}{tsc}: {problem}{goproblem}{tsproblem}{tscproblem}{next}.",
    ),
)
_FILES = (
    sign(
        codes.PATH_NOT_FOUND,
        r"(?:cannot stat|cannot access|can't stat|can't open|cannot open) '?(?P<stat>[^'\n:]{1,300})'?: No such file|can't cd to (?P<cd>[^\s:]{1,300})|cd: (?P<bash>[^\s:]{1,300}): No such file"
        r"|can't open file '(?P<python>[^']{1,300})': \[Errno 2\]|FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<open>[^']{1,300})'|ENOENT: no such file or directory, \w{1,10} '(?P<node>[^']{1,300})'"
        r"|(?P<sh>[\w./-]{1,300}): (?:cannot open|No such file or directory|can't open)|cannot open (?P<dash>[\w./-]{1,300}): No such file|\(No such file or directory @ \w{1,20} - (?P<ruby>[^)]{1,300})\)",
        "{stat}{cd}{bash}{python}{open}{node}{sh}{dash}{ruby} is not in the image",
        "COPY it before {where}, or correct the path (WORKDIR counts; .dockerignore may exclude it).",
    ),
    pattern(
        "build.archive_invalid",
        r"not in gzip format|not look like a tar archive|End-of-central-directory signature not found|invalid (?:tar )?magic|not a zip file|BadZipFile|unexpected end of file",
        "a downloaded archive is not an archive",
        means="A download is not the archive that the command expects, often an error page.",
        hint="Correct the URL in {where}, and let curl fail on errors (`curl -f`).",
    ),
    pattern(
        "build.git_folder_missing",
        r"fatal: not a git repository|setuptools-scm was unable to detect version|LookupError: .{0,80}unable to detect version|does not have a commit",
        "the build needs the .git folder, which is not in the image",
        means="A program reads the version from git, and .dockerignore leaves .git out.",
        hint="Pass the version in build_args (for setuptools-scm SETUPTOOLS_SCM_PRETEND_VERSION), or include .git.",
    ),
    pattern(
        "build.user_unknown",
        r"invalid (?P<kind>user|group): [‘'`]?(?P<user>[^‘’'\n]{1,80})|unknown user(?:/group)? (?P<busybox>\S{1,60})|user '?(?P<su>[\w-]{1,40})'? does not exist",
        "the image has no user {user}{busybox}{su}",
        means="A command names a user or group that the image does not have.",
        hint="Create the user before {where} (`RUN useradd --system {user}{busybox}{su}`), or use a numeric id.",
    ),
    pattern(
        "build.user_exists",
        r"(?:user|group) '(?P<user>[^']{1,60})' already exists|(?:user|group) (?P<alpine>\S{1,60}) in use|(?:UID|GID|[ug]id) '?(?P<id>\d{1,9})'? (?:already exists|is (?:already )?in use|in use)",
        "the user or id {user}{alpine}{id} exists in the base image",
        means="A command creates a user that the base image already has.",
        hint="Use the existing user {user}{alpine}{id}, or choose another name and id in {where}.",
    ),
)
_PROGRAMS = (
    sign(
        codes.PROGRAM_FAILED,
        r"^Traceback \(most recent call last\)|^\s{0,8}(?P<node>(?:Type|Reference|Range)Error: [^\n]{1,200})|^(?P<ruby>[\w./-]{1,200}\.rb:\d{1,6}:in [^\n]{1,200})"
        r"|^Exception in thread \"main\" (?P<java>[^\n]{1,200})|^panic: (?P<go>[^\n]{1,200})|thread '\w{1,40}'.{0,20} panicked at|Unhandled exception\. (?P<dotnet>[^\n]{1,200})|^Error: (?P<error>[^\n]{1,200})",
        "the program ended with an exception {node}{ruby}{java}{go}{dotnet}{error}",
        "Correct the code at the first line of the trace that is a file of the repository.",
    ),
    sign(
        codes.SCRIPT_FAILED,
        r"^make(?:\[\d+\])?: \*\*\* \[(?P<target>[^\]\n]{1,200})\] Error (?P<code>\d+)|npm (?:error|ERR!) (?:Lifecycle script `(?P<script>[^`]{1,80})` failed|code ELIFECYCLE)|^error: Recipe `(?P<just>[^`]{1,80})` failed",
        "the script or target {target}{script}{just} failed",
        "Correct it as its output shows; run it outside of the build to see more.",
    ),
)

PATTERNS = (*_COMMANDS, *_RESOURCES, *_CODE, *_FILES)
LATE = _PROGRAMS
"""Texts that also end other failures, so they are looked for last."""
