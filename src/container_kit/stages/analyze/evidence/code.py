"""Facts from source files in any language: listening ports, environment variables and health endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field

from container_kit.stages.analyze.evidence.line_search import lines_with
from container_kit.stages.analyze.evidence.ports import ports_in
from container_kit.stages.analyze.evidence.state import read_state
from container_kit.stages.analyze.evidence.variables import read_variables
from container_kit.stages.artifacts.analysis import StatePath, Variable
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

MAX_SCANNED = 40
"""The number of source files to scan in a module."""
MAX_CHARACTERS = 400_000
"""The number of characters to scan in a module."""

_WRITES_NEXT_TO_CODE = frozenset(["python", "node", "ruby", "php"])
"""Ecosystems whose images hold the code in a folder that the application could write to."""
_STRUCTURED = (".properties", ".yml", ".yaml", ".conf")
"""Configuration files whose ports are read from their structure, not line by line."""
_HEALTH_WORDS = ("health", "live", "ready", "readi", "ping", "/up", "status", "heartbeat")

_HEALTH = re.compile(
    r"[\"'`](?P<path>/?(?:api/)?(?:v\d/)?(?:-/)?(?:_?health(?:[_-]?check|z)?|livez?|liveness|readyz?|readiness|heartbeat|ping|up|status)/?)[\"'`]"
)
_HEALTH_ORDER = ("health", "live", "ready", "heartbeat", "ping", "up", "status")


@dataclass(slots=True)
class Scan:
    """The results of the scan in addition to the claims."""

    variables: dict[str, Variable] = field(default_factory=dict)
    state: dict[str, StatePath] = field(default_factory=dict)


def scan(folder: Folder, draft: ModuleDraft, ecosystem: Detector) -> Scan:
    """Scan the entry point and the most likely outer source files, and claim ports and health endpoints."""
    found = Scan()
    suffixes = ecosystem.sources + ecosystem.settings
    entry = draft.entrypoint.value
    listens = draft.role.value not in {"library", "static"} and ecosystem.listens(draft)
    files = folder.files(*suffixes, limit=200, depth=14) if suffixes else []
    files = [path for path in files if not is_test(path)]
    chosen = [path for path in (entry,) if path and folder.has(path)] + sorted(files, key=_likely)[:MAX_SCANNED]
    serves, characters = False, 0
    for path in dict.fromkeys(chosen):
        text = folder.source(path)
        characters += len(text)
        if characters > MAX_CHARACTERS:
            break
        where = folder.place(path).rpartition(":")[0]
        if listens and not path.endswith(_STRUCTURED):
            serves = _claim_ports(draft, where, text, near=not serves) or serves
        if draft.role.value not in {"library", "static"}:
            _claim_health(draft, where, text)
        read_variables(found.variables, where, text)
        if ecosystem.name in _WRITES_NEXT_TO_CODE:
            flask_sqlalchemy = "flask-sqlalchemy" in draft.dependencies
            read_state(found.state, path, where, text, flask_sqlalchemy=flask_sqlalchemy)
    return found


_TOOLS = re.compile(
    r"(?:vite|vitest|next|nuxt|astro|svelte|vue|webpack|rollup|rsbuild|rspack|playwright|cypress|karma|jest|protractor"
    r"|wdio|tailwind|gatsby|metro)[\w.-]*\.conf(?:ig)?\."
)
"""Configuration of tools, whose ports are for development or tests."""


def is_test(path: str) -> bool:
    """Return whether a file is a test, a tool's configuration or generated code."""
    name = path.rpartition("/")[2].lower()
    return (
        _TOOLS.match(name) is not None
        or name.startswith("test_")
        or any(sign in name for sign in ("_test.", ".test.", ".spec.", "_spec.", "tests.", ".d.ts", ".min."))
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


def _claim_ports(draft: ModuleDraft, where: str, text: str, *, near: bool) -> bool:
    """Claim the listening ports of a file. The first file counts more than later ones."""
    claimed = False
    for port, number, trust in ports_in(text):
        draft.port.add(port, "code", f"{where}:{number}", confidence=trust if near else trust - 0.1)
        claimed = True
    return claimed


def _claim_health(draft: ModuleDraft, where: str, text: str) -> None:
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
