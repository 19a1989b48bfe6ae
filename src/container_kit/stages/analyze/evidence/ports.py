"""Find the ports that an application listens on in the lines of its source files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from container_kit.stages.analyze.evidence.line_search import statements_with
from container_kit.stages.contract import expressions as re

MAX_LINES = 300
"""The lines of a file to match; a file with more candidates is data."""
_OTHER_WORDS = ("import", "export")
_WORDS = (
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
    "0.0.0.0",  # noqa: S104 - a search word
    "127.0.0.1",
    "localhost:",
    '":',
    "scotty",
    "warp",
    "Warp",
    "run ",
    "tart(",
    "lookupEnv",
    "htons",
    "ndpoint(",
    "Address(",
    "127,",
    "0, 0, 0",
    "[::]",
    "Http(",
    "default_value",
)
_NUMBER = r"(?P<port>\d{2,5})\b"
_ARITHMETIC = re.compile(r"\s*[+*%<>]|\.\d")
"""After a number, it is not a port: `3000 + 1`, `10.5`. Expressions with lookahead would not match in linear time."""
_DIGITS = re.compile(r"\d\d")
_GOES_ON = re.compile(
    r"PORT|\bport\b|default_value|default \{|\b(?:listen|serve|run|run_server|createServer|start|Serve|embeddedServer"
    r"|startStandaloneServer|launch)\("
)
"""The beginnings of statements that may name the port on a later line."""
_NAME = r"\b(?P<name>(?:[A-Za-z]\w*[_.])?(?:port|PORT)|(?:[A-Za-z]\w*)?Port)\b"
"""A name with the separate word port: `port`, `API_PORT`, `httpPort`; not `report`."""
_VARIABLE = r"(?P<name>\w*PORT)\b"
_OR = r"(?:\|\||\?\?|\?:|,|\bor\b|\{|\bdefault\s*[=:])"

_LINES = tuple(
    (re.compile(pattern), trust)
    for pattern, trust in (
        # the default of a variable: process.env.PORT || 3000, getenv("PORT", 5000), ENV["PORT"] ?? 80, ${PORT:8080}
        (
            (
                rf"(?:env|ENV|Env|environ)[^\n;=]{{0,40}}?{_VARIABLE}['\"\])}}]*[^\n;=]{{0,50}}?{_OR}"
                rf"[^\n;=\d]{{0,25}}?['\"`(:]?{_NUMBER}"
            ),
            0.93,
        ),
        (rf"{_VARIABLE}['\"]?\s*(?:\|\||\?\?)\s*\(?['\"`]?{_NUMBER}", 0.93),
        (
            (
                rf"(?:var|env)(?:::var)?\w*\(\"{_VARIABLE}\"\)[^;]{{0,80}}?(?:unwrap_or\w*|map_or\w*)"
                rf"\((?:\|_?\w*\|\s*)?\"?{_NUMBER}"
            ),
            0.93,
        ),
        (rf"\$\{{{_VARIABLE}:-?{_NUMBER}\}}", 0.93),
        (rf"\{{\s*(?P<name>\w*port)\s*,\s*{_NUMBER}\s*\}}", 0.88),
        (rf"\"{_VARIABLE}\"\s+\"?{_NUMBER}", 0.92),
        (rf"\(or\s[^\n]{{0,40}}?\bport\b[^\n]{{0,40}}?[\s\"]{_NUMBER}\"?\)", 0.92),
        # a default in a schema of variables: zod, joi, envalid; tags of a Go structure; viper
        (rf"{_VARIABLE}['\"]?\s*[:=][^\n]{{0,120}}?\.default\(\s*['\"]?{_NUMBER}", 0.93),
        (rf"{_VARIABLE}['\"]?\s*:\s*[\w.]*\(\s*\{{[^}}\n]*?\bdefault\s*:\s*['\"]?{_NUMBER}", 0.93),
        (rf"env(?:config)?:\"{_VARIABLE}[^`]{{0,80}}?(?i:default):\":?{_NUMBER}", 0.93),
        (rf"(?i:default):\":?{_NUMBER}\"[^`]{{0,80}}?env(?:config)?:\"{_VARIABLE}", 0.93),
        (
            r"SetDefault\(\s*\"(?P<name>[\w.-]*(?i:port|addr(?:ess)?|listen))\"\s*,\s*\"?(?:[\w.]*:)?" + _NUMBER,
            0.92,
        ),
        # a call that starts a server
        (
            r"(?:ListenAndServe(?:TLS)?|\.Run|\.Start|\.Listen|net\.Listen)\(\s*(?:\"tcp\"\s*,\s*)?[\"`][^\"`:\n]*:"
            + _NUMBER,
            0.92,
        ),
        (r"\.listen\(\s*(?:app\s*,\s*)?['\"]?" + _NUMBER, 0.935),
        (r"\.Run\(\s*\"https?://[^\":/]+:" + _NUMBER, 0.93),
        (r"\.listen\(\s*\{[^}]{0,80}?\bport\s*:\s*" + _NUMBER, 0.92),
        (
            r"\b(?:serve|createServer|run|run_server|run_app|runServer|start|Serve|embeddedServer|launch|listen|bind|bind_tcp|new)\b"
            r"\s*\(?[^\n;]{0,80}?\bport\s*[=:]\s*['\"]?" + _NUMBER,
            0.9,
        ),
        (
            r"\b(?:HTTPServer|TCPServer|ThreadingHTTPServer|make_server|serve_forever|serve)\(\s*\(?\s*['\"][^'\"]*['\"]\s*,\s*"
            + _NUMBER,
            0.92,
        ),
        (r"\b(?:serve|bindAndHandle\w*)\(\s*\w[\w.()]*\s*,\s*['\"\w.]+\s*,\s*" + _NUMBER + r"\s*[,)]", 0.92),
        (r"(?:InetSocketAddress|\bendpoint)\(\s*(?:(?:\"[^\"]*\"|[\w:]+\(\))\s*,\s*)?" + _NUMBER, 0.9),
        (r"\bhtons\([^;\n]*\?(?:[^?:;\n]|::)*:\s*" + _NUMBER, 0.92),
        (
            r"\b(?:ServerSocket|Spark\.port|port|scotty|warp|runEnv|Warp\.run|Kemal\.run|bind_tcp|htons)[ (]\s*(?:\"[^\"]*\"\s*,\s*)?"  # noqa: E501 - one expression
            + _NUMBER,
            0.9,
        ),
        (r"\bnew\s+\w*(?:App|Server)\w*\((?:[^\n;]{0,60}?\D)?(?P<port>\d{4,5})\s*,?\s*\)", 0.85),
        (r"\bserve\(\s*Port\(\s*" + _NUMBER, 0.92),
        (r"\b(?:vweb|veb)\.run\w*[^\n(]*\([^\n]*?,\s*" + _NUMBER, 0.92),
        (r"\.start\(\s*" + _NUMBER + r"\s*\)", 0.9),
        (r"withPort\(\s*(?:port|Port\.fromInt\()?\s*\"?" + _NUMBER, 0.92),
        (r"=\s*(?:Warp\.)?run(?:Env)?\s+" + _NUMBER + r"\s", 0.88),
        (r"\bport\s*<?[-=]\s*fromMaybe\s+" + _NUMBER, 0.92),
        (r"\bmaybe\s+" + _NUMBER + r"\s+read\b", 0.92),
        (r"\b(?:SunHttp|Jetty|Netty|Undertow|KtorCIO|KtorNetty|ApacheServer|Helidon)\(\s*" + _NUMBER, 0.9),
        (r"(?:bind|try_bind|TcpListener::bind|from)\w*\(\s*&?\(?\s*\"[\d.]*:?" + _NUMBER + r"\"", 0.92),
        (r"\(?\[\s*(?:0|127)\s*,\s*0\s*,\s*0\s*,\s*[01]\s*\]\s*,\s*" + _NUMBER, 0.92),
        (r"\(\s*[\"'](?:0\.0\.0\.0|127\.0\.0\.1|localhost|::|\*)[\"']\s*,\s*" + _NUMBER, 0.92),
        (r"[\"'`](?:https?://)?(?:0\.0\.0\.0|127\.0\.0\.1|\[::\]|\*|\+):" + _NUMBER + r"[\"'`/;]", 0.85),
        (r"[\"`]:" + _NUMBER + r"[\"`]", 0.8),
        (r"[\"`]localhost:" + _NUMBER + r"[\"`]", 0.78),
        (r"#define\s+(?P<name>\w*PORT\w*)\s+" + _NUMBER, 0.85),
        # an option of the command line with its default
        (
            r"['\"](?:-p,?\s*)?-{0,2}(?:http[-_]?|listen[-_]?|server[-_]?|web[-_]?)?port\b(?:[ =]?<\w+>)?['\"][^\n]{0,80}?[\s(=,:'\"]"  # noqa: E501 - one expression
            + _NUMBER,
            0.82,
        ),
        # a name
        (r"(?:set\s+:port,|\.port\(|server\.port\s*=|\.Port\s*=|\bUsePort\()\s*['\"]?" + _NUMBER, 0.9),
        (rf"{_NAME}\s*=\s*[^;\n?]{{1,80}}\?[^?.:\n;](?:[^?:\n;]|::)*:\s*['\"]?{_NUMBER}", 0.9),
        (rf"{_NAME}['\"]?\s*(?::\s*\w+\s*)?(?::=|=>|=|:)\s*(?:\w+\()?['\"`:]*{_NUMBER}", 0.75),
        (rf"{_NAME}\s*(?:\|\||\?\?)\s*['\"]?{_NUMBER}", 0.8),
        (rf"\bport_\w+\s*=\s*{_NUMBER}", 0.7),
    )
)
_STATEMENTS = tuple(
    (re.compile(pattern), trust)
    for pattern, trust in (
        (
            (
                r"(?:\benv|ENV|Env|environ|etenv|get_env|var|ookupEnv)\w*[^;{}=]{0,30}?"
                rf"{_VARIABLE}['\"]?\s*\)?[^;{{}}]{{0,160}}?(?:unwrap_or\w*|or_else|map_or\w*|getOrElse|orElse|\?\?|\|\||\?:)"
                rf"\(?\s*(?:\|_?\w*\|\s*)?['\"]?{_NUMBER}"
            ),
            0.93,
        ),
        (
            (
                rf"(?P<held>\b\w+)\b[^;=]{{0,20}}=[^;]{{0,60}}?(?:Getenv|LookupEnv)\(\"{_VARIABLE}\"\)\)?\s*"
                rf"if\s[^{{]{{0,40}}\{{[^}}]{{0,160}}?\b(?P=held)\s*=\s*\"?:?{_NUMBER}"
            ),
            0.93,
        ),
        (rf"{_VARIABLE}['\"]?\s*:\s*[^;}}]{{0,160}}?\.default\(\s*['\"]?{_NUMBER}", 0.93),
        (
            rf"\b(?:port|PORT)['\"]?\s*:\s*\{{[^{{}}]{{0,240}}?\bdefault['\"]?\s*:\s*['\"]?{_NUMBER}",
            0.9,
        ),
        (rf"export default \{{[^}}]{{0,120}}?\bport\s*:\s*{_NUMBER}", 0.92),
        (
            (
                r"\b(?:listen|serve|run|run_server|createServer|start|Serve|embeddedServer|startStandaloneServer|launch)"
                rf"\(\s*[^;()]{{0,160}}?\bport\s*[:=]\s*['\"]?{_NUMBER}"
            ),
            0.92,
        ),
        (
            (
                r"default_value(?:_t)?\s*=\s*\"?(?:[\w.]*:|\[::\]:)?"
                rf"{_NUMBER}[^;{{}}]{{0,40}}?\]\s*(?:pub\s+)?(?P<name>\w*(?:port|addr\w*|listen\w*|bind\w*))\s*:"
            ),
            0.88,
        ),
        (
            rf"['\"]--?(?:http-|listen-|server-|web-)?port['\"][^;]{{0,160}}?\bdefault\s*=\s*(?:int\()?['\"]?{_NUMBER}",
            0.82,
        ),
        (rf"\bport\s*:\s*int\s*=\s*\w+(?:\.\w+)?\(\s*{_NUMBER}", 0.82),
    )
)
_FOREIGN_NAME = re.compile(
    r"(?:^|_)(?:db|database|sql|mysql|maria\w*|pg|postgres\w*|mongo\w*|redis|cache|memcached?|smtp|e?mail|imap|pop3?|ftp"
    r"|ssh|ldap|amqp|rabbit\w*|mq|mqtt|kafka|nats|broker|elastic\w*|es|opensearch|proxy|debug\w*|inspect\w*|metrics?"
    r"|prometheus|statsd|influx\w*|graphite|jaeger|otel|zipkin|vault|consul|etcd|zookeeper|zk|minio|neo4j|cassandra"
    r"|clickhouse|remote|target|upstream|client|peer|test|mock|source|dest\w*|livereload|hmr|selenium|chrome|frontend"
    r"|min|max|start|end|base|master|worker|src|dst|udp|management|ui|grpc)_?(?:\w*_)?port$"
)
FOREIGN_PORTS = frozenset(
    [22, 25, 110, 143, 389, 443, 465, 587, 636, 993, 995, 1025, 1433, 2181, 3306, 4222, 5432, 5672, 6379]
) | frozenset([7687, 9042, 9092, 9200, 11211, 26379, 27017])
"""Ports of databases, brokers and mail servers, which clients connect to."""
_BACKLOGS = frozenset([100, 128, 200, 256, 500, 511, 512, 1000, 1024, 2048])
"""The usual values of the backlog argument of `listen`."""
_COMMENTS = ("//", "#", "*", "--", "%", ";")
_PARENT = re.compile(
    r"(?i)\b(?:redis|mongo\w*|database|db|postgres\w*|mysql|smtp|e?mail|kafka|rabbit\w*|amqp|proxy|cache|elastic\w*)\b"
)


def ports_in(text: str) -> Iterator[tuple[int, int, float]]:
    """Return the likely listening ports of a text, each with its line and confidence."""
    before = ""
    for number, line, statement in islice(statements_with(text, _WORDS, _DIGITS, _OTHER_WORDS), MAX_LINES):
        found = _first(_LINES, line, line, before) if _DIGITS.search(line) else None
        if found is None and _GOES_ON.search(line):
            found = _first(_STATEMENTS, statement, line.strip(), before)
        before = line
        if found:
            yield found[0], number, found[1]


def is_foreign(name: str) -> bool:
    """Return whether a variable names the port of another service: `DB_PORT`, `smtpPort`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace(".", "_")
    return _FOREIGN_NAME.search(words) is not None


def _first(
    patterns: tuple[tuple[re.Pattern[str], float], ...], text: str, line: str, before: str
) -> tuple[int, float] | None:
    """Return the first match of a port of the application that begins in the first line."""
    for pattern, trust in patterns:
        found = next(
            (m for m in pattern.finditer(text) if not _ARITHMETIC.match(text, m.end(m.re.groupindex["port"]))), None
        )
        if found is None or found.start() >= len(line):
            continue
        name = found.groupdict().get("name") or ""
        if not is_foreign(name) and not _is_noise(int(found["port"]), line, found.start(), trust, before):
            port = int(found["port"])
            return port, trust - 0.1 if port == 8443 else trust  # the TLS port is the second port
    return None


def _is_arithmetic(match: re.Match[str]) -> bool:
    return _ARITHMETIC.match(match.string, match.end(match.re.groupindex["port"])) is not None


def _is_noise(port: int, line: str, at: int, trust: float, before: str) -> bool:
    if port in FOREIGN_PORTS or port < 80 or port > 65534 or (port == 80 and trust < 0.9):
        return True
    if port in _BACKLOGS and re.match(rf"\.listen\(\s*{port}\s*\)", line[at:]):
        return True
    start = line[:at].lower()
    opened = before.rstrip().endswith(("{", ":", "[", "(")) and trust < 0.8
    return (
        (line.lstrip().startswith(_COMMENTS) and not line.lstrip().startswith(("#define", "#[")))
        or "fetch(" in start
        or "connect" in line.lower()
        or (opened and _PARENT.search(before) is not None)
    )
