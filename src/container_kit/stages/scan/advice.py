"""Where each finding comes from and what to change, and the changes that remove most of the worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from container_kit.stages.artifacts.scan import SEVERITIES, Change, ScanFinding
from container_kit.stages.scan.instructions import Lineage
from container_kit.stages.scan.layers import Origin
from container_kit.stages.scan.manifests import Manifests, Place
from container_kit.stages.scan.relock import Relock, relock_of

_SYSTEM = frozenset({"deb", "apk", "rpm"})
_UPGRADES = {
    "deb": "RUN apt-get update && apt-get install -y --only-upgrade {packages} && rm -rf /var/lib/apt/lists/*",
    "apk": "RUN apk upgrade --no-cache {packages}",
    "rpm": "RUN microdnf upgrade -y {packages} && microdnf clean all",
}
_MOST_IDS = 20
_MOST_PACKAGES = 8


@dataclass(frozen=True)
class Known:
    """What is known of a target beside the findings themselves."""

    root: Path | None = None
    """The source tree."""
    module: str = "."
    dockerfile: str = "Dockerfile"
    """The Dockerfile's path relative to the root."""
    lineage: Lineage | None = None
    origins: dict[str, Origin] = field(default_factory=dict)
    """By layer."""

    @cached_property
    def manifests(self) -> Manifests | None:
        """The manifests of the source tree."""
        return Manifests(self.root, self.module) if self.root else None

    def place(self, line: int | None) -> str | None:
        """`file:line` in the Dockerfile."""
        return f"{self.dockerfile}:{line}" if line else None


@dataclass(frozen=True, slots=True)
class _Remedy:
    kind: str
    where: str | None
    change: str
    """For this finding alone."""
    how: str = ""
    """How it is done for any of the same place; it follows on what has to be required."""
    relock: Relock | None = None
    """The package manager that then writes the lock file anew."""


def advise(findings: Iterable[ScanFinding], known: Known) -> tuple[tuple[ScanFinding, ...], tuple[Change, ...]]:
    """Say of each finding where it comes from and what to change, and group the changes.

    Returns:
        The findings with `where`, `instruction` and `change`; the changes, what removes most of the worst first.
    """
    told: list[ScanFinding] = []
    groups: defaultdict[tuple[str, str | None], list[ScanFinding]] = defaultdict(list)
    remedies: dict[tuple[str, str | None], _Remedy] = {}
    for finding in findings:
        origin = known.origins.get(finding.layer or "")
        remedy = _remedy(finding, origin, known)
        told.append(_told(finding, origin, remedy, known))
        if remedy:
            key = (remedy.kind, remedy.where or remedy.change)
            groups[key].append(told[-1])
            remedies.setdefault(key, remedy)
    changes = [_change(remedies[key], members, known) for key, members in groups.items()]
    return tuple(told), tuple(sorted(changes, key=_weight))


def _weight(change: Change) -> tuple[int, int, str]:
    return (-SEVERITIES.index(change.worst), -change.removes, change.where or "")


def _told(finding: ScanFinding, origin: Origin | None, remedy: _Remedy | None, known: Known) -> ScanFinding:
    return finding.model_copy(
        update={
            "instruction": origin.instruction if origin else finding.instruction,
            "where": _more_exact(remedy.where if remedy else None, _shown(finding, known)),
            "change": remedy.change if remedy else finding.change,
        }
    )


def _shown(finding: ScanFinding, known: Known) -> str | None:
    """The line that shows a finding: the scanner's, else the one in the lock file."""
    if finding.where or finding.layer or known.manifests is None or relock_of(finding.path) is None:
        return finding.where
    return known.manifests.pinned(finding.path or "", finding.package or "", finding.installed or "")


def _more_exact(where: str | None, shown: str | None) -> str | None:
    """The place to change where that is a line, else the line that shows the finding."""
    return where if where and (":" in where or shown is None) else shown


def _remedy(finding: ScanFinding, origin: Origin | None, known: Known) -> _Remedy | None:
    if finding.kind == "secret":
        return _remove_secret(finding, origin, known)
    if finding.kind != "vulnerability":
        return _Remedy(finding.kind, finding.where, finding.change or finding.title)
    if finding.fixed is None:
        return None
    if origin and origin.from_base:
        return _newer_base(finding, known)
    if finding.ecosystem in _SYSTEM:
        return _newer_system_package(finding, origin, known)
    return _newer_dependency(finding, origin, known)


def _newer_base(finding: ScanFinding, known: Known) -> _Remedy:
    base = known.lineage.base if known.lineage else "the base image"
    change = f"take a build of {base} that has {finding.package} {finding.fixed} or later"
    return _Remedy("base_image", known.place(known.lineage.base_line if known.lineage else None), change)


def _newer_system_package(finding: ScanFinding, origin: Origin | None, known: Known) -> _Remedy:
    wanted = f"{finding.package} {finding.fixed} or later"
    if origin is None or origin.from_base is None:
        return _Remedy("system_packages", None, f"take a base image that has {wanted}, or upgrade it in the Dockerfile")
    change = f"build again without cache, so that `{_short(origin.instruction)}` installs {wanted}"
    return _Remedy("system_packages", known.place(origin.line), change)


def _newer_dependency(finding: ScanFinding, origin: Origin | None, known: Known) -> _Remedy:
    wanted = f"{finding.package} {finding.fixed} or later"
    lock = finding.path if finding.layer is None and relock_of(finding.path) else None
    if finding.where and lock is None:  # the scanner itself told the line to edit
        return _Remedy("manifest", finding.where, f"require {wanted} in {finding.where}")
    place: Place | None = None
    if known.manifests:
        place = known.manifests.find(finding.ecosystem, finding.package or "", finding.installed or "", lock)
    place = place or (Place(lock, direct=False, lock=lock) if lock else None)
    if place:
        return _in_manifest(wanted, finding, place)
    where = known.place(origin.line if origin else None)
    source = f" in `{_short(origin.instruction)}`" if origin else ""
    return _Remedy("manifest", where, f"install {wanted}{source}")


def _in_manifest(wanted: str, finding: ScanFinding, place: Place) -> _Remedy:
    relock = relock_of(place.lock)
    itself = place.where.partition(":")[0] == place.lock  # go.mod is both
    then = f"{':' if itself else ', then run'} `{relock.command([_bump(finding)])}`" if relock else ""
    if place.direct:
        return _Remedy("manifest", place.where, f"require {wanted} in {place.where}{then}", relock=relock)
    brought = f"another dependency brings {finding.package}: "
    if relock and relock.force is None:
        change = f"{brought}run `{relock.command([_bump(finding)])}` for {finding.fixed} or later in {place.lock}"
        return _Remedy("manifest", place.lock, change, relock=relock)
    how = f" under {relock.force}, for other dependencies bring it" if relock else ""
    line = (
        f"require {wanted} under {relock.force} of {place.where}"
        if relock
        else (f"add a line to {place.where} that requires {wanted}")
    )
    return _Remedy("manifest", place.where, f"{brought}{line}{then}", how, relock)


def _bump(finding: ScanFinding) -> tuple[str, str]:
    return finding.package or "", finding.fixed or ""


def _remove_secret(finding: ScanFinding, origin: Origin | None, known: Known) -> _Remedy:
    where = known.place(origin.line) if origin and origin.line else finding.where
    made = f", which `{_short(origin.instruction)}` put there" if origin else ""
    change = (
        f"renew the secret, and keep {finding.path} out of the image{made}: name it in .dockerignore "
        "and give it at build time with a secret mount or at run time"
    )
    return _Remedy("secret", where, change)


def _change(remedy: _Remedy, members: list[ScanFinding], known: Known) -> Change:
    members = sorted(members, key=lambda finding: -SEVERITIES.index(finding.severity))
    return Change(
        kind=remedy.kind,
        where=remedy.where,
        change=remedy.change if len(members) == 1 else _for_all(remedy, members, known),
        removes=len(members),
        worst=members[0].severity,
        ids=tuple(dict.fromkeys(finding.id for finding in members))[:_MOST_IDS],
    )


def _for_all(remedy: _Remedy, members: list[ScanFinding], known: Known) -> str:
    packages = list(dict.fromkeys(f"{member.package} {member.fixed}" for member in members if member.package))
    if not packages:
        return "; ".join(dict.fromkeys(member.change or "" for member in members))
    named = ", ".join(packages[:_MOST_PACKAGES]) + (" and more" if len(packages) > _MOST_PACKAGES else "")
    if remedy.kind != "base_image":
        then = f", then run `{remedy.relock.command(map(_bump, members[:_MOST_PACKAGES]))}`" if remedy.relock else ""
        return f"{remedy.where or 'the image'}: take {named} or later{remedy.how}{then}"
    base = known.lineage.base if known.lineage else "the base image"
    return f"take a build of {base} with {named} or later{_meanwhile(members)}"


def _meanwhile(members: list[ScanFinding]) -> str:
    """What helps until there is a newer base image, where its packages come from a package manager."""
    ecosystem = members[0].ecosystem or ""
    names = list(dict.fromkeys(m.package for m in members if m.package and m.ecosystem == ecosystem))
    if ecosystem not in _UPGRADES or len(names) > _MOST_PACKAGES:
        return ""
    return f"; until there is one, add after FROM: {_UPGRADES[ecosystem].format(packages=' '.join(names))}"


def _short(instruction: str) -> str:
    return instruction if len(instruction) <= 100 else instruction[:97] + "…"
