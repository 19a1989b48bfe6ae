"""Pushing an image of the local engine to a registry, over the engine's API (`POST /images/{name}/push`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread

from container_kit.stages.docker_engine import DockerEngine
from container_kit.stages.fault import Evidence, FaultCode, StageFailure

PUSH_DENIED = FaultCode(
    "kubernetes.push_denied",
    means="The registry does not let this machine push the image.",
    hint="Sign in with `docker login {registry}` as a user who may push {repository}.",
)
PUSH_FAILED = FaultCode(
    "kubernetes.push_failed",
    means="The image could not be pushed to the registry.",
    hint="Is {registry} running and reachable from the engine? The engine's own words are in the evidence.",
    retryable=True,
)
PUSH_FAULTS = (PUSH_DENIED, PUSH_FAILED)

_DENIED = ("unauthorized", "denied", "authentication required", "no basic auth", "forbidden")


@dataclass(frozen=True, slots=True)
class Target:
    """Where an image is pushed."""

    registry: str
    """`host[:port]`."""
    repository: str
    """With the registry."""
    tag: str

    @property
    def reference(self) -> str:
        """`repository:tag`."""
        return f"{self.repository}:{self.tag}"


async def push(engine: DockerEngine, image_id: str, target: Target, tell: Callable[[str], None]) -> str:
    """Tag an image and push it; a cancel breaks the push off.

    Args:
        engine: The local engine.
        image_id: The image.
        target: Where to.
        tell: Told each line of the engine, from another thread.

    Returns:
        The manifest's digest, `sha256:…`.

    Raises:
        StageFailure: `kubernetes.push_denied`, `kubernetes.push_failed`, or a fault of the engine.
    """
    await engine.call(lambda api: api.tag(image_id, target.repository, target.tag))
    auth = await anyio.to_thread.run_sync(_credentials, target.registry)
    connection = engine.connection(None)

    def work() -> str:
        try:
            path = f"/images/{quote(target.repository, safe='/:')}/push?tag={quote(target.tag, safe='')}"
            connection.request("POST", path, headers={"X-Registry-Auth": auth, "Content-Length": "0"})
            return _digest(connection.getresponse(), target, tell)
        except (OSError, HTTPException) as error:
            raise engine.lost(error) from error
        finally:
            connection.close()

    return await engine.stream(work, connection.abort)


def _credentials(registry: str) -> str:
    """The header that signs in, from the docker configuration and its credential helpers; empty where there is none."""
    from docker import auth

    found = auth.resolve_authconfig(auth.load_config(), registry=registry) or {}
    return str(auth.encode_header(found).decode())


def _digest(answer: HTTPResponse, target: Target, tell: Callable[[str], None]) -> str:
    """Read the stream of records: an error stands in it, whatever the status was."""
    if answer.status >= 400:
        raise _failure(answer.read(4000).decode(errors="replace"), target)
    digest = ""
    for record in _records(answer):
        if "error" in record:
            raise _failure(str(record["error"]), target)
        if status := record.get("status"):
            layer = f"{record['id']}: " if record.get("id") else ""
            tell(f"{layer}{status}")
        digest = str((record.get("aux") or {}).get("Digest") or digest)
    if not digest.startswith("sha256:"):
        raise _failure("the push ended without a digest", target)
    return digest


def _records(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in answer:
        if line.strip():
            yield json.loads(line)


def _failure(words: str, target: Target) -> StageFailure:
    evidence = [Evidence(kind="log", text=words[:2000], where=target.reference)]
    code = PUSH_DENIED if any(word in words.lower() for word in _DENIED) else PUSH_FAILED
    what = f"{target.reference} cannot be pushed: {words[:200]}"
    return code(what, evidence=evidence, registry=target.registry, repository=target.repository)
