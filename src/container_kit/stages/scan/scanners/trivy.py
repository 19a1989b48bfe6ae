"""The adapter to Trivy: vulnerabilities, secrets and misconfigurations of an image or a folder."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import anyio.to_thread
from pydantic import ValidationError

from container_kit.stages.artifacts.scan import ScannerRun
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.programs.run import ProgramError, ProgramResult, run
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, instant, unavailable
from container_kit.stages.scan.scanners.trivy_report import Report, Versions

_NAME = "trivy"
_GET_IT = "Trivy is not installed (https://trivy.dev/latest/getting-started/installation/)"
# CVE-2026-33634: official releases with a credential stealer, which starts when they run.
MALICIOUS = frozenset({"0.69.4", "0.69.5", "0.69.6"})
_BUILD_INFO = b"\xff Go buildinf:"
_STAMPED = re.compile(
    rb"(?:trivy/pkg/version(?:/app)?\.ver(?:sion)?=|mod\tgithub\.com/aquasecurity/trivy\tv)(\d[^\s\"']*)"
)
_QUERY_TIMEOUT = 30.0
_DOWNLOAD_TIMEOUT = 180.0
_REFRESH_TIMEOUT = 30.0
# Other TRIVY_* variables could hide findings (severity, ignore files, skipped folders) or change the output.
_KEPT_VARIABLES = frozenset(
    f"TRIVY_{name}"
    for name in (
        "CACHE_DIR",
        "DB_REPOSITORY",
        "JAVA_DB_REPOSITORY",
        "USERNAME",
        "PASSWORD",
        "REGISTRY_TOKEN",
        "INSECURE",
    )
)
_JARS = ("**/*.jar", "**/*.war", "**/*.ear", "**/*.par")


@dataclass(frozen=True, slots=True)
class Trivy:
    """One run of Trivy.

    Args:
        settings: The settings of the scanners.
        folder: An empty working directory: Trivy reads `trivy.yaml` and `.trivyignore` from it, and a
            repository must not hide its findings.
    """

    settings: ScannerSettings
    folder: Path
    _environment: Mapping[str, str] = field(default_factory=lambda: _environment())

    async def image(self, ctx: StageContext, archive: Path) -> ScannerResult:
        """Scan an image's archive, as `docker save` writes it."""
        return await self._scan(ctx, ["image", "--scanners", "vuln,secret", "--input", str(archive)])

    async def source(self, ctx: StageContext, folder: Path) -> ScannerResult:
        """Scan a folder: its lock files and requirements, secrets, Dockerfiles and other configuration."""
        what = ["--scanners", "vuln,secret,misconfig", "--skip-check-update"]
        return await self._scan(ctx, ["fs", *what, str(folder)])

    async def describe(self, kind: Literal["image", "fs"], path: Path) -> ProgramResult:
        """Generate the bill of materials of an image's archive or of a folder (CycloneDX). It needs no database.

        Raises:
            ProgramError: Trivy is a malicious release, or could not be run to its end.
        """
        program = self.settings.program(_NAME) or _NAME
        if refusal := _refusal(await anyio.to_thread.run_sync(_stamped_version, Path(program))):
            raise ProgramError(refusal)
        options = ["--quiet", "--cache-backend", "memory", "--offline-scan", "--skip-java-db-update", *self._cache()]
        what = ["--input", str(path)] if kind == "image" else ["--include-dev-deps", str(path)]
        argv = [program, kind, "--format", "cyclonedx", *options, *what]
        return await self._run(argv, self.settings.timeout)

    async def _scan(self, ctx: StageContext, what: list[str]) -> ScannerResult:
        program = self.settings.program(_NAME)
        if program is None:
            return unavailable(_NAME, _GET_IT)
        stamped = await anyio.to_thread.run_sync(_stamped_version, Path(program))
        if refusal := _refusal(stamped):
            return unavailable(_NAME, refusal, stamped)
        try:
            return await self._scan_with(ctx, program, what)
        except ProgramError as error:
            return unavailable(_NAME, str(error), stamped)

    async def _scan_with(self, ctx: StageContext, program: str, what: list[str]) -> ScannerResult:
        versions = await self._versions(program)
        if refusal := _refusal(versions.version):
            return unavailable(_NAME, refusal, versions.version)
        problem = ""
        if self.settings.update_databases and _is_due(versions):
            ctx.progress("trivy: downloading its vulnerability database")
            problem = await self._download(program, known=versions.database is not None)
            versions = await self._versions(program)
        if versions.database is None:
            detail = f"Trivy has no vulnerability database{problem and f' ({problem})'}; " + _GET_DATABASE
            return unavailable(_NAME, detail, versions.version)
        ctx.progress(f"trivy {versions.version}: looking for known vulnerabilities and secrets")
        answer, unseen = await self._run_scan(program, what)
        return _judged(self.settings, versions, answer, unseen)

    async def _versions(self, program: str) -> Versions:
        answer = await self._run([program, "version", "--format", "json", *self._cache()], _QUERY_TIMEOUT)
        try:
            return Versions.model_validate_json(answer.out)
        except ValidationError as error:
            raise ProgramError(f"trivy does not report its version: {answer.last_error}") from error

    async def _download(self, program: str, *, known: bool) -> str:
        """Download the newest database; return the reason of a failure, empty on success."""
        within = _REFRESH_TIMEOUT if known else _DOWNLOAD_TIMEOUT
        try:
            answer = await self._run([program, "image", "--download-db-only", "--no-progress", *self._cache()], within)
        except ProgramError as error:
            return str(error)
        return answer.last_error if answer.code else ""

    async def _run_scan(self, program: str, what: list[str]) -> tuple[ProgramResult, str | None]:
        """Scan; without the Java index, skip the jar files and report that."""
        command, *rest = what
        # The cache's files would be locked against a concurrent scan.
        options = ["--format", "json", "--quiet", "--no-progress", "--cache-backend", "memory", "--skip-db-update"]
        options += ["--timeout", f"{int(self.settings.timeout)}s", "--offline-scan", "--list-all-pkgs", *self._cache()]
        options += [] if self.settings.update_databases else ["--skip-java-db-update"]
        answer = await self._run([program, command, *options, *rest], self.settings.timeout)
        if answer.code == 0 or "java db" not in answer.err.lower():
            return answer, None
        skipped = [part for pattern in _JARS for part in ("--skip-files", pattern)]
        answer = await self._run([program, command, *options, *skipped, *rest], self.settings.timeout)
        return (
            answer,
            "jar files were not scanned: Trivy has no index of them (`trivy image --download-java-db-only`)",
        )

    async def _run(self, argv: list[str], within: float) -> ProgramResult:
        return await run(argv, timeout=within, cwd=self.folder, env=self._environment)

    def _cache(self) -> list[str]:
        return ["--cache-dir", str(self.settings.trivy_cache)] if self.settings.trivy_cache else []


_GET_DATABASE = (
    "run `trivy image --download-db-only` on a machine with a network, or point TRIVY_DB_REPOSITORY at a mirror"
)


def _judged(settings: ScannerSettings, versions: Versions, answer: ProgramResult, unseen: str | None) -> ScannerResult:
    if answer.code != 0:
        return unavailable(_NAME, f"Trivy failed: {answer.last_error}", versions.version)
    try:
        report = Report.model_validate_json(answer.out)
    except ValidationError as error:
        return unavailable(_NAME, f"Trivy's output is not valid: {error.error_count()} problems", versions.version)
    assert versions.database is not None  # noqa: S101 - checked before the scan
    made = instant(versions.database.updated)
    notes = [unseen] if unseen else []
    notes += [] if report.packages else ["Trivy found no package that it supports"]
    notes += [f"{report.unsupported} gets no more security updates"] if report.unsupported else []
    stale = settings.is_stale(made)
    notes += [f"the database is from {made:%Y-%m-%d}, too old to prove absence; {_GET_DATABASE}"] if stale else []
    record = ScannerRun(
        scanner=_NAME,
        version=versions.version,
        outcome="clean",
        packages=report.packages,
        database=made.isoformat(),
    )
    return completed(record, tuple(report.findings()), unseen="; ".join(notes) or None, stale=stale)


def _environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith("TRIVY_") or name in _KEPT_VARIABLES
    }


def _is_due(versions: Versions) -> bool:
    return versions.database is None or instant(versions.database.next) <= datetime.now(UTC)


def _refusal(version: str | None) -> str | None:
    if version is None or version.removeprefix("v") not in MALICIOUS:
        return None
    return (
        f"Trivy {version} is refused: this release carried a stealer of credentials (CVE-2026-33634). Remove it, "
        "install 0.69.3 or one from 0.70 on, and renew the credentials that this machine could reach"
    )


def _stamped_version(program: Path) -> str | None:
    """Read the version from the program's Go build information, because a malicious release must not run."""
    try:
        with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _last_stamp(content)
    except (OSError, ValueError):  # not readable, or empty
        return None


def _last_stamp(content: mmap.mmap) -> str | None:
    """Find the version after the magic of the build information, which the code also has as a constant."""
    start = content.rfind(_BUILD_INFO)
    while start >= 0:
        if found := _STAMPED.search(content, start, start + 2**16):
            return found.group(1).decode(errors="replace")
        start = content.rfind(_BUILD_INFO, 0, start)
    return None
