"""Causes at the start: the command, its file, its interpreter and the processor."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.deploy.failures.cause import Cause, Facts, cause
from container_kit.stages.deploy.failures.crash import Crash

_LF = (
    "Save {script} with Unix line ends (`sed -i 's/\\r$//' {script}`, `*.sh text eol=lf` in .gitattributes), or add "
    "`RUN sed -i 's/\\r$//' {script}` after its COPY"
)


def _has_windows_line_ends(crash: Crash, facts: Facts) -> bool:
    path = crash.in_source(facts["script"]) if facts["script"] else None
    if path is None or crash.root is None:
        return "\r" in facts["script"] or facts["certain"] != ""
    facts["script"] = path
    with (crash.root / path).open("rb") as file:
        return file.readline(300).endswith(b"\r\n")


def _is_not_executable(crash: Crash, facts: Facts) -> bool:
    path = crash.in_source(facts["script"])
    if path is None or crash.root is None:
        return crash.exit_code == 126
    facts["script"] = path
    return not (crash.root / path).stat().st_mode & 0o111


def _has_other_interpreter(crash: Crash, facts: Facts) -> bool:
    """Return whether the script is in the source tree, so that only its interpreter can be missing."""
    path = crash.in_source(facts["script"])
    if path is None or crash.root is None:
        return False
    with (crash.root / path).open("rb") as file:
        line = file.readline(300).decode(errors="replace")
    facts["program"] = line.removeprefix("#!").strip()
    return line.startswith("#!") and not line.endswith("\r\n")


INTERPRETER = cause(
    "deploy.interpreter_not_found",
    "A script needs an interpreter or shell that the image does not have.",
    (
        r"env: [‘']?(?P<program>[\w.+-]{1,60})[’']?: No such file or directory",
        r"env: can't execute '(?P<program>[\w.+-]{1,60})'",
        r"(?P<program>/(?:usr/)?bin/[\w.-]{1,40}): bad interpreter",
        r"exec: \"(?P<program>(?:/bin/)?(?:bash|sh|ash|zsh))\": [^\n]{0,80}(?:not found|no such file)",
    ),
    "the image has no interpreter {program}",
    "Install {program} in the final stage, or start the script with an interpreter that the image has (`#!/bin/sh`)",
)

CAUSES = (
    cause(
        "deploy.line_endings",
        "A script of the start has Windows line ends.",
        (
            r"(?:exec|stat)(?: container process)? [\"`']?(?P<script>/[^\s\"`':]{1,300})[\"`']?: no such file or directory",
            r"exec: \"(?P<script>[^\"]{1,300})\": stat [^\n]{1,300}: no such file",
            r"exec (?P<script>[\w./-]{1,300}) failed: No such file",
            r"env: [‘'](?P<certain>\w{1,30})\\r[’']: No such file",
            r"(?P<script>/[^\s:]{1,300}): (?:line \d{1,6}: |\d{1,6}: )?(?P<certain>\$'\\r': command not found)",
            r"(?P<script>/[^\s:]{1,300}): (?:\d{1,6}: )?(?P<certain>set: Illegal option -)\s{0,2}$",
            r"(?P<script>/[^\s:]{1,300}): (?:line \d{1,6}: )?(?P<certain>[^\n]{1,100}\^M): bad interpreter",
            r"(?P<script>/[^\s:]{1,300}): (?:not found|No such file or directory)$",
            r"(?P<certain>cannot execute: required file not found)",
            r"can't execute '(?P<certain>\w{1,30})\r'|(?P<script>/[^\s:]{1,300}): line 1: [^\n]{0,60}\r",
        ),
        "{script} has Windows line ends, so the kernel does not find its interpreter (line 1)",
        _LF,
        when=_has_windows_line_ends,
    ),
    cause(
        "deploy.not_executable",
        "The start command is a file without execute permission.",
        (
            r"exec: \"(?P<script>[^\"]{1,300})\": permission denied",
            r"exec (?P<script>/[^\s:]{1,300})(?: failed)?: [Pp]ermission denied",
            r"(?P<script>/[^\s:]{1,300}): [Pp]ermission denied$",
        ),
        "{script} is not executable",
        "Run `git update-index --chmod=+x {script}` (or `chmod +x`), or copy it with `COPY --chmod=755 {script} …`",
        when=_is_not_executable,
    ),
    cause(
        "deploy.user_not_found",
        "The image's user does not exist in the image.",
        (
            r"unable to find user (?P<user>[^\s:]{1,60}): no matching entries",
            r"unable to find group (?P<user>[^\s:]{1,60})",
        ),
        "the user {user} does not exist in the image",
        "Create the user before USER (`RUN useradd --system {user}`), or write a numeric id in USER",
    ),
    INTERPRETER,
    Cause(
        INTERPRETER.code,
        (
            re.compile(
                r"exec: \"?(?P<script>[\w./-]{1,200})\"?: (?:not found|stat [^\n]{1,200}: no such|no such file)"
            ),
            re.compile(r"exec (?P<script>[\w./-]{1,200})(?: failed)?: [Nn]o such file or directory"),
        ),
        INTERPRETER.message,
        INTERPRETER.repair,
        when=_has_other_interpreter,
    ),
    cause(
        "deploy.wrong_architecture",
        "The image is for another processor architecture.",
        (r"[Ee]xec format error", r"cannot execute binary file", r"rosetta error", r"Illegal instruction"),
        "{image} cannot run on this processor, or its start is a script without a `#!` line",
        "Build the image for this machine's architecture (no --platform), and start scripts with `#!/bin/sh`",
    ),
    cause(
        "deploy.development_command",
        "The start needs a development dependency that is not in the image.",
        (
            r"(?:^|: )(?P<command>nodemon|tsx|ts-node(?:-dev)?|vite|next|nuxt|nest|ng|webpack|tsc|react-scripts|concurrently|cross-env|dotenv|serve|astro|remix-serve|rails|rake|watchmedo|pipenv|poetry|uv|pdm|pnpm|yarn|bun): (?:command )?not found",
            r"exec: \"(?P<command>nodemon|tsx|ts-node(?:-dev)?|vite|next|nest|serve|pipenv|poetry|uv|pdm|pnpm|yarn|bun)\": executable file not found",
            r"exec (?P<command>nodemon|tsx|ts-node(?:-dev)?|vite|next|nest|serve|pipenv|poetry|uv|pdm|pnpm|yarn|bun) failed: No such file",
        ),
        "the start needs {command}, which is not in the final image",
        "Start the built result with its interpreter (`node dist/…`, `python -m …`), or move {command} from the development "
        "dependencies to the dependencies",
    ),
    cause(
        "deploy.script_not_found",
        "The start names a script that the manifest does not have.",
        (
            r"npm (?:error|ERR!) Missing script: \"(?P<script>[^\"]{1,80})\"",
            r"ERR_PNPM_NO_SCRIPT[^\n]{0,40}: (?P<script>\S{1,80})",
            r"error Command \"(?P<script>[^\"]{1,80})\" not found",
            r"Couldn't find a script named \"(?P<script>[^\"]{1,80})\"",
            r"Script not found \"(?P<script>[^\"]{1,80})\"",
            r"Unknown command: '?(?P<script>[\w:-]{1,60})'?|Command \"(?P<artisan>[^\"]{1,80})\" is not defined",
            r"Don't know how to build task '(?P<script>[^']{1,100})'",
        ),
        "there is no script or command {script}{artisan}",
        "Define the script {script}{artisan}, or correct the start command",
    ),
    cause(
        "deploy.command_not_found",
        "The image's start command is not in the image or may not be executed.",
        (
            r"exec: \"?(?P<command>[^\"\s]{1,200})\"?: (?:executable file not found|stat [^\n]{1,200}: no such file|no such file)",
            r"exec (?P<command>/?[\w./-]{1,200})[^\n]{0,20}: no such file or directory",
            r"(?:^|: )(?:exec: )?(?P<command>[\w./@+-]{1,200}): (?:command )?not found$",
            r"stat (?P<command>/[\w./-]{1,200}): no such file",
            r"exec (?P<command>[\w./@+-]{1,200}) failed: No such file",
        ),
        "the start command {command} is not in the image",
        "Install {command} in the final stage, or correct CMD or ENTRYPOINT",
        when=lambda crash, _: crash.exit_code in (None, 126, 127),
    ),
    cause(
        "deploy.arguments_invalid",
        "The program rejects the arguments of the start command.",
        (
            r"error: unrecognized arguments: (?P<arguments>[^\n]{1,120})",
            r"error: (?P<arguments>argument [^\n]{1,120})",
            r"Error: No such (?P<arguments>(?:option|command)[^\n]{1,100})",
            r"(?P<arguments>flag provided but not defined: [^\n]{1,80})",
            r"bad option: (?P<arguments>[^\n]{1,80})|[Uu]nknown (?:option|argument|flag):? (?P<more>[^\n]{1,80})",
            r"Error: Invalid value for (?P<arguments>[^\n]{1,100})|error: the following arguments are required: (?P<more>[^\n]{1,80})",
            r"Error: '?(?P<arguments>\$\{?PORT\}?)'? is not a valid port|'(?P<more>\$\{?PORT\}?)' is not a valid (?:integer|port)",
        ),
        "the start command has arguments that the program rejects: {arguments}{more}",
        "Correct the arguments of CMD; a variable such as $PORT is only expanded by a shell (`CMD exec … $PORT`)",
    ),
)
