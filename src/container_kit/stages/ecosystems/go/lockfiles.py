"""Go's `go.mod`, which names the chosen version of every module that is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Unread
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed

_REQUIRED = re.compile(r"(\S+)\s+(v\S+)$")
_REPLACED = re.compile(r"(\S+)(?:\s+(v\S+))?\s*=>\s*(\S+)(?:\s+(v\S+))?$")
_COMPLETE_SINCE = (1, 17)


@dataclass(slots=True)
class _Module:
    required: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By path, the version and its line."""
    replaced: list[tuple[str, str | None, str, str | None, int]] = field(default_factory=list)
    go: tuple[int, int] = (0, 0)
    named: bool = False


def modules(text: str) -> Iterator[Entry]:
    """Read `go.mod`; a replaced module counts as its replacement, and not at all if that is a folder."""
    module = _Module()
    for number, verb, rest in _statements(text):
        _take(module, number, verb, rest)
    if not module.named:
        raise Malformed("names no module")
    for name, (version, line) in module.required.items():
        yield from _chosen(module, name, version, line)
    if module.required and module.go < _COMPLETE_SINCE:
        yield Unread("indirect dependencies are listed only since Go 1.17: run `go mod tidy -go=1.17`", 1)


def _statements(text: str) -> Iterator[tuple[int, str, str]]:
    block = ""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("//")[0].strip().replace('"', "")
        if block and words == ")":
            block = ""
        elif block and words:
            yield number, block, words
        elif words.endswith("("):
            block = words.removesuffix("(").strip()
        elif words:
            verb, _, rest = words.partition(" ")
            yield number, verb, rest.strip()
    if block:
        raise Malformed(f"`{block} (` is not closed")


def _take(module: _Module, line: int, verb: str, rest: str) -> None:
    if verb == "module":
        module.named = True
    elif verb == "go" and (version := re.match(r"(\d+)\.(\d+)", rest)):
        module.go = (int(version[1]), int(version[2]))
    elif verb == "require":
        if not (required := _REQUIRED.match(rest)):
            raise Malformed("a requirement without a version", line)
        module.required[required[1]] = (required[2], line)
    elif verb == "replace" and (match := _REPLACED.match(rest)):
        module.replaced.append((match[1], match[2], match[3], match[4], line))


def _chosen(module: _Module, name: str, version: str, line: int) -> Iterator[Entry]:
    for old, only, new, instead, where in module.replaced:
        if old == name and only in {None, version}:
            if instead:
                yield Package("golang", new, instead, line=where)
            return
    yield Package("golang", name, version, line=line)
