"""What source files say whatever their language: ports that are listened on, variables that are read, health endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from container_kit.stages.analyze.claims import Draft
from container_kit.stages.analyze.folder import Folder
from container_kit.stages.artifacts.analysis import Variable
from container_kit.stages.redaction import MASK, Redactor, looks_secret

MAX_SCANNED = 30
"""Source files that are scanned in one module."""
MAX_CHARACTERS = 400_000
"""Characters that are scanned in one module."""

_PORT_WORDS = ("port", "PORT", "Port", "isten", "bind", "Bind", "erve(", "erver(", ".Run(", ".run(", ".Start(", "0.0.0.0", "127.0.0.1",
    '":', "scotty", "warp", "htons", "Address(", "127,", "0, 0, 0", "[::]")  # fmt: skip
_VARIABLE_WORDS = ("env", "ENV", "Env", "${", "config(")
_HEALTH_WORDS = ("health", "live", "ready", "readi", "ping", "/up", "status", "heartbeat")
_LONGEST_LINE = 400

_NUMBER = r"(?P<port>\d{2,5})\b"
_PORTS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern), trust)
    for pattern, trust in (
        # a default beside a variable: process.env.PORT || 3000, getenv("PORT", 5000), ENV["PORT"] ?? 80, ${PORT:8080}
        (r"(?:env|ENV|Env|environ)[^\n;=]{0,40}?\b\w*PORT\b['\"\])}]*[^\n;=]{0,50}?(?:\|\||\?\?|\?:|,|\bor\b|\{|\bdefault\s*[=:])"
         r"[^\n;=\d]{0,25}?['\"`(:]?" + _NUMBER, 0.93),
        (r"\bPORT\b['\"]?\s*(?:\|\||\?\?)\s*\(?['\"`]?" + _NUMBER, 0.93),
        (r"(?:var|env)(?:::var)?\w*\(\"\w*PORT\"\)[^;]{0,80}?(?:unwrap_or\w*|map_or\w*)\((?:\|_?\w*\|\s*)?\"?" + _NUMBER, 0.93),
        (r"\$\{\w*PORT:-?" + _NUMBER + r"\}", 0.93),
        # a call that starts a server
        (r"(?:ListenAndServe(?:TLS)?|\.Run|\.Start|\.Listen|net\.Listen)\(\s*(?:\"tcp\"\s*,\s*)?[\"`][^\"`:\n]*:" + _NUMBER, 0.92),
        (r"\.listen\(\s*(?:app\s*,\s*)?" + _NUMBER, 0.92),
        (r"\.listen\(\s*\{[^}]{0,80}?\bport\s*:\s*" + _NUMBER, 0.92),
        (r"\b(?:serve|createServer|run|run_server|run_app|runServer|start|Serve|embeddedServer|launch|listen|bind|bind_tcp|new)\b"
         r"\s*\(?[^\n;]{0,80}?\bport\s*[=:]\s*" + _NUMBER, 0.9),
        (r"\b(?:HTTPServer|TCPServer|ThreadingHTTPServer|make_server|serve_forever|serve)\(\s*\(?\s*['\"][^'\"]*['\"]\s*,\s*" + _NUMBER, 0.92),
        (r"InetSocketAddress\(\s*(?:\"[^\"]*\"\s*,\s*)?" + _NUMBER, 0.9),
        (r"\b(?:ServerSocket|Spark\.port|port|scotty|warp|runEnv|Warp\.run|Kemal\.run|bind_tcp|htons)[ (]\s*(?:\"[^\"]*\"\s*,\s*)?" + _NUMBER, 0.9),
        (r"(?:bind|try_bind|TcpListener::bind|from)\w*\(\s*&?\(?\s*\"[\d.]*:?" + _NUMBER + r"\"", 0.92),
        (r"\(?\[\s*(?:0|127)\s*,\s*0\s*,\s*0\s*,\s*[01]\s*\]\s*,\s*" + _NUMBER, 0.92),
        (r"\(\s*\"(?:0\.0\.0\.0|127\.0\.0\.1|localhost|::)\"\s*,\s*" + _NUMBER, 0.92),
        (r"[\"'`](?:https?://)?(?:0\.0\.0\.0|127\.0\.0\.1|\[::\]|\*|\+):" + _NUMBER + r"[\"'`/;]", 0.85),
        (r"[\"`]:" + _NUMBER + r"[\"`]", 0.8),
        # an option of the command line with its default
        (r"['\"](?:-p,?\s*)?-{0,2}(?:http[-_]?|listen[-_]?|server[-_]?|web[-_]?)?port\b(?:[ =]?<\w+>)?['\"][^\n]{0,80}?[\s(=,:'\"]" + _NUMBER, 0.82),
        # a name
        (r"(?:set\s+:port,|\.port\(|server\.port\s*=|\.Port\s*=|\bUsePort\()\s*" + _NUMBER, 0.9),
        (r"(?i:\b(?:http_?|server_?|listen_?|app_?|default_?)?port)\b['\"]?\s*(?::\s*\w+\s*)?(?::=|=>|=|:)\s*(?:\w+\()?['\"`:]*" + _NUMBER, 0.75),
        (r"(?i:\bport)\s*(?:\|\||\?\?)\s*['\"]?" + _NUMBER, 0.8),
    )
)  # fmt: skip
_NOT_OURS = {
    5432,
    3306,
    6379,
    27017,
    5672,
    9092,
    11211,
    9200,
    1433,
    2181,
    4222,
    1025,
    587,
    465,
    25,
    22,
    443,
    9042,
    7687,
}
"""Ports of databases, brokers and mail, which code names to connect to them."""

_VARIABLES: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:process|Bun)\.env\.(?P<name>[A-Z][A-Z0-9_]+)(?P<must>!)?(?:\s*(?:\|\||\?\?)\s*(?P<default>[^\s;,)}]+))?",
        r"process\.env\[\s*['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]\s*\](?P<must>!)?(?:\s*(?:\|\||\?\?)\s*(?P<default>[^\s;,)}]+))?",
        r"Deno\.env\.get\(\s*['\"](?P<name>\w+)['\"]\s*\)(?P<must>!)?(?:\s*(?:\|\||\?\?)\s*(?P<default>[^\s;,)}]+))?",
        r"(?P<must>os\.environ\[)\s*['\"](?P<name>\w+)['\"]",
        r"(?:os\.environ\.get|os\.getenv|\bgetenv|\benviron\.get)\(\s*['\"](?P<name>\w+)['\"](?:\s*,\s*(?P<default>[^)\n]+))?",
        r"\b(?:config|env(?:\.\w+)?)\(\s*['\"](?P<name>[A-Z][A-Z0-9_]+)['\"](?:\s*,\s*(?:default\s*=\s*)?(?P<default>[^)\n]+))?",
        r"os\.(?:Getenv|LookupEnv)\(\s*\"(?P<name>\w+)\"",
        r"System\.getenv\(\s*\"(?P<name>\w+)\"",
        r"\$\{(?P<name>[A-Z][A-Z0-9_]+)(?::(?P<default>[^}]*))?\}",
        r"ENV\[\s*['\"](?P<name>\w+)['\"]\s*\]\??(?:\s*\|\|\s*(?P<default>[^\s)]+))?",
        r"(?P<must>ENV\.fetch\()\s*['\"](?P<name>\w+)['\"]\s*(?:\)\s*\{\s*(?P<default1>[^}\n]+)\}|,\s*(?P<default>[^)\n]+))?",
        r"\$_(?:ENV|SERVER)\[\s*['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]\s*\](?:\s*\?\?\s*(?P<default>[^\s;]+))?",
        r"env::var\(\s*\"(?P<name>\w+)\"\s*\)(?P<must>\s*\.\s*(?:unwrap|expect)\()?(?:\s*\.\s*unwrap_or\w*\((?:\|_?\|\s*)?(?P<default>[^)\n]+))?",
        r"System\.get_env\(\s*\"(?P<name>\w+)\"(?:\s*,\s*(?P<default>[^)\n]+))?",
        r"(?P<must>System\.fetch_env!\()\s*\"(?P<name>\w+)\"",
        r"Environment\.GetEnvironmentVariable\(\s*\"(?P<name>\w+)\"\s*\)(?:\s*\?\?\s*(?P<default>[^\s;,)]+))?",
        r"Platform\.environment\[\s*['\"](?P<name>\w+)['\"]\s*\](?P<must>!)?(?:\s*\?\?\s*(?P<default>[^\s;,)]+))?",
    )
)
_AMBIENT = {"NODE_ENV", "PATH", "HOME", "USER", "CI", "PWD", "SHELL", "LANG", "HOSTNAME", "REQUEST_METHOD", "REQUEST_URI", "TMPDIR",
    "HTTP_HOST", "SCRIPT_NAME", "SERVER_NAME", "DOCUMENT_ROOT", "REMOTE_ADDR", "TERM", "PUBLIC_URL", "BASE_URL", "APPDATA"}  # fmt: skip
_ADDRESS = re.compile(r"_(?:URL|URI|DSN)$|^(?:DATABASE|REDIS|MONGO|DB)_")
_HEALTH = re.compile(
    r"[\"'`](?P<path>/?(?:api/)?(?:v\d/)?(?:-/)?(?:_?health(?:[_-]?check|z)?|livez?|liveness|readyz?|readiness|heartbeat|ping|up|status)/?)[\"'`]"
)
_HEALTH_ORDER = ("health", "live", "ready", "heartbeat", "ping", "up", "status")


@dataclass(slots=True)
class Scan:
    """What the scan gathered beside the draft's claims."""

    variables: dict[str, Variable] = field(default_factory=dict)


def scan(folder: Folder, draft: Draft, suffixes: tuple[str, ...], *, limit: int = MAX_SCANNED) -> Scan:
    """Scan the entry point and the outermost source files; claim ports and health endpoints."""
    found = Scan()
    entry = draft.entrypoint.value
    files = folder.files(*suffixes, limit=200, depth=14) if suffixes else []
    files = [path for path in files if not _is_test(path)]
    chosen = [path for path in (entry,) if path and folder.has(path)] + sorted(files, key=_likely)[:limit]
    serves, characters = False, 0
    for path in dict.fromkeys(chosen):
        text = folder.source(path)
        characters += len(text)
        if characters > MAX_CHARACTERS:
            break
        where = folder.place(path).rpartition(":")[0]
        if draft.role.value not in {"library", "static"}:
            serves = _claim_ports(draft, where, text, near=not serves) or serves
            _claim_health(draft, where, text)
        _read_variables(found, where, text)
    return found


def _lines(text: str, words: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The lines (with their numbers) that hold one of some words, each once; found by plain search, for that is fast."""
    starts: set[int] = set()
    for word in words:
        at = text.find(word)
        while at >= 0:
            starts.add(text.rfind("\n", 0, at) + 1)
            end = text.find("\n", at)
            at = text.find(word, end) if end >= 0 else -1
    number, before = 1, 0
    for start in sorted(starts):
        number += text.count("\n", before, start)
        before = start
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        if len(line) <= _LONGEST_LINE:
            yield number, line


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.startswith("test_") or any(
        sign in name for sign in ("_test.", ".test.", ".spec.", "_spec.", "tests.", ".d.ts", ".min.")
    )


_LIKELY = ("server", "main", "app", "index", "config", "settings", "application", "program", "run", "bin", "www", "api", "start", "boot",
    "env", "web", "puma", "route", "runtime", "wsgi")  # fmt: skip


def _likely(path: str) -> tuple[int, int]:
    name = path.rpartition("/")[2].lower()
    order = next((place for place, word in enumerate(_LIKELY) if word in name), len(_LIKELY))
    return order, path.count("/")


def _claim_ports(draft: Draft, where: str, text: str, *, near: bool) -> bool:
    """Claim what a file listens on; the first file that says so counts more than later ones."""
    claimed = False
    for number, line in _lines(text, _PORT_WORDS):
        for pattern, trust in _PORTS:
            found = pattern.search(line)
            if found and not _is_noise(int(found["port"]), line, found.start(), trust):
                worth = trust if near else trust - 0.1
                draft.port.add(int(found["port"]), "code", f"{where}:{number}", confidence=worth)
                claimed = True
                break
    return claimed


def _is_noise(port: int, line: str, at: int, trust: float) -> bool:
    if port in _NOT_OURS or port < 80 or port > 65535 or (port in {80, 443} and trust < 0.9):
        return True
    before = line[:at].lower()
    return (
        before.lstrip().startswith(("//", "#", "*", "--", "%", ";")) or "fetch(" in before or "connect" in line.lower()
    )


def _claim_health(draft: Draft, where: str, text: str) -> None:
    for number, line in _lines(text, _HEALTH_WORDS):
        for found in _HEALTH.finditer(line):
            path = "/" + found["path"].strip("/")
            order = next((i for i, word in enumerate(_HEALTH_ORDER) if word in path), 9)
            plain = not found["path"].startswith("/")
            routed = re.search(
                r"(?i)path\(|route|get[ (]|resource" if plain else r"(?i)get|route|path|handle|map|match|url|use|==",
                line,
            )
            if routed:
                draft.health.add(path, "code", f"{where}:{number}", confidence=0.88 - order * 0.06)


def _read_variables(found: Scan, where: str, text: str) -> None:
    for number, line in _lines(text, _VARIABLE_WORDS):
        for pattern in _VARIABLES:
            for match in pattern.finditer(line):
                name, groups = match["name"], match.groupdict()
                if name in _AMBIENT or not name.isidentifier():
                    continue
                default = _plain(groups.get("default") or groups.get("default1"))
                must = default is None and (
                    bool(groups.get("must")) or bool(_ADDRESS.search(name)) or looks_secret(name)
                )
                note_variable(found.variables, name, must, default, f"{where}:{number}")


def note_variable(variables: dict[str, Variable], name: str, required: bool, default: str | None, place: str) -> None:
    """Add what one place says of a variable to what is known of it."""
    if default and (looks_secret(name) or ("://" in default and "@" in default)):
        default = MASK
    default = Redactor()(default) if default else default
    known = variables.get(name)
    if known is None:
        variables[name] = Variable(name=name, required=required, default=default, places=(place,))
        return
    variables[name] = Variable(
        name=name,
        required=(known.required or required) and not (known.default or default),
        default=known.default or default,
        places=tuple(dict.fromkeys((*known.places, place)))[:3],
    )


def _plain(default: str | None) -> str | None:
    """A literal default as text; an expression counts as a default that is not told."""
    if default is None:
        return None
    text = default.strip()
    if found := re.match(r"['\"`]([^'\"`]*)['\"`]", text):
        return found[1][:100]
    if found := re.match(r"-?\d+\b|true\b|false\b|True\b|False\b", text):
        return found[0]
    return None if text in {"None", "null", "undefined", "nil"} else text[:40]
