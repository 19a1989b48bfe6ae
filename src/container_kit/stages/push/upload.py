"""Having the engine push: its stream of JSON lines, progress, and its end."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio.from_thread
import anyio.to_thread

from container_kit.stages.contract.stage import StageContext
from container_kit.stages.docker.endpoint import EndpointError, EngineConnection
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import Target

_SILENT_FOR = 900.0
"""Seconds after which an engine that says nothing is given up, though the registry answers."""
_DOUBTED_AFTER = 30.0
"""Seconds of silence after which the registry is asked for a sign of life."""
_GONE = "the registry no longer answers: connection refused or i/o timeout"
_WAITING = re.compile(r"Retrying in (\d+) second")
_ENDED = re.compile(r": digest: (sha256:[0-9a-f]{64}) size: (\d+)")
_TOLD_EVERY = 0.05


class PushError(Exception):
    """The engine said that the push failed; `started` tells whether layers were on their way."""

    def __init__(self, text: str, *, started: bool) -> None:
        super().__init__(text)
        self.started = started


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What the engine says that it pushed."""

    digest: str
    manifest_size: int
    pushed: int
    there_before: int


@dataclass(slots=True)
class _Layers:
    """What is known of the layers so far, by their short ids."""

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """How much of each has been sent, and of how much."""
    pushed: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    waits: dict[str, int] = field(default_factory=dict)
    told: float = -1.0
    heard: float = field(default_factory=time.monotonic)
    """When the engine spoke last."""

    @property
    def fraction(self) -> float:
        """How much is done, as far as layers have told their size."""
        done = len(self.pushed | self.there) + sum(
            min(sent / whole, 1.0) for layer, (sent, whole) in self.sizes.items() if whole and layer not in self.pushed
        )
        return min(done / max(len(self.seen), 1), 1.0)


async def upload(
    ctx: StageContext, engine: DockerEngine, target: Target, auth_header: str, still_there: Callable[[], bool]
) -> UploadResult:
    """Push a tag that the engine has. Cancelling breaks the connection, upon which the engine stops.

    Args:
        ctx: The run, for progress.
        engine: The engine.
        target: The tag.
        auth_header: X-Registry-Auth.
        still_there: Asks the registry for a sign of life; called in a thread when the engine waits for it.

    Raises:
        EngineSaid: The push failed.
        StageFailure: The engine's own faults.
    """
    await engine.ping()
    sending = _Sending(ctx, engine.connection(_SILENT_FOR), still_there)
    url = f"/images/{quote(target.name)}/push?tag={quote(target.tag)}"
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sending.watch)
            await anyio.to_thread.run_sync(sending.run, url, auth_header, abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
    finally:
        sending.connection.abort()
    if sending.uploaded is not None:
        return sending.uploaded
    if isinstance(sending.error, PushError):
        raise sending.error
    raise engine.translate(sending.error or http.client.IncompleteRead(b"")) from sending.error


@dataclass(slots=True)
class _Sending:
    """The engine at work, and how it ended."""

    ctx: StageContext
    connection: EngineConnection
    still_there: Callable[[], bool]
    layers: _Layers = field(default_factory=_Layers)
    uploaded: UploadResult | None = None
    error: Exception | None = None
    """The first; what follows from it does not count."""

    def run(self, url: str, auth_header: str) -> None:
        """Push in this thread."""
        try:
            self.connection.request("POST", url, headers={"X-Registry-Auth": auth_header})
            events = _events(self.connection.getresponse())
            self.uploaded = _follow(self.ctx, events, self.layers, self.still_there)
        except (PushError, OSError, http.client.HTTPException, EndpointError) as error:
            self.error = self.error or error
        except (ValueError, AttributeError) as error:  # half a record, or a connection that was closed under it
            self.error = self.error or ConnectionResetError(str(error))
        finally:
            self.connection.close()

    async def watch(self) -> None:
        """Break off when the engine says nothing and the registry does not answer either."""
        silent = False
        while not (silent and not await anyio.to_thread.run_sync(self.still_there, abandon_on_cancel=True)):
            await anyio.sleep(_DOUBTED_AFTER / 2)
            silent = time.monotonic() - self.layers.heard > _DOUBTED_AFTER
        self.error = PushError(_GONE, started=True)
        self.connection.abort()


def _events(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    if answer.status != http.client.OK:
        raise PushError(answer.read(4000).decode(errors="replace"), started=False)
    for line in answer:
        if line.strip():
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def _follow(
    ctx: StageContext, events: Iterator[dict[str, Any]], layers: _Layers, still_there: Callable[[], bool]
) -> UploadResult:
    digest, size = "", 0
    for event in events:
        layers.heard = time.monotonic()
        if error := (event.get("errorDetail") or {}).get("message") or event.get("error"):
            raise PushError(str(error), started=bool(layers.sizes or layers.waits))
        aux = event.get("aux") or {}
        status = str(event.get("status") or "")
        if ended := _ENDED.search(status):  # Podman gives no aux
            digest, size = ended.group(1), int(ended.group(2))
        if "Digest" in aux:
            digest, size = str(aux["Digest"]), int(aux.get("Size") or 0)
        if layer := str(event.get("id") or ""):
            _note(ctx, layers, layer, status, event.get("progressDetail") or {}, still_there)
    if not digest:
        raise http.client.IncompleteRead(b"")  # neither an end nor an error: the engine is gone
    return UploadResult(digest, size, len(layers.pushed), len(layers.there))


def _note(
    ctx: StageContext, layers: _Layers, layer: str, status: str, detail: dict[str, Any], still_there: Callable[[], bool]
) -> None:
    layers.seen.add(layer)
    if status == "Pushing" and detail.get("total"):
        layers.sizes[layer] = (int(detail.get("current") or 0), int(detail["total"]))
    elif status == "Pushed":
        layers.pushed.add(layer)
    elif status == "Layer already exists" or status.startswith("Mounted from"):
        layers.there.add(layer)
    elif waiting := _WAITING.match(status):
        _doubt(ctx, layers, layer, int(waiting.group(1)), still_there)
        return
    if layers.fraction - layers.told >= _TOLD_EVERY:
        layers.told = layers.fraction
        done = len(layers.pushed | layers.there)
        anyio.from_thread.run_sync(ctx.progress, f"{done} of {len(layers.seen)} layers pushed", layers.fraction)


def _doubt(ctx: StageContext, layers: _Layers, layer: str, seconds: int, still_there: Callable[[], bool]) -> None:
    """The engine waits, each time longer, and says not why; a registry that is gone must not take a minute to tell."""
    begins = seconds > layers.waits.get(layer, 0)
    layers.waits[layer] = seconds
    if not begins:
        return
    anyio.from_thread.run_sync(ctx.progress, f"the registry did not take a layer; trying again in {seconds} s")
    if not still_there():
        raise PushError(_GONE, started=True)
