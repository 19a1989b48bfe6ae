"""Remediation of findings: the origin and the change for each, and the changes that remove most of the worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from container_kit.stages.artifacts.scan import SEVERITIES, Change, ScanFinding
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.remediation.layers import Origin
from container_kit.stages.scan.remediation.remedies import Remedy, choose_remedy, required_versions

_UPGRADES = {
    "deb": "RUN apt-get update && apt-get install -y --only-upgrade {packages} && rm -rf /var/lib/apt/lists/*",
    "apk": "RUN apk upgrade --no-cache {packages}",
    "rpm": "RUN microdnf upgrade -y {packages} && microdnf clean all",
}
_MOST_IDS = 20
_MOST_UPGRADED = 8


def plan_remediation(
    findings: Iterable[ScanFinding], known: ScanContext
) -> tuple[tuple[ScanFinding, ...], tuple[Change, ...]]:
    """Add the origin and the change to each finding, and group the changes.

    Returns:
        The findings with `where`, `instruction` and `change`; the changes, those that remove most of the worst first.
    """
    planned: list[ScanFinding] = []
    groups: defaultdict[tuple[str, str], list[ScanFinding]] = defaultdict(list)
    remedies: dict[tuple[str, str], Remedy] = {}
    for finding in findings:
        origin = known.origins.get(finding.layer or "")
        remedy = choose_remedy(finding, origin, known)
        planned.append(_with_remedy(finding, origin, remedy, known))
        if remedy:
            key = (remedy.kind, remedy.where or remedy.about)
            groups[key].append(planned[-1])
            remedies.setdefault(key, remedy)
    changes = [_change(remedies[key], members) for key, members in groups.items()]
    return tuple(planned), tuple(sorted(changes, key=_weight))


def _weight(change: Change) -> tuple[int, int, str]:
    return (-SEVERITIES.index(change.worst), -change.removes, change.where or "")


def _with_remedy(finding: ScanFinding, origin: Origin | None, found: Remedy | None, known: ScanContext) -> ScanFinding:
    return finding.model_copy(
        update={
            "instruction": origin.instruction if origin else finding.instruction,
            "where": _where(finding, found, known),
            "change": found.words(required_versions([finding])) if found else finding.change,
        }
    )


def _where(finding: ScanFinding, found: Remedy | None, known: ScanContext) -> str | None:
    """Return the line to edit, else the line that shows the finding, else the file to edit."""
    if found and found.where and ":" in found.where:
        return found.where
    if finding.where:
        return finding.where
    lock = found.lock if found else known.lock_of(finding)
    pinned = None
    if lock and known.manifests:
        pinned = known.manifests.pinned(lock, finding.package or "", finding.installed or "")
    return pinned or (found.where if found else None)


def _change(found: Remedy, members: list[ScanFinding]) -> Change:
    members = sorted(members, key=lambda finding: -SEVERITIES.index(finding.severity))
    return Change(
        kind=found.kind,
        where=found.where,
        change=_for_all(found, members),
        removes=len(members),
        worst=members[0].severity,
        ids=tuple(dict.fromkeys(finding.id for finding in members))[:_MOST_IDS],
    )


def _for_all(found: Remedy, members: list[ScanFinding]) -> str:
    if members[0].kind != "vulnerability":
        return "; ".join(dict.fromkeys(member.change or "" for member in members))
    workaround = _workaround(members) if found.kind == "base_image" else ""
    return found.words(required_versions(members)) + workaround


def _workaround(members: list[ScanFinding]) -> str:
    """Describe the upgrade that helps until a newer base image exists, if a package manager installed the packages."""
    ecosystem = members[0].ecosystem or ""
    names = list(dict.fromkeys(m.package for m in members if m.package and m.ecosystem == ecosystem))
    if ecosystem not in _UPGRADES or len(names) > _MOST_UPGRADED:
        return ""
    return f"; until it exists, add after FROM: {_UPGRADES[ecosystem].format(packages=' '.join(names))}"
