"""pnpm's lock file, read line by line: it is laid out in one way only, and YAML nodes of a big one take a gigabyte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry
from container_kit.stages.ecosystems.javascript.lockfiles import resolved, split
from container_kit.stages.formats.documents import Malformed

_VERSION = re.compile(r"^lockfileVersion: ['\"]?(\d+)", re.MULTILINE)
_SECTION = re.compile(r"\w+:")
_ENTRY = re.compile(r"  (?:\? )?(\S.*?):?(?: \{\})?$")
_FIELD = re.compile(r"  (?:  |: )(\w+):(?: (.*))?$")


@dataclass(slots=True)
class _Entry:
    key: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)


def pnpm(text: str) -> Iterator[Entry]:
    """Read `pnpm-lock.yaml`: `/name/1.0.0_peers` (5), `/name@1.0.0(peers)` (6), `name@1.0.0` (9)."""
    version = _VERSION.search(text)
    if version is None:
        raise Malformed("no lock file of pnpm")
    for entry in _entries(text):
        yield from _of_entry(entry, old=int(version[1]) < 6)


def _entries(text: str) -> Iterator[_Entry]:
    """Yield the entries below `packages`."""
    inside, entry = False, None
    for number, line in enumerate(text.splitlines(), start=1):
        if line[:1].strip():
            if not _is_section(line):
                raise Malformed("not a lock file of pnpm", number)
            inside = line.rstrip() == "packages:"
        elif not inside or not line.strip() or line.startswith("     "):
            continue
        elif entry and (match := _FIELD.match(line)):
            entry.fields[match[1]] = (match[2] or "").strip("'\"")
        elif match := _ENTRY.match(line):
            if entry:
                yield entry
            entry = _Entry(match[1].strip("'\""), number)
        else:
            raise Malformed("no lock file of pnpm", number)
    if entry:
        yield entry


def _is_section(line: str) -> bool:
    """Return whether a line that is not indented is one that pnpm writes."""
    if line.startswith("packages:"):
        return line.rstrip() in {"packages:", "packages: {}"}
    return _SECTION.match(line) is not None or line.startswith(("#", "---", "..."))


def _of_entry(entry: _Entry, *, old: bool) -> Iterator[Entry]:
    if "directory:" in entry.fields.get("resolution", ""):
        return
    name, version = _in_old_key(entry.key) if old else split(entry.key.removeprefix("/").partition("(")[0])
    if "version" in entry.fields:  # it comes from an address, which is in the key
        name, version = entry.fields.get("name", name), entry.fields["version"]
    yield from resolved(name, version, entry.line)


def _in_old_key(key: str) -> tuple[str, str]:
    """`/@scope/name/1.0.0_peers`; a host may precede the first slash."""
    name, _, version = key.partition("/")[2].rpartition("/")
    return name, version.partition("_")[0]
