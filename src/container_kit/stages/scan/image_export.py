"""The export of an image from the engine to a file, once for all scanners."""

from __future__ import annotations

import errno
import http.client
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.docker import images
from container_kit.stages.docker.endpoint import EndpointError, EngineConnection
from container_kit.stages.docker.engine import DockerEngine

DISK_FULL = FaultCode(
    "scan.disk_full",
    means="The disk with temporary files has no space for the exported image.",
    hint="Free space in {folder}, or set TMPDIR to a folder with {needed} free.",
)
FAULTS = (images.IMAGE_NOT_FOUND, DISK_FULL)

_CHUNK = 2**20
_READ_TIMEOUT = 120.0


@asynccontextmanager
async def scratch_folder() -> AsyncIterator[Path]:
    """Create an empty folder, and remove it afterwards."""
    folder = Path(await anyio.to_thread.run_sync(lambda: tempfile.mkdtemp(prefix="container-kit-scan-")))
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


async def find_image_id(engine: DockerEngine, image: Image) -> str:
    """Return the id of an image in the engine.

    Raises:
        StageFailure: `image.not_found`, or a fault of the engine.
    """
    found = await engine.call(lambda api: images.image_id(api, image.id or image.reference))
    if found is None:
        raise images.not_found(image.reference or image.id, engine.host)
    return found


async def export(engine: DockerEngine, image: Image, folder: Path) -> Path:
    """Write an image to a file as `docker save` does. Cancellation breaks the connection, so that both ends stop.

    Raises:
        StageFailure: One of `FAULTS`, or a fault of the engine.
    """
    name = await find_image_id(engine, image)
    path = folder / "image.tar"
    download = _Download(engine.connection(_READ_TIMEOUT), f"/images/{quote(name, safe='')}/get", path)
    try:
        status = await anyio.to_thread.run_sync(download.run, abandon_on_cancel=True)
    except _LocalDiskError as error:
        raise DISK_FULL(
            f"{image.reference} cannot be exported for scanning: {error}",
            evidence=[Evidence(kind="value", text=str(error), where=str(path))],
            folder=folder.parent,
            needed=f"{max(image.size, 1) / 2**20:.0f} MiB",
        ) from error
    except (OSError, http.client.HTTPException, EndpointError) as error:
        raise engine.translate(error) from error
    finally:
        download.connection.abort()
    if status != http.client.OK:
        raise engine.translate(OSError(f"the engine answered {status} to the export of {image.reference}"))
    return path


class _LocalDiskError(Exception):
    """The disk of this machine failed, not the engine."""


@dataclass(frozen=True, slots=True)
class _Download:
    connection: EngineConnection
    url: str
    path: Path

    def run(self) -> int:
        """Copy the engine's response to the file, and return its status."""
        try:
            self.connection.request("GET", self.url)
            response = self.connection.getresponse()
            if response.status == http.client.OK:
                self._copy(response)
            return response.status
        finally:
            self.connection.close()

    def _copy(self, response: http.client.HTTPResponse) -> None:
        try:
            with self.path.open("wb") as file:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS}:
                raise _LocalDiskError(error.strerror) from error
            raise
