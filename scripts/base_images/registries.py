"""Registries that the engine can ask: a name that one of them has is pulled, never made."""

from __future__ import annotations

import re
from collections.abc import Iterable

import anyio

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine

_REFUSED = re.compile("toomanyrequests|rate limit|unauthorized|access denied")
_ABSENT = re.compile("manifest unknown|not found")


def without_pullable(names: Iterable[str]) -> list[str]:
    """Return the names that no registry has. A registry without an answer is not asked again."""
    wanted: list[str] = []
    silent: set[str] = set()
    for name in names:
        registry = _registry(name)
        answer = None if registry in silent else has_image(name)
        if answer is None:
            silent.add(registry)
        if not answer:
            wanted.append(name)
    return wanted


def has_image(name: str) -> bool | None:
    """Return whether the registry has an image, and None without an answer; it is asked as for a pull.

    A registry that limits or refuses this machine counts as having the image.
    """
    engine = DockerEngine(timeout=8)
    try:
        anyio.run(engine.call, lambda api: api.inspect_distribution(name))
    except StageFailure as failure:
        text = " ".join(evidence.text for evidence in failure.fault.evidence)
        if _REFUSED.search(text):
            return True
        return False if _ABSENT.search(text) else None
    finally:
        engine.close()
    return True


def _registry(name: str) -> str:
    host, slash, _ = name.partition("/")
    return host if slash and re.search(r"[.:]|^localhost$", host) else "docker.io"
