"""The upload of an image by the engine: its stream of JSON records, and progress."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio.from_thread
import anyio.to_thread

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.docker.endpoint import EndpointError, EngineConnection
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import ImageReference

_READ_TIMEOUT = 900.0
"""Seconds of silence after which the upload fails, even if the registry answers."""
_CHECK_AFTER = 30.0
"""Seconds of silence after which the registry is checked."""
_REGISTRY_SILENT = "the registry no longer answers: connection refused or i/o timeout"
_RETRYING = re.compile(r"Retrying in (\d+) second")
_PODMAN_RESULT = re.compile(r": digest: (sha256:[0-9a-f]{64}) size: (\d+)")
_REPORTED_STEP = 0.05
"""The least growth of progress that is reported."""


class PushError(Exception):
    """The engine reported that the push failed; `started` is true if layers were being sent."""

    def __init__(self, text: str, *, started: bool) -> None:
        super().__init__(text)
        self.started = started


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The result of the upload, as the engine reports it."""

    digest: str
    manifest_size: int
    pushed: int
    existing: int


@dataclass(slots=True)
class _Layers:
    """The state of the layers, by their short ids."""

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The sent bytes of each layer, and its size."""
    pushed: set[str] = field(default_factory=set)
    existing: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    retries: dict[str, int] = field(default_factory=dict)
    reported: float = -1.0
    last_event: float = field(default_factory=time.monotonic)
    """The time of the engine's last record."""

    @property
    def fraction(self) -> float:
        """The completed part, as far as the sizes of the layers are known."""
        done = len(self.pushed | self.existing) + sum(
            min(sent / whole, 1.0) for layer, (sent, whole) in self.sizes.items() if whole and layer not in self.pushed
        )
        return min(done / max(len(self.seen), 1), 1.0)


async def upload(
    ctx: StageContext, engine: DockerEngine, reference: ImageReference, auth_header: str, is_alive: Callable[[], bool]
) -> UploadResult:
    """Push a tag of the engine. Cancellation breaks the connection, and the engine then stops.

    Args:
        ctx: The run, for progress.
        engine: The engine.
        reference: The tag.
        auth_header: The value of X-Registry-Auth.
        is_alive: Checks whether the registry answers. It is called in a thread if the engine waits for the registry.

    Raises:
        PushError: The push failed.
        StageFailure: A fault of the engine.
    """
    await engine.ping()
    upload = _Upload(ctx, engine.connection(_READ_TIMEOUT), is_alive)
    url = f"/images/{quote(reference.name)}/push?tag={quote(reference.tag or '')}"
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload.watch)
            await anyio.to_thread.run_sync(upload.run, url, auth_header, abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
    finally:
        upload.connection.abort()
    if upload.result is not None:
        return upload.result
    if isinstance(upload.error, PushError):
        raise upload.error
    raise engine.translate(upload.error or http.client.IncompleteRead(b"")) from upload.error


@dataclass(slots=True)
class _Upload:
    """One upload, and its result or first error."""

    ctx: StageContext
    connection: EngineConnection
    is_alive: Callable[[], bool]
    layers: _Layers = field(default_factory=_Layers)
    result: UploadResult | None = None
    error: Exception | None = None

    def run(self, url: str, auth_header: str) -> None:
        """Push in this thread."""
        try:
            self.connection.request("POST", url, headers={"X-Registry-Auth": auth_header})
            self.result = self._follow(_records(self.connection.getresponse()))
        except (PushError, OSError, http.client.HTTPException, EndpointError) as error:
            self.error = self.error or error
        except (ValueError, AttributeError) as error:  # half a record, or a connection that `abort` closed
            self.error = self.error or ConnectionResetError(str(error))
        finally:
            self.connection.close()

    async def watch(self) -> None:
        """Abort the upload if the engine is silent and the registry does not answer either."""
        silent = False
        while not (silent and not await anyio.to_thread.run_sync(self.is_alive, abandon_on_cancel=True)):
            await anyio.sleep(_CHECK_AFTER / 2)
            silent = time.monotonic() - self.layers.last_event > _CHECK_AFTER
        self.error = PushError(_REGISTRY_SILENT, started=True)
        self.connection.abort()

    def _follow(self, records: Iterator[dict[str, Any]]) -> UploadResult:
        digest, size, layers = "", 0, self.layers
        for record in records:
            layers.last_event = time.monotonic()
            if error := (record.get("errorDetail") or {}).get("message") or record.get("error"):
                raise PushError(str(error), started=bool(layers.sizes or layers.retries))
            status = str(record.get("status") or "")
            if match := _PODMAN_RESULT.search(status):  # Podman sends no aux
                digest, size = match.group(1), int(match.group(2))
            aux = record.get("aux") or {}
            if "Digest" in aux:
                digest, size = str(aux["Digest"]), int(aux.get("Size") or 0)
            if layer := str(record.get("id") or ""):
                self._update_layer(layer, status, record.get("progressDetail") or {})
        if not digest:
            raise http.client.IncompleteRead(b"")  # neither a result nor an error: the engine stopped
        return UploadResult(digest, size, len(layers.pushed), len(layers.existing))

    def _update_layer(self, layer: str, status: str, detail: dict[str, Any]) -> None:
        layers = self.layers
        layers.seen.add(layer)
        if status == "Pushing" and detail.get("total"):
            layers.sizes[layer] = (int(detail.get("current") or 0), int(detail["total"]))
        elif status == "Pushed":
            layers.pushed.add(layer)
        elif status == "Layer already exists" or status.startswith("Mounted from"):
            layers.existing.add(layer)
        elif retrying := _RETRYING.match(status):
            self._check_registry(layer, int(retrying.group(1)))
            return
        if layers.fraction - layers.reported >= _REPORTED_STEP:
            layers.reported = layers.fraction
            done = len(layers.pushed | layers.existing)
            message = f"{done} of {len(layers.seen)} layers pushed"
            anyio.from_thread.run_sync(self.ctx.progress, message, layers.fraction)

    def _check_registry(self, layer: str, seconds: int) -> None:
        """Check the registry when the engine starts to wait. The engine waits longer each time and gives no reason."""
        is_new = seconds > self.layers.retries.get(layer, 0)
        self.layers.retries[layer] = seconds
        if not is_new:
            return
        message = f"the registry did not accept a layer; trying again in {seconds} s"
        anyio.from_thread.run_sync(self.ctx.progress, message)
        if not self.is_alive():
            raise PushError(_REGISTRY_SILENT, started=True)


def _records(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    if response.status != http.client.OK:
        raise PushError(response.read(4000).decode(errors="replace"), started=False)
    for line in response:
        if line.strip():
            record = json.loads(line)
            if isinstance(record, dict):
                yield record
