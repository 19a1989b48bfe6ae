"""Comparison of versions by the rules of each ecosystem, with `univers`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from container_kit.stages.ecosystems.catalog import catalog

_SYSTEM_SCHEMES = {"deb": "DebianVersion", "apk": "AlpineLinuxVersion", "rpm": "RpmVersion"}


@cache
def _scheme(ecosystem: str) -> Any:
    from univers import versions

    registry = catalog().package_registries.get(ecosystem)
    scheme = registry.version_scheme if registry else _SYSTEM_SCHEMES.get(ecosystem)
    return getattr(versions, scheme) if scheme else None


def parse(ecosystem: str | None, text: str) -> Any:
    """Parse a version; None if the ecosystem is unknown or the version is not valid."""
    scheme = _scheme(ecosystem or "")
    if scheme is None:
        return None
    try:
        return scheme(text)
    except Exception:  # noqa: BLE001 - each scheme of univers raises other exceptions
        return None


def is_less(ecosystem: str | None, first: str, second: str) -> bool | None:
    """Return whether a version is lower than another; None if they cannot be compared."""
    left, right = parse(ecosystem, first), parse(ecosystem, second)
    if left is None or right is None:
        return None
    try:
        return bool(left < right)
    except Exception:  # noqa: BLE001 - as above: for example a number against a word
        return None


def lowest_fix(ecosystem: str | None, installed: str, fixes: Iterable[str]) -> str | None:
    """Return the lowest fixed version above the installed one; the first one if they cannot be compared."""
    candidates = [fix for fix in fixes if fix]
    above = [fix for fix in candidates if is_less(ecosystem, installed, fix)]
    best: str | None = None
    for fix in above:
        if best is None or is_less(ecosystem, fix, best):
            best = fix
    return best or (candidates[0] if candidates else None)
