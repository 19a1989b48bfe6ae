"""The used parts of Trivy's JSON report, and its findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from container_kit.stages.artifacts.scan import ScanFinding
from container_kit.stages.scan.builtin.versions import lowest_fix
from container_kit.stages.scan.scanners.base import severity

_NAME = "trivy"


def _none_to_list(value: object) -> object:
    return [] if value is None else value


class _Layer(BaseModel):
    diff_id: str | None = Field(default=None, alias="DiffID")


class _Identifier(BaseModel):
    purl: str | None = Field(default=None, alias="PURL")


class _Lines(BaseModel):
    start: int = Field(default=0, alias="StartLine")


class _Package(BaseModel):
    name: str = Field(alias="Name")
    version: str = Field(default="", alias="Version")
    locations: Annotated[list[_Lines], BeforeValidator(_none_to_list)] = Field(default=[], alias="Locations")


class _Vulnerability(BaseModel):
    id: str = Field(alias="VulnerabilityID")
    aliases: Annotated[list[str], BeforeValidator(_none_to_list)] = Field(default=[], alias="VendorIDs")
    package: str = Field(alias="PkgName")
    path: str | None = Field(default=None, alias="PkgPath")
    identifier: _Identifier = Field(default_factory=_Identifier, alias="PkgIdentifier")
    installed: str = Field(default="", alias="InstalledVersion")
    fixed: str = Field(default="", alias="FixedVersion")
    layer: _Layer = Field(default_factory=_Layer, alias="Layer")
    title: str = Field(default="", alias="Title")
    severity: str = Field(default="", alias="Severity")


class _Misconfiguration(BaseModel):
    id: str = Field(alias="ID")
    title: str = Field(default="", alias="Title")
    message: str = Field(default="", alias="Message")
    resolution: str = Field(default="", alias="Resolution")
    severity: str = Field(default="", alias="Severity")
    status: str = Field(default="FAIL", alias="Status")
    cause: _Lines = Field(default_factory=_Lines, alias="CauseMetadata")


class _Secret(BaseModel):
    """A secret; its text is not read, so it cannot appear anywhere."""

    rule: str = Field(alias="RuleID")
    title: str = Field(default="", alias="Title")
    severity: str = Field(default="", alias="Severity")
    line: int = Field(default=0, alias="StartLine")
    layer: _Layer = Field(default_factory=_Layer, alias="Layer")


class _Result(BaseModel):
    target: str = Field(alias="Target")
    kind: str = Field(default="", alias="Class")
    type: str = Field(default="", alias="Type")
    packages: Annotated[list[_Package], BeforeValidator(_none_to_list)] = Field(default=[], alias="Packages")
    vulnerabilities: Annotated[list[_Vulnerability], BeforeValidator(_none_to_list)] = Field(
        default=[], alias="Vulnerabilities"
    )
    misconfigurations: Annotated[list[_Misconfiguration], BeforeValidator(_none_to_list)] = Field(
        default=[], alias="Misconfigurations"
    )
    secrets: Annotated[list[_Secret], BeforeValidator(_none_to_list)] = Field(default=[], alias="Secrets")


class _System(BaseModel):
    family: str = Field(default="", alias="Family")
    name: str = Field(default="", alias="Name")
    end_of_life: bool = Field(default=False, alias="EOSL")


class _Metadata(BaseModel):
    system: _System | None = Field(default=None, alias="OS")


class Report(BaseModel):
    """The output of `trivy image|fs --format json`."""

    version: int = Field(alias="SchemaVersion")
    metadata: _Metadata = Field(default_factory=_Metadata, alias="Metadata")
    results: Annotated[list[_Result], BeforeValidator(_none_to_list)] = Field(default=[], alias="Results")

    @property
    def packages(self) -> int:
        """The number of packages that Trivy supports."""
        return sum(len(result.packages) for result in self.results)

    @property
    def unsupported(self) -> str | None:
        """The operating system, if it no longer gets security updates."""
        system = self.metadata.system
        return f"{system.family} {system.name}" if system and system.end_of_life else None

    def findings(self) -> Iterator[ScanFinding]:
        """Iterate over the findings."""
        for result in self.results:
            yield from (_vulnerability(result, found) for found in result.vulnerabilities)
            yield from (
                _misconfiguration(result, found) for found in result.misconfigurations if found.status == "FAIL"
            )
            yield from (_secret(result, found) for found in result.secrets)


class _Database(BaseModel):
    updated: str = Field(alias="UpdatedAt")
    next: str = Field(default="", alias="NextUpdate")


class Versions(BaseModel):
    """The output of `trivy version --format json`."""

    version: str = Field(alias="Version")
    database: _Database | None = Field(default=None, alias="VulnerabilityDB")


# Trivy's names of language package managers, for findings without a package URL.
_ECOSYSTEMS = {"pip": "pypi", "python-pkg": "pypi", "node-pkg": "npm", "jar": "maven", "pom": "maven"}


def _vulnerability(result: _Result, found: _Vulnerability) -> ScanFinding:
    purl = found.identifier.purl or ""
    ecosystem = purl.removeprefix("pkg:").partition("/")[0] if purl else _ECOSYSTEMS.get(result.type)
    return ScanFinding(
        id=found.id,
        aliases=tuple(found.aliases),
        kind="vulnerability",
        severity=severity(found.severity),
        title=found.title,
        package=found.package,
        ecosystem=ecosystem,
        installed=found.installed,
        fixed=lowest_fix(ecosystem, found.installed, (part.strip() for part in found.fixed.split(","))),
        path=found.path or (result.target if result.kind == "lang-pkgs" else None),
        where=_line_of(result, found),
        layer=found.layer.diff_id,
        found_by=(_NAME,),
    )


def _line_of(result: _Result, found: _Vulnerability) -> str | None:
    """Return the line of the manifest, which Trivy reports for lock files and requirements in a folder."""
    for package in result.packages:
        if (package.name, package.version) == (found.package, found.installed) and package.locations:
            return f"{result.target}:{package.locations[0].start}"
    return None


def _misconfiguration(result: _Result, found: _Misconfiguration) -> ScanFinding:
    where = f"{result.target}:{found.cause.start}" if found.cause.start else result.target
    return ScanFinding(
        id=found.id,
        kind="dockerfile" if result.type == "dockerfile" else "misconfiguration",
        severity=severity(found.severity),
        title=found.message or found.title,
        path=result.target,
        where=where,
        change=f"{where}: {found.resolution or found.message or found.title}",
        found_by=(_NAME,),
    )


def _secret(result: _Result, found: _Secret) -> ScanFinding:
    where = f"{result.target}:{found.line}" if found.line else result.target
    return ScanFinding(
        id=found.rule,
        kind="secret",
        severity=severity(found.severity),
        title=found.title,
        path=result.target,
        where=where,
        layer=found.layer.diff_id,
        found_by=(_NAME,),
    )
