"""Where each finding comes from and what to change, and the changes that remove most of the worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from container_kit.stages.artifacts.scan import SEVERITIES, Change, ScanFinding
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.remediation.layers import Origin
from container_kit.stages.scan.remediation.remedies import Remedy, required_versions, choose_remedy

_UPGRADES = {
    "deb": "RUN apt-get update && apt-get install -y --only-upgrade {packages} && rm -rf /var/lib/apt/lists/*",
    "apk": "RUN apk upgrade --no-cache {packages}",
    "rpm": "RUN microdnf upgrade -y {packages} && microdnf clean all",
}
_MOST_IDS = 20
_MOST_UPGRADED = 8


def plan_remediation(findings: Iterable[ScanFinding], known: ScanContext) -> tuple[tuple[ScanFinding, ...], tuple[Change, ...]]:
    """Say of each finding where it comes from and what to change, and group the changes.

    Returns:
        The findings with `where`, `instruction` and `change`; the changes, what removes most of the worst first.
    """
    told: list[ScanFinding] = []
    groups: defaultdict[tuple[str, str], list[ScanFinding]] = defaultdict(list)
    remedies: dict[tuple[str, str], Remedy] = {}
    for finding in findings:
        origin = known.origins.get(finding.layer or "")
        found = choose_remedy(finding, origin, known)
        told.append(_told(finding, origin, found, known))
        if found:
            key = (found.kind, found.where or found.about)
            groups[key].append(told[-1])
            remedies.setdefault(key, found)
    changes = [_change(remedies[key], members) for key, members in groups.items()]
    return tuple(told), tuple(sorted(changes, key=_weight))


def _weight(change: Change) -> tuple[int, int, str]:
    return (-SEVERITIES.index(change.worst), -change.removes, change.where or "")


def _told(finding: ScanFinding, origin: Origin | None, found: Remedy | None, known: ScanContext) -> ScanFinding:
    return finding.model_copy(
        update={
            "instruction": origin.instruction if origin else finding.instruction,
            "where": _where(finding, found, known),
            "change": found.words(required_versions([finding])) if found else finding.change,
        }
    )


def _where(finding: ScanFinding, found: Remedy | None, known: ScanContext) -> str | None:
    """The line to edit, else the one that shows the finding, else the file to edit."""
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
    meanwhile = _meanwhile(members) if found.kind == "base_image" else ""
    return found.words(required_versions(members)) + meanwhile


def _meanwhile(members: list[ScanFinding]) -> str:
    """What helps until there is a newer base image, where its packages come from a package manager."""
    ecosystem = members[0].ecosystem or ""
    names = list(dict.fromkeys(m.package for m in members if m.package and m.ecosystem == ecosystem))
    if ecosystem not in _UPGRADES or len(names) > _MOST_UPGRADED:
        return ""
    return f"; until there is one, add after FROM: {_UPGRADES[ecosystem].format(packages=' '.join(names))}"
