"""Matching of advisories and versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.scan.builtin import versions
from container_kit.stages.scan.builtin.osv import Affected, RangeEvent


@dataclass(frozen=True, slots=True)
class Match:
    """The result of a match; `affected` None means that the versions cannot be compared."""

    affected: bool | None
    fixed: str | None = None


def match(affected: Affected, package: Package) -> Match:
    """Evaluate an advisory by the schema ("Evaluation", affected[].ranges[].events)."""
    version = package.advised_as[1]
    verdicts = [_in_range(part.events, package.ecosystem, version) for part in affected.ranges if part.type != "GIT"]
    hit = version in affected.versions or any(verdicts)
    if not hit:
        return Match(None if None in verdicts else False)
    fixes = [event.fixed for part in affected.ranges if part.type != "GIT" for event in part.events if event.fixed]
    above = [fix for fix in fixes if versions.is_less(package.ecosystem, version, fix)]
    return Match(True, versions.lowest_fix(package.ecosystem, version, above))


def _in_range(events: Iterable[RangeEvent], ecosystem: str, version: str) -> bool | None:
    """Return whether a version is in a range; None if the versions cannot be compared."""
    inside = False
    for event in sorted(events, key=_in_order(ecosystem)):
        if event.introduced is not None:
            before = event.introduced != "0" and versions.is_less(ecosystem, version, event.introduced)
            inside = inside or before is False
        elif event.fixed is not None:
            before = versions.is_less(ecosystem, version, event.fixed)
            inside = inside and before is True
        elif event.last_affected is not None:
            after = versions.is_less(ecosystem, event.last_affected, version)
            before, inside = after, inside and after is not True
        else:
            continue
        if before is None:
            return None
    return inside


def _in_order(ecosystem: str) -> Callable[[RangeEvent], Any]:
    """Return a sort key for events, which may be in any order, by their versions."""

    def compare(first: RangeEvent, second: RangeEvent) -> int:
        left, right = (event.introduced or event.fixed or event.last_affected or "0" for event in (first, second))
        if left == right or "0" in {left, right}:
            return (left != "0") - (right != "0")
        return -1 if versions.is_less(ecosystem, left, right) else 1

    return cmp_to_key(compare)
