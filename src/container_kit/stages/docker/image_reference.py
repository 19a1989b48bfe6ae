"""Names of images in registries (the distribution specification's grammar, docker's defaults)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import JsonValue

from container_kit.stages.contract.fault import FaultCode, NextAction

INVALID = FaultCode(
    "image.reference_invalid",
    means="The text is no name of an image in a registry.",
    hint="Give `[registry[:port]/]path` in lower case and a tag of letters, digits, `.`, `_` and `-`; {reason}.",
)

DOCKER_HUB = "docker.io"
_HOST = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?\Z")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """One tag in a registry."""

    registry: str
    path: str
    tag: str

    @property
    def name(self) -> str:
        """`registry/path`, as docker writes it: Docker Hub is left out."""
        if self.registry == DOCKER_HUB:
            return self.path.removeprefix("library/")
        return f"{self.registry}/{self.path}"

    @property
    def reference(self) -> str:
        """`registry/path:tag`."""
        return f"{self.name}:{self.tag}"


def target(repository: str, tag: str) -> Target:
    """Read a repository's name and a tag.

    Raises:
        StageFailure: `image.reference_invalid`.
    """
    first, slash, rest = repository.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    registry, path = (first, rest) if is_host else (DOCKER_HUB, repository)
    if registry in {"index.docker.io", "registry-1.docker.io"}:
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    _check(_HOST, registry, "registry")
    if ":" in path.rpartition("/")[2] or "@" in path:
        raise INVALID(
            f"{repository[:200]!r} bears a tag or digest",
            next_actions=_apart(repository),
            reason="the tag is given apart",
        )
    _check(_PATH, path, "path")
    _check(_TAG, tag, "tag")
    return Target(registry, path, tag)


def named(name: str) -> Target:
    """Read `name[:tag]`.

    Raises:
        StageFailure: `image.reference_invalid`.
    """
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return target(f"{folder}{slash}{last}", tag or "latest")


def _apart(repository: str) -> list[NextAction]:
    """The call with the tag given apart; a digest is not for a pusher to choose."""
    folder, slash, last = repository.partition("@")[0].rpartition("/")
    name, colon, tag = last.partition(":")
    arguments: dict[str, JsonValue] = {"repository": f"{folder}{slash}{name}"}
    if colon:
        arguments["tag"] = tag
    return [NextAction(why="Give the repository and the tag apart.", arguments=arguments)]


def tag_of(reference: str) -> str:
    """The tag in `name:tag`; `latest` where there is none."""
    last = reference.partition("@")[0].rpartition("/")[2]
    return last.partition(":")[2] or "latest"


def _check(pattern: re.Pattern[str], text: str, part: str) -> None:
    if not pattern.match(text):
        raise INVALID(f"{text[:80]!r} is no {part} of an image's name", reason=f"the {part} is what is wrong here")
