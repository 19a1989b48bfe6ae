"""The lock file of Bundler."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed

_GEM = re.compile(r"    ([\w.-]+) \(([^\s()]+)\)$")


def bundler(text: str) -> Iterator[Entry]:
    """Read `Gemfile.lock`: the gems of servers and repositories, not those of the folder itself (PATH)."""
    section = ""
    if "DEPENDENCIES" not in text:
        raise Malformed("no lock file of Bundler")
    for number, line in enumerate(text.splitlines(), start=1):
        if line[:1].strip():
            section = line.strip()
        elif section in {"GEM", "GIT"} and (match := _GEM.match(line)):
            yield Package("gem", match[1], match[2].partition("-")[0], line=number)
