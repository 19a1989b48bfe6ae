"""Image references: checking those that a caller gives, making one from a folder's name.

The grammar is that of github.com/distribution/reference.
"""

from __future__ import annotations

import re

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?", re.ASCII
)
_LONGEST = 255
_DEFAULT_LONGEST = 60


def complete(reference: str) -> str:
    """Check a reference and add `:latest` where it has no tag.

    Raises:
        ValueError: It is no valid `name[:tag]`.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None or len(found["name"]) > _LONGEST or re.fullmatch(r"[0-9a-f]{64}", found["name"]):
        raise ValueError(f"{reference[:300]!r} is not a valid image name")
    return f"{found['name']}:{found['tag'] or 'latest'}"


def from_folder(name: str) -> str:
    """Make a valid reference from any text, such as a folder's name; `app:latest` where nothing of it can be used."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower().encode("ascii", "ignore").decode()).strip("-")
    slug = plain[:_DEFAULT_LONGEST].strip("-")
    return f"{slug or 'app'}:latest"
