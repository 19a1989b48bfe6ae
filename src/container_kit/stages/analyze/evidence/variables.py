"""Environment variables that source files read, with their defaults, for each language."""

from __future__ import annotations

from container_kit.stages.analyze.evidence.line_search import lines_with
from container_kit.stages.artifacts.analysis import Variable
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.redaction import MASK, Redactor, looks_secret

_VARIABLE_WORDS = ("env", "ENV", "Env", "${", "config(")
_VARIABLES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (sign, re.compile(pattern))
    for sign, pattern in (
        (
            "env.",
            r"(?:process|Bun)\.env\.(?P<name>[A-Z][A-Z0-9_]+)(?P<must>!)?(?:\s*(?:\|\||\?\?)\s*(?P<default>[^\s;,)}]+))?",
        ),
        (
            "process.env[",
            r"process\.env\[\s*['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]\s*\](?P<must>!)?(?:\s*(?:\|\||\?\?)\s*(?P<default>[^\s;,)}]+))?",
        ),
        (
            "Deno.env",
            r"Deno\.env\.get\(\s*['\"](?P<name>\w+)['\"]\s*\)(?P<must>!)?(?:\s*(?:\|\||\?\?)\s*(?P<default>[^\s;,)}]+))?",
        ),
        ("os.environ[", r"(?P<must>os\.environ\[)\s*['\"](?P<name>\w+)['\"]"),
        (
            "env",
            r"(?:os\.environ\.get|os\.getenv|\bgetenv|\benviron\.get)\(\s*['\"](?P<name>\w+)['\"](?:\s*,\s*(?P<default>[^)\n]+))?",
        ),
        (
            "(",
            r"\b(?:config|env(?:\.\w+)?)\(\s*['\"](?P<name>[A-Z][A-Z0-9_]+)['\"](?:\s*,\s*(?:default\s*=\s*)?(?P<default>[^)\n]+))?",
        ),
        ("os.", r"os\.(?:Getenv|LookupEnv)\(\s*\"(?P<name>\w+)\""),
        ("System.getenv", r"System\.getenv\(\s*\"(?P<name>\w+)\""),
        ("${", r"\$\{(?P<name>[A-Z][A-Z0-9_]+)(?::(?P<default>[^}]*))?\}"),
        ("ENV[", r"ENV\[\s*['\"](?P<name>\w+)['\"]\s*\]\??(?:\s*\|\|\s*(?P<default>[^\s)]+))?"),
        (
            "ENV.fetch",
            r"(?P<must>ENV\.fetch\()\s*['\"](?P<name>\w+)['\"]\s*(?:\)\s*\{\s*(?P<default1>[^}\n]+)\}|,\s*(?P<default>[^)\n]+))?",
        ),
        ("$_", r"\$_(?:ENV|SERVER)\[\s*['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]\s*\](?:\s*\?\?\s*(?P<default>[^\s;]+))?"),
        (
            "env::var",
            r"env::var\(\s*\"(?P<name>\w+)\"\s*\)(?P<must>\s*\.\s*(?:unwrap|expect)\()?(?:\s*\.\s*unwrap_or\w*\((?:\|_?\|\s*)?(?P<default>[^)\n]+))?",
        ),
        ("System.get_env", r"System\.get_env\(\s*\"(?P<name>\w+)\"(?:\s*,\s*(?P<default>[^)\n]+))?"),
        ("System.fetch_env!", r"(?P<must>System\.fetch_env!\()\s*\"(?P<name>\w+)\""),
        (
            "GetEnvironmentVariable",
            r"Environment\.GetEnvironmentVariable\(\s*\"(?P<name>\w+)\"\s*\)(?:\s*\?\?\s*(?P<default>[^\s;,)]+))?",
        ),
        (
            "Platform.environment",
            r"Platform\.environment\[\s*['\"](?P<name>\w+)['\"]\s*\](?P<must>!)?(?:\s*\?\?\s*(?P<default>[^\s;,)]+))?",
        ),
    )
)
"""Text that every match contains, and the expression."""
_AMBIENT = {
    "NODE_ENV",
    "PATH",
    "HOME",
    "USER",
    "CI",
    "PWD",
    "SHELL",
    "LANG",
    "HOSTNAME",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "TMPDIR",
    "HTTP_HOST",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "DOCUMENT_ROOT",
    "REMOTE_ADDR",
    "TERM",
    "PUBLIC_URL",
    "BASE_URL",
    "APPDATA",
}
_ADDRESS = re.compile(r"_(?:URL|URI|DSN)$|^(?:DATABASE|REDIS|MONGO|DB)_")


def read_variables(known: dict[str, Variable], where: str, text: str) -> None:
    """Add the variables that a text reads, in any of the languages."""
    for number, line in lines_with(text, _VARIABLE_WORDS):
        for sign, pattern in _VARIABLES:
            for match in pattern.finditer(line) if sign in line else ():
                name, groups = match["name"], match.groupdict()
                if name in _AMBIENT or not name.isidentifier():
                    continue
                default = _plain(groups.get("default") or groups.get("default1"))
                raises = bool(groups.get("must"))
                if sign == "(" and where.endswith(".py"):
                    default, raises = _reader_default(name, line[match.start() :].partition(name)[2], text)
                must = default is None and (raises or bool(_ADDRESS.search(name)) or looks_secret(name))
                add_variable(known, name, must, default, f"{where}:{number}", _suggestion(name, line, required=must))
    if "BaseSettings" in text and where.endswith(".py"):
        _read_settings_class(known, where, text)


def _reader_default(name: str, rest: str, text: str) -> tuple[str | None, bool]:
    """Return the default of `config("NAME", …)` or `env("NAME", …)`, and whether the call raises without a value."""
    named = re.search(r"\bdefault\s*=\s*([^)\n]+)", rest)
    second = re.match(r"['\"]\s*,\s*([^)\n]+)", rest)
    if named or (second and not re.match(r"\w+\s*=", second[1])):
        given = named or second
        return _plain((given[1] if given else "").partition(", cast")[0]) or "", False
    if re.search(rf"\b{name}\s*=\s*\(", text):  # django-environ: Env(DEBUG=(bool, False))
        return "", False
    return None, True


def _suggestion(name: str, line: str, *, required: bool) -> str | None:
    """Return a safe value of a variable whose meaning is known from its name."""
    if re.search(r"ALLOWED_?HOSTS?$", name):
        if re.search(r":\s*(?:list|List|set|tuple)\[", line):
            return '["localhost", "127.0.0.1"]'
        return (" " if re.search(r"split\(\s*(?:['\"] ['\"])?\s*\)", line) else ",").join(("localhost", "127.0.0.1"))
    return "0" if required and re.search(r"(?:^|_)DEBUG$", name) else None


_SETTINGS_CLASS = re.compile(r"^class \w+\([^)\n]*\bBaseSettings\b[^)\n]*\):\n((?:(?:[ \t].*)?\n)+)", re.MULTILINE)
_FIELD = re.compile(r"^    (\w+)\s*:\s*([^=\n#]+?)\s*(?:=\s*(.+?))?\s*(?:#.*)?$")


def _is_required(value: str | None) -> bool:
    """Return whether a field of a settings class has no default."""
    if value is None:
        return True
    first = re.match(r"Field\(\s*(\.\.\.|\w+\s*=|\))", value)
    return first is not None and (first[1] == "..." or "default" not in value)


def _read_settings_class(known: dict[str, Variable], where: str, text: str) -> None:
    """Add the fields of pydantic's settings classes: each is a variable, required without a default."""
    for found in _SETTINGS_CLASS.finditer(text + "\n"):
        first = text.count("\n", 0, found.start(1)) + 1
        prefix = re.search(r"env_prefix\s*=\s*[\"'](\w*)[\"']", found[1])
        for number, line in enumerate(found[1].splitlines(), first):
            field = _FIELD.match(line)
            if field is None or field[1] == "model_config" or field[1].startswith("_") or "ClassVar" in field[2]:
                continue
            name = f"{prefix[1] if prefix else ''}{field[1]}".upper()
            required = _is_required(field[3])
            default = None if required else _plain(field[3]) or ""
            add_variable(
                known, name, required, default, f"{where}:{number}", _suggestion(name, line, required=required)
            )


def add_variable(
    variables: dict[str, Variable],
    name: str,
    required: bool,
    default: str | None,
    place: str,
    suggested: str | None = None,
) -> None:
    """Add one use of a variable."""
    if default and (looks_secret(name) or ("://" in default and "@" in default)):
        default = MASK
    default = Redactor()(default) if default else default
    known = variables.get(name)
    if known is None:
        variables[name] = Variable(
            name=name, required=required, default=default, suggested=suggested, locations=(place,)
        )
        return
    variables[name] = Variable(
        name=name,
        required=(known.required or required) and known.default is None and default is None,
        default=known.default or default,
        suggested=known.suggested or suggested,
        locations=tuple(dict.fromkeys((*known.locations, place)))[:3],
    )


def _plain(default: str | None) -> str | None:
    """Return a literal default as text. An expression is a default with an unknown value."""
    if default is None:
        return None
    text = default.strip()
    if found := re.match(r"['\"`]([^'\"`]*)['\"`]", text):
        return found[1][:100]
    if found := re.match(r"-?\d+\b|true\b|false\b|True\b|False\b", text):
        return found[0]
    return None if text in {"None", "null", "undefined", "nil"} else text[:40]
