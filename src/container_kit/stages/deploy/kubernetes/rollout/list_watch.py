"""Follows one collection without gaps: list, watch, and list again when the watch has expired."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi

Json = dict[str, Any]

_MAX_PAUSE = 4.0
_WATCH_SECONDS = "290"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A change of one object."""

    kind: str
    obj: Json
    deleted: bool = False


class _Expired(Exception):
    """The resource version is too old (410 Gone): list again."""


async def follow(
    api: KubernetesApi, path: str, kind: str, *, on_lost: Callable[[StageFailure], None] = lambda _: None
) -> AsyncGenerator[WatchEvent, None]:
    """Yield every object of a collection, and then each change, without end.

    A watch that ends is resumed. After an expired one, the collection is listed again, and objects that disappeared in
    the meantime are yielded as deleted. Close it (`contextlib.aclosing`) to close its connection immediately.

    Args:
        api: The connection.
        path: The collection's path.
        kind: The kind of its objects, which list items do not include.
        on_lost: Called with each failure after which the API is tried again. The caller limits the time.

    Raises:
        StageFailure: The API rejected the list or watch.
    """
    known: dict[str, Json] = {}
    version: str | None = None
    failures = 0
    while True:
        try:
            if version is None:
                listed = await api.get(path)
                version = str(listed["metadata"].get("resourceVersion", ""))
                for event in _differences(kind, known, listed.get("items") or []):
                    yield event
            async with aclosing(_watched(api, path, kind, version)) as changes:
                async for event in changes:
                    version = str(event.obj["metadata"]["resourceVersion"])
                    failures = 0
                    if event.kind != "BOOKMARK":
                        _record(known, event)
                        yield event
        except (_Expired, StageFailure) as failure:
            failures += 1
            if isinstance(failure, StageFailure):
                if not failure.fault.retryable:
                    raise
                on_lost(failure)
            version = None
            await anyio.sleep(min(0.05 * 2 ** min(failures, 10), _MAX_PAUSE))


async def _watched(api: KubernetesApi, path: str, kind: str, version: str) -> AsyncGenerator[WatchEvent, None]:
    params = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": _WATCH_SECONDS}
    try:
        async with api.stream(path, **params) as lines:
            async for line in lines:
                if line:
                    yield _read(line, kind)
    except StageFailure as failure:
        if any(evidence.text.startswith("410") for evidence in failure.fault.evidence):
            raise _Expired from failure
        raise


def _read(line: str, kind: str) -> WatchEvent:
    event = json.loads(line)
    obj: Json = event["object"]
    if event["type"] == "ERROR":  # 410, or another error after which a new list is needed
        raise _Expired
    return WatchEvent("BOOKMARK" if event["type"] == "BOOKMARK" else kind, obj, event["type"] == "DELETED")


def _differences(kind: str, known: dict[str, Json], items: list[Json]) -> list[WatchEvent]:
    """Return the changes in a new list, and replace `known` with it."""
    listed = {str(item["metadata"]["uid"]): item for item in items}
    deleted = [WatchEvent(kind, obj, deleted=True) for uid, obj in known.items() if uid not in listed]
    new = [WatchEvent(kind, item) for uid, item in listed.items() if _version(known.get(uid)) != _version(item)]
    known.clear()
    known.update(listed)
    return [*deleted, *new]


def _version(obj: Json | None) -> object:
    return obj["metadata"].get("resourceVersion") if obj is not None else None


def _record(known: dict[str, Json], event: WatchEvent) -> None:
    uid = str(event.obj["metadata"].get("uid"))
    if event.deleted:
        known.pop(uid, None)
    else:
        known[uid] = event.obj
