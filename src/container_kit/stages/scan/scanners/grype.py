"""The adapter to Grype: vulnerabilities of an image or a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
from pydantic import BaseModel, ValidationError

from container_kit.stages.artifacts.scan import ScannerRun
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.programs.run import ProgramError, ProgramResult, run
from container_kit.stages.scan.builtin.image_inventory import UnreadableArchive, read
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, instant, unavailable
from container_kit.stages.scan.scanners.grype_report import GrypeDatabase, GrypeReport, GrypeVersion

T = TypeVar("T", bound=BaseModel)

_NAME = "grype"
_GET_IT = "Grype is not installed (https://github.com/anchore/grype)"
_GET_DATABASE = "run `grype db update` on a machine with a network, or `grype db import` with an archive of it"
_QUERY_TIMEOUT = 30.0
_UPDATE_TIMEOUT = 180.0


@dataclass(frozen=True, slots=True)
class Grype:
    """One run of Grype.

    Args:
        settings: The settings of the scanners.
        folder: An empty working directory, because Grype reads `.grype.yaml` from it.
    """

    settings: ScannerSettings
    folder: Path
    _environment: Mapping[str, str] = field(default_factory=lambda: _environment())

    async def image(self, ctx: StageContext, archive: Path) -> ScannerResult:
        """Scan an image's archive, as `docker save` writes it."""
        result = await self._scan(ctx, f"docker-archive:{archive}")
        if result.run.outcome != "clean":
            return result
        # Its report lists only matches, so the number of packages must be counted here.
        counted = await anyio.to_thread.run_sync(_count, archive)
        unseen = None if counted else "the image has no package that Grype supports"
        return completed(result.run.model_copy(update={"packages": counted}), (), unseen=unseen, stale=False)

    async def source(self, ctx: StageContext, folder: Path) -> ScannerResult:
        """Scan a folder. Finding nothing proves nothing, because Grype does not report the number of packages."""
        result = await self._scan(ctx, f"dir:{folder}")
        if result.run.outcome != "clean":
            return result
        return completed(result.run, (), unseen="Grype does not report how many packages it checked", stale=False)

    async def _scan(self, ctx: StageContext, target: str) -> ScannerResult:
        program = self.settings.program(_NAME)
        if program is None:
            return unavailable(_NAME, _GET_IT)
        try:
            return await self._scan_with(ctx, program, target)
        except ProgramError as error:
            return unavailable(_NAME, str(error))

    async def _scan_with(self, ctx: StageContext, program: str, target: str) -> ScannerResult:
        version = await self._query(GrypeVersion, [program, "version", "-o", "json"])
        problem = ""
        if self.settings.update_databases:
            ctx.progress("grype: bringing its vulnerability database up to date")
            update = await run(
                [program, "db", "update"], timeout=_UPDATE_TIMEOUT, cwd=self.folder, env=self._environment
            )
            problem = update.last_error if update.code else ""
        database = await self._query(GrypeDatabase, [program, "db", "status", "-o", "json"])
        if not database.built:
            why = problem or database.error
            detail = f"Grype has no vulnerability database{why and f' ({why})'}; {_GET_DATABASE}"
            return unavailable(_NAME, detail, version.version)
        ctx.progress(f"grype {version.version}: looking for known vulnerabilities")
        argv = [program, target, "-o", "json", "--quiet"]
        answer = await run(argv, timeout=self.settings.timeout, cwd=self.folder, env=self._environment)
        return _judged(self.settings, version.version, database, answer)

    async def _query(self, kind: type[T], argv: list[str]) -> T:
        answer = await run(argv, timeout=_QUERY_TIMEOUT, cwd=self.folder, env=self._environment)
        try:
            return kind.model_validate_json(answer.out)
        except ValidationError as error:
            question = " ".join(argv[1:3])
            raise ProgramError(f"`grype {question}` has no valid output: {answer.last_error}") from error


def _judged(settings: ScannerSettings, version: str, database: GrypeDatabase, answer: ProgramResult) -> ScannerResult:
    if answer.code != 0:
        return unavailable(_NAME, f"Grype failed: {answer.last_error}", version)
    try:
        report = GrypeReport.model_validate_json(answer.out)
    except ValidationError as error:
        return unavailable(_NAME, f"Grype's output is not valid: {error.error_count()} problems", version)
    made = instant(database.built)
    stale = settings.is_stale(made)
    unseen = f"the database is from {made:%Y-%m-%d}, too old to prove absence; {_GET_DATABASE}" if stale else None
    record = ScannerRun(scanner=_NAME, version=version, outcome="clean", database=made.isoformat())
    return completed(record, tuple(report.findings()), unseen=unseen, stale=stale)


def _count(archive: Path) -> int:
    try:
        return len(read(archive).packages)
    except UnreadableArchive:
        return 0


def _environment() -> dict[str, str]:
    """Return this process's environment without variables that hide findings. Grype must accept an old database."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GRYPE_", "SYFT_")) or name.startswith("GRYPE_DB_")
    }
    return kept | {
        "GRYPE_CHECK_FOR_APP_UPDATE": "false",
        "GRYPE_DB_AUTO_UPDATE": "false",
        "GRYPE_DB_VALIDATE_AGE": "false",
    }
