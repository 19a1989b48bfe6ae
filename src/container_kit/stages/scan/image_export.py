"""Exporting an image from the engine, once for all scanners, whatever the engine's address is."""

from __future__ import annotations

import errno
import http.client
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.docker.endpoint import EndpointError, EngineConnection
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_NOT_FOUND = FaultCode(
    "image.not_found",
    means="The image to scan is not in the engine.",
    hint="Build {reference} first, or load it into the engine at {host}.",
)
DISK_FULL = FaultCode(
    "scan.disk_full",
    means="The disk of temporary files cannot hold the exported image.",
    hint="Free space in {folder}, or set TMPDIR to a folder with {needed} free.",
)
FAULTS = (IMAGE_NOT_FOUND, DISK_FULL)

_CHUNK = 2**20
_SILENT_FOR = 120.0


@asynccontextmanager
async def scratch_folder() -> AsyncIterator[Path]:
    """An empty folder that is gone afterwards, whatever happens."""
    folder = Path(await anyio.to_thread.run_sync(lambda: tempfile.mkdtemp(prefix="container-kit-scan-")))
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


async def find(engine: DockerEngine, image: Image) -> str:
    """Give the id of an image that the engine has.

    Raises:
        StageFailure: `image.not_found`, or the engine's.
    """

    def inspect(api: APIClient) -> str | None:
        from docker.errors import ImageNotFound

        try:
            return str(api.inspect_image(image.id or image.reference)["Id"])
        except ImageNotFound:
            return None

    found = await engine.call(inspect)
    if found is None:
        raise IMAGE_NOT_FOUND(
            f"the engine has no image {image.reference} {image.id}".rstrip(),
            reference=image.reference,
            host=engine.host,
        )
    return found


async def export(engine: DockerEngine, image: Image, folder: Path) -> Path:
    """Write an image into a file as `docker save` does. Cancelling breaks the connection, so that both ends stop.

    Raises:
        StageFailure: One of `FAULTS`, or the engine's.
    """
    name = await find(engine, image)
    path = folder / "image.tar"
    download = _Download(engine.connection(_SILENT_FOR), f"/images/{quote(name, safe='')}/get", path)
    try:
        status = await anyio.to_thread.run_sync(download.run, abandon_on_cancel=True)
    except _LocalDisk as error:
        raise DISK_FULL(
            f"{image.reference} cannot be exported for scanning: {error}",
            evidence=[Evidence(kind="value", text=str(error), where=str(path))],
            folder=folder.parent,
            required_versions=f"{max(image.size, 1) / 2**20:.0f} MiB",
        ) from error
    except (OSError, http.client.HTTPException, EndpointError) as error:
        raise engine.translate(error) from error
    finally:
        download.connection.abort()
    if status != http.client.OK:
        raise engine.translate(OSError(f"the engine answered {status} to the export of {image.reference}"))
    return path


class _LocalDisk(Exception):
    """Our own disk failed, not the engine."""


@dataclass(frozen=True, slots=True)
class _Download:
    connection: EngineConnection
    url: str
    path: Path

    def run(self) -> int:
        """Copy the engine's answer into the file; return its status."""
        try:
            self.connection.request("GET", self.url)
            answer = self.connection.getresponse()
            if answer.status == http.client.OK:
                self._copy(answer)
            return answer.status
        finally:
            self.connection.close()

    def _copy(self, answer: http.client.HTTPResponse) -> None:
        try:
            with self.path.open("wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS}:
                raise _LocalDisk(error.strerror) from error
            raise
