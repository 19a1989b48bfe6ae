"""What source files say whatever their language: ports listened on, variables read, health endpoints."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from container_kit.stages.analyze.claims import Draft
from container_kit.stages.analyze.folder import Folder
from container_kit.stages.analyze.lines import lines_with
from container_kit.stages.analyze.variables import read_variables
from container_kit.stages.artifacts.analysis import Variable

MAX_SCANNED = 30
"""Source files that are scanned in one module."""
MAX_CHARACTERS = 400_000
"""Characters that are scanned in one module."""

_PORT_WORDS = (
    "port",
    "PORT",
    "Port",
    "isten",
    "bind",
    "Bind",
    "erve(",
    "erver(",
    ".Run(",
    ".run(",
    ".Start(",
    "0.0.0.0",  # noqa: S104 - a word that is searched for
    "127.0.0.1",
    '":',
    "scotty",
    "warp",
    "htons",
    "Address(",
    "127,",
    "0, 0, 0",
    "[::]",
)
_HEALTH_WORDS = ("health", "live", "ready", "readi", "ping", "/up", "status", "heartbeat")

_NUMBER = r"(?P<port>\d{2,5})\b"
_PORTS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern), trust)
    for pattern, trust in (
        # a default beside a variable: process.env.PORT || 3000, getenv("PORT", 5000), ENV["PORT"] ?? 80, ${PORT:8080}
        (
            r"(?:env|ENV|Env|environ)[^\n;=]{0,40}?\b\w*PORT\b['\"\])}]*[^\n;=]{0,50}?(?:\|\||\?\?|\?:|,|\bor\b|\{|\bdefault\s*[=:])"
            r"[^\n;=\d]{0,25}?['\"`(:]?" + _NUMBER,
            0.93,
        ),
        (r"\bPORT\b['\"]?\s*(?:\|\||\?\?)\s*\(?['\"`]?" + _NUMBER, 0.93),
        (
            r"(?:var|env)(?:::var)?\w*\(\"\w*PORT\"\)[^;]{0,80}?(?:unwrap_or\w*|map_or\w*)\((?:\|_?\w*\|\s*)?\"?"
            + _NUMBER,
            0.93,
        ),
        (r"\$\{\w*PORT:-?" + _NUMBER + r"\}", 0.93),
        # a call that starts a server
        (
            r"(?:ListenAndServe(?:TLS)?|\.Run|\.Start|\.Listen|net\.Listen)\(\s*(?:\"tcp\"\s*,\s*)?[\"`][^\"`:\n]*:"
            + _NUMBER,
            0.92,
        ),
        (r"\.listen\(\s*(?:app\s*,\s*)?" + _NUMBER, 0.92),
        (r"\.listen\(\s*\{[^}]{0,80}?\bport\s*:\s*" + _NUMBER, 0.92),
        (
            r"\b(?:serve|createServer|run|run_server|run_app|runServer|start|Serve|embeddedServer|launch|listen|bind|bind_tcp|new)\b"
            r"\s*\(?[^\n;]{0,80}?\bport\s*[=:]\s*" + _NUMBER,
            0.9,
        ),
        (
            r"\b(?:HTTPServer|TCPServer|ThreadingHTTPServer|make_server|serve_forever|serve)\(\s*\(?\s*['\"][^'\"]*['\"]\s*,\s*"
            + _NUMBER,
            0.92,
        ),
        (r"InetSocketAddress\(\s*(?:\"[^\"]*\"\s*,\s*)?" + _NUMBER, 0.9),
        (
            r"\b(?:ServerSocket|Spark\.port|port|scotty|warp|runEnv|Warp\.run|Kemal\.run|bind_tcp|htons)[ (]\s*(?:\"[^\"]*\"\s*,\s*)?"  # noqa: E501 - one expression
            + _NUMBER,
            0.9,
        ),
        (r"(?:bind|try_bind|TcpListener::bind|from)\w*\(\s*&?\(?\s*\"[\d.]*:?" + _NUMBER + r"\"", 0.92),
        (r"\(?\[\s*(?:0|127)\s*,\s*0\s*,\s*0\s*,\s*[01]\s*\]\s*,\s*" + _NUMBER, 0.92),
        (r"\(\s*\"(?:0\.0\.0\.0|127\.0\.0\.1|localhost|::)\"\s*,\s*" + _NUMBER, 0.92),
        (r"[\"'`](?:https?://)?(?:0\.0\.0\.0|127\.0\.0\.1|\[::\]|\*|\+):" + _NUMBER + r"[\"'`/;]", 0.85),
        (r"[\"`]:" + _NUMBER + r"[\"`]", 0.8),
        # an option of the command line with its default
        (
            r"['\"](?:-p,?\s*)?-{0,2}(?:http[-_]?|listen[-_]?|server[-_]?|web[-_]?)?port\b(?:[ =]?<\w+>)?['\"][^\n]{0,80}?[\s(=,:'\"]"  # noqa: E501 - one expression
            + _NUMBER,
            0.82,
        ),
        # a name
        (r"(?:set\s+:port,|\.port\(|server\.port\s*=|\.Port\s*=|\bUsePort\()\s*" + _NUMBER, 0.9),
        (
            r"(?i:\b(?:http_?|server_?|listen_?|app_?|default_?)?port)\b['\"]?\s*(?::\s*\w+\s*)?(?::=|=>|=|:)\s*(?:\w+\()?['\"`:]*"
            + _NUMBER,
            0.75,
        ),
        (r"(?i:\bport)\s*(?:\|\||\?\?)\s*['\"]?" + _NUMBER, 0.8),
    )
)
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
        read_variables(found.variables, where, text)
    return found


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.startswith("test_") or any(
        sign in name for sign in ("_test.", ".test.", ".spec.", "_spec.", "tests.", ".d.ts", ".min.")
    )


_LIKELY = (
    "server",
    "main",
    "app",
    "index",
    "config",
    "settings",
    "application",
    "program",
    "run",
    "bin",
    "www",
    "api",
    "start",
    "boot",
    "env",
    "web",
    "puma",
    "route",
    "runtime",
    "wsgi",
)


def _likely(path: str) -> tuple[int, int]:
    name = path.rpartition("/")[2].lower()
    order = next((place for place, word in enumerate(_LIKELY) if word in name), len(_LIKELY))
    return order, path.count("/")


def _claim_ports(draft: Draft, where: str, text: str, *, near: bool) -> bool:
    """Claim what a file listens on; the first file that says so counts more than later ones."""
    claimed = False
    for number, line in lines_with(text, _PORT_WORDS):
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
    for number, line in lines_with(text, _HEALTH_WORDS):
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
