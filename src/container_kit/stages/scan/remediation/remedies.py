"""Remedies: the change that removes a finding, with one remedy for all findings that it removes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from container_kit.stages.artifacts.scan import ScanFinding
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.scan.builtin import versions
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.remediation.layers import Origin
from container_kit.stages.scan.remediation.manifests import ManifestEntry

_SYSTEM = frozenset({"deb", "apk", "rpm"})
_MOST_PACKAGES = 8

RequiredVersions = Mapping[str, str]
"""The names of packages mapped to the lowest versions without the findings."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change."""

    kind: Literal["base_image", "system_packages", "manifest", "dockerfile", "misconfiguration", "secret"]
    where: str | None
    """`file:line` to edit, or the file."""
    words: Callable[[RequiredVersions], str]
    """Describes the change for the packages to upgrade."""
    about: str = ""
    """The key that groups findings without a place if the same change removes them."""
    lock: str | None = None
    """The lock file that pins the packages."""


def required_versions(findings: Iterable[ScanFinding]) -> RequiredVersions:
    """Return the lowest version of each package that has none of the findings."""
    highest: dict[str, str] = {}
    for finding in findings:
        name, fixed = finding.package or "", finding.fixed or ""
        if name not in highest or versions.is_less(finding.ecosystem, highest[name], fixed):
            highest[name] = fixed
    return highest


def choose_remedy(finding: ScanFinding, origin: Origin | None, known: ScanContext) -> Remedy | None:
    """Choose the remedy for a finding; None if no remedy is known.

    Args:
        finding: The finding.
        origin: The origin of its layer, if known.
        known: The context of the scan.
    """
    if finding.kind == "secret":
        return _remove_secret(finding, origin, known)
    if finding.kind != "vulnerability":
        text = finding.change or finding.title
        return Remedy(finding.kind, finding.where, lambda _: text, about=text)
    if finding.fixed is None:
        return None
    if origin and origin.from_base:
        where = known.place(known.lineage.base_line if known.lineage else None)
        return Remedy("base_image", where, lambda packages: f"take a build of {known.base} that has {_named(packages)}")
    if finding.ecosystem in _SYSTEM:
        return _newer_system_package(origin, known)
    return _newer_dependency(finding, origin, known)


def _named(packages: RequiredVersions) -> str:
    names = [f"{name} {version}" for name, version in packages.items()]
    return f"{', '.join(names[:_MOST_PACKAGES])} or later{_more(packages)}"


def _more(packages: RequiredVersions) -> str:
    left = len(packages) - _MOST_PACKAGES
    return f", and {left} more packages" if left > 0 else ""


def _newer_system_package(origin: Origin | None, known: ScanContext) -> Remedy:
    if origin is None or origin.from_base is None:

        def either(packages: RequiredVersions) -> str:
            it = "it" if len(packages) == 1 else "them"
            return f"take a base image that has {_named(packages)}, or upgrade {it} in the Dockerfile"

        return Remedy("system_packages", None, either)
    made = _short(origin.instruction)
    return Remedy(
        "system_packages",
        known.place(origin.line),
        lambda packages: f"build again without cache, so that `{made}` installs {_named(packages)}",
        about=made,
    )


def _newer_dependency(finding: ScanFinding, origin: Origin | None, known: ScanContext) -> Remedy:
    lock = known.lock_of(finding)
    if finding.where and lock is None:  # the scanner reported the line to edit
        return Remedy("manifest", finding.where, lambda packages: f"require {_named(packages)} in {finding.where}")
    place: ManifestEntry | None = None
    if known.manifests:
        place = known.manifests.find(finding.ecosystem, finding.package or "", finding.installed or "", lock)
    place = place or (ManifestEntry(lock, direct=False, lock=lock) if lock else None)
    if place:
        return _for_direct(place) if place.direct else _for_transitive(place)
    source = f" in `{_short(origin.instruction)}`" if origin else ""
    where = known.place(origin.line if origin else None)
    return Remedy("manifest", where, lambda packages: f"install {_named(packages)}{source}", about=source)


def _for_direct(place: ManifestEntry) -> Remedy:
    """Create the remedy for a direct dependency."""
    itself = place.where.partition(":")[0] == place.lock  # go.mod is both

    def words(packages: RequiredVersions) -> str:
        command = _command(place, packages)
        then = f"{':' if itself else ', then run'} {command}" if command else ""
        return f"require {_named(packages)} in {place.where}{then}"

    return Remedy("manifest", place.where, words, lock=place.lock)


def _for_transitive(place: ManifestEntry) -> Remedy:
    """Create the remedy for a transitive dependency."""
    lock_command = catalog().lock_command(place.lock or "")

    def updated(packages: RequiredVersions) -> str:
        return f"{_brought(packages)}: run {_command(place, packages)} for {_named(packages)} in {place.lock}"

    def forced(packages: RequiredVersions) -> str:
        if lock_command is None:
            return f"{_brought(packages)}: add to {place.where} what requires {_named(packages)}"
        force = f"require {_named(packages)} under {lock_command.force} of {place.where}"
        return f"{_brought(packages)}: {force}, then run {_command(place, packages)}"

    if lock_command and lock_command.force is None:
        return Remedy("manifest", place.lock, updated, lock=place.lock)
    return Remedy("manifest", place.where, forced, lock=place.lock)


def _brought(packages: RequiredVersions) -> str:
    if len(packages) == 1:
        return f"another dependency brings {next(iter(packages))}"
    return "other dependencies bring these"


def _command(place: ManifestEntry, packages: RequiredVersions) -> str:
    lock_command = catalog().lock_command(place.lock or "")
    if lock_command is None or place.lock is None:
        return ""
    source = f" {place.lock.removesuffix('.txt')}.in" if place.lock.endswith(".txt") else ""
    return f"`{lock_command.command(list(packages.items())[:_MOST_PACKAGES])}{source}`"


def _remove_secret(finding: ScanFinding, origin: Origin | None, known: ScanContext) -> Remedy:
    where = known.place(origin.line) if origin and origin.line else finding.where
    made = f", which `{_short(origin.instruction)}` put there" if origin else ""
    change = (
        f"renew the secret, and keep {finding.path} out of the image{made}: name it in .dockerignore "
        "and give it at build time with a secret mount or at run time"
    )
    return Remedy("secret", where, lambda _: change, about=change)


def _short(instruction: str) -> str:
    return instruction if len(instruction) <= 100 else instruction[:97] + "…"
