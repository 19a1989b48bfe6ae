"""Following one collection without a gap: list, watch, and list again when the watch has become too old."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi

Json = dict[str, Any]

_FAILURES = 5
"""Failed connections in a row until the watch gives up."""
_LONGEST_PAUSE = 4.0
_SECONDS_A_WATCH = "290"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change."""

    kind: str
    found: Json
    deleted: bool = False


class _Expired(Exception):
    """The resource version is too old (410 Gone): list again."""


async def follow(api: KubernetesApi, path: str, kind: str) -> AsyncGenerator[WatchEvent, None]:
    """Every object of a collection as it is, and then each change, without end.

    A watch that ends is taken up where it ended; one that is too old begins anew, and what vanished meanwhile is told
    as deleted. Close it (`contextlib.aclosing`) when done, so that its connection is closed at that moment.

    Args:
        api: The connection.
        path: The collection's address.
        kind: What it holds; lists leave it out of their items.

    Raises:
        StageFailure: The API refused to list or watch, or did not answer several times in a row.
    """
    known: dict[str, Json] = {}
    version: str | None = None
    failures = 0
    while True:
        try:
            if version is None:
                listed = await api.get(path)
                version = str(listed["metadata"].get("resourceVersion", ""))
                for seen in _differences(kind, known, listed.get("items") or []):
                    yield seen
            async with aclosing(_watched(api, path, kind, version)) as changes:
                async for seen in changes:
                    version = str(seen.found["metadata"]["resourceVersion"])
                    failures = 0
                    if seen.kind != "BOOKMARK":
                        _keep(known, seen)
                        yield seen
        except (_Expired, StageFailure) as failure:
            failures += 1
            lasting = isinstance(failure, StageFailure) and not failure.fault.retryable
            if lasting or (failures >= _FAILURES and isinstance(failure, StageFailure)):
                raise
            version = None
            await anyio.sleep(min(0.05 * 2**failures, _LONGEST_PAUSE))


async def _watched(api: KubernetesApi, path: str, kind: str, version: str) -> AsyncGenerator[WatchEvent, None]:
    asked = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": _SECONDS_A_WATCH}
    try:
        async with api.stream(path, **asked) as lines:
            async for line in lines:
                if line:
                    yield _read(line, kind)
    except StageFailure as failure:
        if any(evidence.text.startswith("410") for evidence in failure.fault.evidence):
            raise _Expired from failure
        raise


def _read(line: str, kind: str) -> WatchEvent:
    event = json.loads(line)
    found: Json = event["object"]
    if event["type"] == "ERROR":  # 410 comes this way; whatever else the server cannot tell any more, it lists again
        raise _Expired
    return WatchEvent("BOOKMARK" if event["type"] == "BOOKMARK" else kind, found, event["type"] == "DELETED")


def _differences(kind: str, known: dict[str, Json], items: list[Json]) -> list[WatchEvent]:
    """What a new list tells that was not known; `known` becomes the list."""
    listed = {str(item["metadata"]["uid"]): item for item in items}
    gone = [WatchEvent(kind, found, deleted=True) for uid, found in known.items() if uid not in listed]
    new = [WatchEvent(kind, item) for uid, item in listed.items() if _version(known.get(uid)) != _version(item)]
    known.clear()
    known.update(listed)
    return [*gone, *new]


def _version(found: Json | None) -> object:
    return found["metadata"].get("resourceVersion") if found is not None else None


def _keep(known: dict[str, Json], seen: WatchEvent) -> None:
    uid = str(seen.found["metadata"].get("uid"))
    if seen.deleted:
        known.pop(uid, None)
    else:
        known[uid] = seen.found
