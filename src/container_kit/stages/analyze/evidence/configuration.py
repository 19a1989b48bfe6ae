"""Ports in configuration files: YAML, JSON, TOML, HOCON, properties, `.env` files and their samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from container_kit.stages.analyze.evidence.ports import FOREIGN_PORTS, is_foreign
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

SAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults", "env.example", "example.env")
"""Samples of `.env` files, without secret values."""
_ENVIRONMENTS = (".env", ".env.production", *SAMPLES, ".env.local", ".env.development")
_HOMES = (
    "",
    "config",
    "configs",
    "conf",
    "configuration",
    "src/config",
    "src/main/resources",
    "src/main/resources/config",
    "resources",
    "internal/config",
    "cmd/config",
    "src",
    "defaults",
)
_NAMES = re.compile(
    r"(?:app(?:lication|settings)?|config(?:uration)?|settings|defaults?|server|base|local|dev(?:elopment)?|prod(?:uction)?"
    r"|(?:application|appsettings|config)[.-](?:prod(?:uction)?|dev(?:elopment)?|local|default|example))"
    r"\.(?P<kind>ya?ml|json|hjson|toml|conf|properties|ini)"
)
_KINDS = (".yml", ".yaml", ".json", ".hjson", ".toml", ".conf", ".properties", ".ini")
_LATER = re.compile(r"prod|dev|local|example")
_OURS = (
    frozenset(["server", "http", "http_server", "httpserver", "app", "application", "web", "webserver", "api", "rest"])
    | frozenset(["listen", "listener", "main", "service", "deployment", "endpoint", "endpoints", "gateway", "site"])
    | frozenset(["ktor", "quarkus", "micronaut", "frontend", "kestrel", "url", "default", "global", "release", "play"])
    | frozenset(["host", "network", "settings"])
)
"""Keys above the application's port."""
_NAMED = re.compile(r"\s*(?:export )?\w*CONFIG\w*=[\"']?(?:\./)?([\w./-]+\.(?:ya?ml|toml|json))[\"']?\s*")
_ADDRESS_KEYS = frozenset(
    ["address", "addr", "listen", "listen_addr", "listen_address", "listenaddr", "bind", "url", "urls"],
)
_ADDRESS = re.compile(r"(?:https?://)?[\w.*+\[\]-]*:(\d{2,5})/?(?:;.*)?")
_MAX_FILES = 12


def read_configuration(folder: Folder, draft: ModuleDraft) -> None:
    """Claim the server's ports from configuration files with usual names and from `.env` files."""
    named = {path: path.rpartition(".")[2] for path in _named_files(folder)}
    usual = list(_files(folder, draft.entrypoint.value or ""))
    for path, kind in (named | dict(usual[:_MAX_FILES])).items():
        name = path.rpartition("/")[2]
        sure = path in named or name.startswith("application.")
        trust = 0.9 if sure else 0.8 if _LATER.search(name) else 0.86
        if first := next(_ports(folder, path, kind), None):
            place = folder.place(path, re.compile(rf"{first[1]}\W.*\b{first[0]}\b"))
            draft.port.add(first[0], "configuration", place, confidence=trust)
    for path in _ENVIRONMENTS:
        if folder.has(path):
            _claim_variables(folder, draft, path)


def _named_files(folder: Folder) -> Iterator[str]:
    """Return the files that a sample names in its variables: `CONFIG_PATH=./cmd/config/local.yaml`."""
    for sample in _ENVIRONMENTS:
        for line in folder.text(sample).splitlines():
            found = _NAMED.fullmatch(line)
            if found and ".." not in found[1] and folder.has(found[1]):
                yield found[1]


def _files(folder: Folder, entry: str) -> Iterator[tuple[str, str]]:
    if folder.has(".streamlit/config.toml"):
        yield ".streamlit/config.toml", "toml"
    for home in dict.fromkeys((*_HOMES, entry.rpartition("/")[0])):
        listing = folder.tree.folders.get("/".join(part for part in (folder.path, home) if part))
        names = [name for name in listing.files if name.endswith(_KINDS)] if listing else []
        for name in sorted(names, key=lambda n: (_LATER.search(n) is not None, n)):
            if found := _NAMES.fullmatch(name):
                yield f"{home}/{name}" if home else name, found["kind"]


def _ports(folder: Folder, path: str, kind: str) -> Iterator[tuple[int, str]]:
    if kind in {"conf", "properties", "ini", "hjson"}:
        yield from _in_lines(folder.text(path))
        return
    data: Any = folder.json(path) if kind == "json" else folder.toml(path) if kind == "toml" else folder.yaml(path)
    yield from _walk(data, ())


def _walk(data: Any, above: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield the ports below keys of the server, the outermost first."""
    if not isinstance(data, dict) or len(above) > 4:
        return
    for key, value in data.items():
        name = str(key).lower().replace("-", "_")
        if port := _port(name, value, above):
            yield port, re.escape(str(key))
    for key, value in data.items():
        name = str(key).lower().replace("-", "_")
        if all(part in _OURS for part in name.split(".")) or (not above and isinstance(value, dict) and len(data) == 1):
            yield from _walk(value, (*above, name))


def _port(name: str, value: Any, above: tuple[str, ...]) -> int | None:
    """Return the port of an entry; None if it belongs to another service."""
    dotted = ".".join((*above, name))
    last = name.rpartition(".")[2]
    if isinstance(value, str) and (found := re.fullmatch(r"\$\{\w+:-?(\d{2,5})\}", value)):
        value = found[1]
    inner = all(part in _OURS for part in dotted.split(".")[:-1])
    if last == "port" or re.fullmatch(r"(?:http|server|listen|web|app|api)_?port", last):
        number = int(value) if str(value).isdigit() else 0
        return number if inner and 80 <= number < 65536 and number not in FOREIGN_PORTS else None
    if last in _ADDRESS_KEYS and isinstance(value, str) and inner and (above or last != "url"):
        found = _ADDRESS.fullmatch(value)
        return int(found[1]) if found and int(found[1]) not in FOREIGN_PORTS else None
    return None


def _in_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield `server.port=8080` of properties, and `port = 8080` in a block of HOCON or a section of INI."""
    blocks: list[str] = []
    for line in text.splitlines()[:2000]:
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", ";", "//")):
            continue
        if section := re.fullmatch(r"\[([\w.:-]+)\]", stripped):
            blocks = [section[1].lower().partition(":")[0]]
        elif opened := re.match(r"([\w.-]+)\s*[=:]?\s*\{", stripped):
            blocks.append(opened[1].lower())
        elif stripped.startswith("}"):
            del blocks[-1:]
        elif found := re.match(r"([\w.-]+)\s*[=:]\s*[\"']?(\$\{\w+:\d+\}|[\w.:*/]+)", stripped):
            parts = tuple(part for block in blocks for part in block.replace("-", "_").split("."))
            if port := _port(found[1].lower().replace("-", "_"), found[2], parts):
                yield port, re.escape(found[1])


_USUAL = ("PORT", "APP_PORT", "SERVER_PORT")


def _claim_variables(folder: Folder, draft: ModuleDraft, path: str) -> None:
    """Yield `PORT` before `APP_PORT` before other names, without ports of databases."""
    found: list[tuple[int, str, int]] = []
    for line in folder.text(path).splitlines():
        name, _, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.partition("#")[0].strip().strip("\"'")
        if name.upper().endswith("PORT") and value.isdigit() and not is_foreign(name):
            port = int(value)
            if 80 <= port < 65536 and port not in FOREIGN_PORTS:
                found.append((_USUAL.index(name) if name in _USUAL else len(_USUAL), name, port))
    if found:
        _, name, port = min(found)
        sure = 0.83 if path in {".env", ".env.production"} else 0.82
        draft.port.add(port, "configuration", folder.place(path, f"{name}="), confidence=sure)
