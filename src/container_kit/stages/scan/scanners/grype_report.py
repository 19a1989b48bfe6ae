"""The used parts of Grype's JSON report, and its findings."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field

from container_kit.stages.artifacts.scan import ScanFinding
from container_kit.stages.scan.builtin.versions import lowest_fix
from container_kit.stages.scan.scanners.base import severity


class _Fix(BaseModel):
    versions: list[str] = []


class _Vulnerability(BaseModel):
    id: str
    severity: str = ""
    description: str = ""
    fix: _Fix = Field(default_factory=_Fix)


class _Related(BaseModel):
    id: str


class _Location(BaseModel):
    path: str = ""
    layer: str = Field(default="", alias="layerID")


class _Package(BaseModel):
    name: str
    version: str = ""
    purl: str = ""
    locations: list[_Location] = []


class _Match(BaseModel):
    vulnerability: _Vulnerability
    related: list[_Related] = Field(default=[], alias="relatedVulnerabilities")
    artifact: _Package


class GrypeReport(BaseModel):
    """The output of `grype -o json`."""

    matches: list[_Match]

    def findings(self) -> Iterator[ScanFinding]:
        """Iterate over the findings."""
        for match in self.matches:
            yield _finding(match)


class GrypeDatabase(BaseModel):
    """The output of `grype db status -o json`."""

    built: str = ""
    error: str = ""


class GrypeVersion(BaseModel):
    """The output of `grype version -o json`."""

    version: str


def _finding(match: _Match) -> ScanFinding:
    package = match.artifact
    ecosystem = package.purl.removeprefix("pkg:").partition("/")[0] or None
    place = package.locations[0] if package.locations else _Location(layerID="")
    return ScanFinding(
        id=match.vulnerability.id,
        aliases=tuple(dict.fromkeys(other.id for other in match.related if other.id != match.vulnerability.id)),
        kind="vulnerability",
        severity=severity(match.vulnerability.severity),
        title=match.vulnerability.description.partition("\n")[0][:200],
        package=package.name,
        ecosystem=ecosystem,
        installed=package.version,
        fixed=lowest_fix(ecosystem, package.version, match.vulnerability.fix.versions),
        path=place.path.removeprefix("/") or None,
        layer=place.layer or None,
        found_by=("grype",),
    )
