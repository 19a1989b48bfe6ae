"""Required environment variables that are not set, or whose value the application rejects."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.placeholder import placeholder
from container_kit.stages.deploy.failures.crash import Crash

VARIABLE_NOT_FOUND = FaultCode(
    "deploy.variable_not_found",
    means="The application exited because a required environment variable is not set.",
    hint="Set {name} in env, or in env_file if it is a secret.",
)
VARIABLE_INVALID = FaultCode(
    "deploy.variable_invalid",
    means="The application rejects the value of an environment variable.",
    hint="Correct {name} in env or in env_file: {problem}.",
)

_NAME = r"[A-Z][A-Z0-9_]{1,80}"
_LONG = r"[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){1,8}"
_MISSING = tuple(
    re.compile(expression, re.MULTILINE)
    for expression in (
        rf"KeyError: ['\"](?P<name>{_NAME})['\"]",
        rf"(?P<name>{_NAME}) not found\. Declare it as envvar",
        rf"[Ee]nvironment variable(?: not found:?| (?:is )?missing:?)? [\"'`]?(?P<name>{_NAME})[\"'`]?",
        rf"(?:[Mm]issing|[Rr]equired|[Uu]ndefined|[Uu]nset|must set|[Nn]eed|please set|Please set|set the)[^\n]{{0,60}}?\b(?P<name>{_LONG})\b",
        rf"\b(?P<name>{_LONG})\b[\"'`]?[^\n]{{0,40}}?(?:not (?:set|defined|found|configured|provided)|(?:is|was) (?:required|missing|undefined|empty)|(?:must|needs? to|has to) be|must not be empty|Required|cannot be (?:empty|blank|undefined))",
        rf"key not found: \"(?P<name>{_NAME})\"",
        r"The (?P<name>SECRET_KEY) setting must not be empty|Missing `?(?P<base>secret_key_base)`?",
        rf"Could not resolve placeholder '(?P<name>{_NAME})'|Undefined (?:array key|index):? \"?(?P<index>{_NAME})",
        r"ArgumentNullException[^\n]{0,80}'(?P<name>connectionString|[\w:]{3,60})'",
    )
)
_FIELDS = re.compile(r"validation errors? for \w{1,80}\n(?P<fields>(?:[^\n]{1,300}\n){1,60})")
_FIELD = re.compile(r"^(?P<name>[A-Za-z]\w{0,80})\n {2}Field required", re.MULTILINE)
_ZOD = re.compile(rf"(?P<name>{_NAME})['\"]?:? \[? ?['\"]?(?:Required|Invalid input: expected)")
_SHELL = re.compile(
    rf"^\S{{1,200}}: (?:line )?\d{{1,6}}: (?P<name>{_NAME}): (?:parameter not set|unbound variable|[^\n]{{0,80}}(?:not set|null|required))",
    re.MULTILINE,
)
_INVALID = tuple(
    re.compile(expression, re.MULTILINE)
    for expression in (
        r"(?P<problem>Could not parse (?:SQLAlchemy|rfc1738) URL[^\n]{0,120})",
        r"(?P<problem>ValueError: invalid literal for int\(\) with base 10: '[^'\n]{0,60}')",
        rf"(?P<problem>(?:Invalid|invalid)[^\n]{{0,40}}(?P<name>{_LONG})[^\n]{{0,100}})",
        r"(?P<problem>the URL must start with the protocol[^\n]{0,100}|TypeError: Invalid URL[^\n]{0,60}|Invalid (?:URL|connection string|port)[^\n]{0,100})",
        r"(?P<problem>Fernet key must be 32[^\n]{0,80}|(?:supported )?(?:Unsupported cipher or incorrect key length|key length)[^\n]{0,80})",
        r"(?P<problem>RangeError \[ERR_SOCKET_BAD_PORT\][^\n]{0,120}|ERR_INVALID_URL[^\n]{0,60})",
    )
)
_NOT_NAMES = frozenset(
    {"NODE_MODULE_VERSION", "MODULE_NOT_FOUND", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "EOF", "HTTP", "HTTPS", "JSON", "URL",
     "ERR_MODULE_NOT_FOUND", "SQL", "API", "PATH"}
)  # fmt: skip
_ENV_FILES = (".env", ".env.local", ".env.production", ".env.development")


def explain_variables(crash: Crash) -> StageFailure | None:
    """Create the fault of required variables that are not set; None if the log names none."""
    named = [name for name in dict.fromkeys(_named(crash)) if name not in crash.environment]
    if not named:
        return None
    names = list(dict.fromkeys((*named, *crash.missing)))[:20]
    where = crash.locate()
    listing = ", ".join(names)
    verb = "is" if len(names) == 1 else "are"
    evidence = [Evidence(kind="file", text=f"requires {listing}", where=where)] if where else []
    return VARIABLE_NOT_FOUND(
        f"{crash.app} exited because {listing} {verb} not set" + (f" ({where})" if where else ""),
        evidence=evidence,
        next_actions=list(_actions(crash, names)),
        name=listing,
    )


def _named(crash: Crash) -> Iterator[str]:
    for name in crash.missing:
        if re.search(rf"\b{re.escape(name)}\b", crash.log):
            yield name
    for fields in _FIELDS.finditer(crash.log):
        yield from (match["name"].upper() for match in _FIELD.finditer(fields["fields"]))
    for expression in (*_MISSING, _ZOD, _SHELL):
        for match in expression.finditer(crash.log):
            name = next((value for value in match.groupdict().values() if value), "")
            name = "SECRET_KEY_BASE" if name == "secret_key_base" else name
            if not _is_name(name):
                continue
            yield name
            end = match.string.find("\n", match.end())
            rest = match.string[match.end() : end if end >= 0 else None][:500]
            yield from (more for more in re.findall(rf"\b{_LONG}\b", rest) if _is_name(more))


def _is_name(name: str) -> bool:
    return name.isupper() and name not in _NOT_NAMES and not name.startswith(("ERR_", "SQLSTATE", "E_", "GLIBC"))


def _actions(crash: Crash, names: list[str]) -> Iterator[NextAction]:
    for file in _ENV_FILES:
        if set(names) <= _names_in(crash, file):
            yield NextAction(why=f"{file} has the values of {', '.join(names)}", arguments={"env_file": file})
            break
    env = {name: placeholder(name) for name in names}
    yield NextAction(why="Replace each placeholder by the real value", arguments={"env": dict(env)})


def _names_in(crash: Crash, file: str) -> set[str]:
    """Return the names with a value in an environment file of the source tree."""
    if crash.root is None or not (crash.root / file).is_file():
        return set()
    try:
        lines = (crash.root / file).read_text("utf-8-sig").splitlines()[:1000]
    except (OSError, UnicodeDecodeError):
        return set()
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip() for name, _, value in pairs if value.strip()}


def explain_invalid(crash: Crash) -> StageFailure | None:
    """Create the fault of a variable whose value the application rejects; None if the log shows none."""
    for expression in _INVALID:
        match = expression.search(crash.log)
        if match is None:
            continue
        groups, problem = match.groupdict(), match["problem"].strip()
        name = groups.get("name") or _guess(crash, problem)
        if name is None:
            return None
        where = crash.locate()
        why = f"Give {name} a valid value"
        return VARIABLE_INVALID(
            f"{crash.app} rejects the value of {name}: {problem}" + (f" ({where})" if where else ""),
            evidence=[Evidence(kind="log", text=problem[:500], where=where)],
            next_actions=[NextAction(why=why, arguments={"env": {name: placeholder(name)}})],
            name=name,
            problem=problem,
        )
    return None


def _guess(crash: Crash, problem: str) -> str | None:
    words = {"port": "PORT", "URL": "URL", "Fernet": "KEY", "int()": "PORT", "connection string": "URL"}
    wanted = next((word for text, word in words.items() if text in problem), None)
    names = sorted(name for name in crash.environment if wanted and wanted in name)
    return names[0] if names else wanted if wanted == "PORT" else None
