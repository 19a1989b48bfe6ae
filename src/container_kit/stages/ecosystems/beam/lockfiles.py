"""The lock file of Mix."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Unread
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed

_HEX = re.compile(r'\s*"([^"]+)": \{:(\w+), :?"?([^,"]+)"?, "([^"]+)"')


def mix(text: str) -> Iterator[Entry]:
    """Read `mix.lock`."""
    if not text.lstrip().startswith("%{"):
        raise Malformed("no lock file of Mix")
    for number, line in enumerate(text.splitlines(), start=1):
        match = _HEX.match(line)
        if match and match[2] == "hex":
            yield Package("hex", match[3], match[4], line=number)
        elif match:
            yield Unread(f"{match[1]} comes from {match[2]}", number)
