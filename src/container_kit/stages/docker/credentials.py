"""Credentials for a registry, found where docker and Podman keep them; never given as an argument.

In this order: CONTAINER_KIT_REGISTRY with CONTAINER_KIT_REGISTRY_USERNAME and _PASSWORD (for that registry alone),
DOCKER_AUTH_CONFIG (the text of a config.json), docker's config.json, REGISTRY_AUTH_FILE, Podman's auth.json. In each
file a helper for the registry (`credHelpers`) comes first, then the store (`credsStore`), then `auths`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
from pydantic import BaseModel, Field, ValidationError

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.docker.endpoint import docker_configuration_folder
from container_kit.stages.docker.image_reference import DOCKER_HUB

UNREADABLE = FaultCode(
    "push.credentials_unreadable",
    means="A file with registry credentials is there and cannot be read.",
    hint="Repair {place}, or log in again with `docker login {registry}`.",
)
HELPER = FaultCode(
    "push.credential_helper",
    means="The credential helper that docker's configuration names does not work.",
    hint="Run `echo {registry} | {program} get` to see what is wrong with it, or take it out of {place}.",
)
MISMATCH = FaultCode(
    "push.credentials_mismatch",
    means="A credential helper answered with the credentials of another registry.",
    hint="Take the wrong entry out with `{program} erase`, then `docker login {registry}`.",
)
FAULTS = (UNREADABLE, HELPER, MISMATCH)

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_WITHIN = 20.0
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_NOT_FOUND = "credentials not found"
_TOKEN = "<token>"  # noqa: S105 - the user name by which helpers say that the secret is an identity token


@dataclass(frozen=True, slots=True)
class Credentials:
    """What to show a registry; the secrets stay out of `repr`."""

    registry: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    source: str = ""
    """Where it was found."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(filter(None, (self.password, self.identity_token)))

    @property
    def header(self) -> str:
        """The value of X-Registry-Auth (Docker Engine API, "Authentication")."""
        known = {"serveraddress": _HUB_KEY if self.registry == DOCKER_HUB else self.registry}
        known |= {"identitytoken": self.identity_token} if self.identity_token else {}
        known |= {"username": self.username, "password": self.password} if self.password else {}
        return base64.urlsafe_b64encode(json.dumps(known).encode()).decode()


class _Entry(BaseModel):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = Field(default="", alias="identitytoken")


class _Config(BaseModel):
    auths: dict[str, _Entry] = {}
    helpers: dict[str, str] = Field(default={}, alias="credHelpers")
    store: str = Field(default="", alias="credsStore")


class _Answer(BaseModel):
    """What `docker-credential-NAME get` prints."""

    server: str = Field(default="", alias="ServerURL")
    username: str = Field(alias="Username")
    secret: str = Field(alias="Secret")


async def find(registry: str, path: str = "") -> Credentials:
    """Find the credentials for a registry; empty ones where there are none.

    Args:
        registry: `host[:port]`, or `docker.io`.
        path: The repository's path, for Podman keeps credentials by path too.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    if found := _from_environment(registry):
        return found
    for place, text in _texts(registry):
        config = _parsed(place, text, registry)
        if found := await _in_config(config, registry, path, place):
            return found
    return Credentials(registry, source="nowhere: anonymous")


def _from_environment(registry: str) -> Credentials | None:
    names = ("CONTAINER_KIT_REGISTRY", "CONTAINER_KIT_REGISTRY_USERNAME", "CONTAINER_KIT_REGISTRY_PASSWORD")
    host, username, password = (os.environ.get(name, "") for name in names)
    if not (host and username and password) or _host(host) != registry:
        return None
    return Credentials(registry, username, password, source="CONTAINER_KIT_REGISTRY_PASSWORD")


def _texts(registry: str) -> Iterator[tuple[str, str]]:
    """The configurations that are there, with where each was found."""
    if text := os.environ.get("DOCKER_AUTH_CONFIG"):
        yield "DOCKER_AUTH_CONFIG", text
    locations = [docker_configuration_folder() / "config.json"]
    locations += [Path(place)] if (place := os.environ.get("REGISTRY_AUTH_FILE")) else []
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    locations.append(Path(runtime) / "containers" / "auth.json")
    for file in locations:
        try:
            yield str(file), file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UNREADABLE(f"{file} cannot be read: {error}", place=file, registry=registry) from error


def _parsed(place: str, text: str, registry: str) -> _Config:
    try:
        return _Config.model_validate_json(text or "{}")
    except ValidationError as error:
        # The error itself would quote the file, hence passwords.
        problem = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['type']}" for part in error.errors()[:3])
        raise UNREADABLE(
            f"{place} is no docker configuration",
            evidence=[Evidence(kind="file", text=problem, where=place)],
            place=place,
            registry=registry,
        ) from None


async def _in_config(config: _Config, registry: str, path: str, place: str) -> Credentials | None:
    keys = {_host(key): key for key in config.helpers}
    helper = config.helpers[keys[registry]] if registry in keys else config.store
    if helper and (found := await _ask_helper(helper, registry, place)):
        return found
    entry = _entry(config.auths, registry, path)
    return _of_entry(entry, registry, place) if entry else None


def _entry(auths: dict[str, _Entry], registry: str, path: str) -> _Entry | None:
    """The entry of the registry, or of the longest part of the path that has one (containers-auth.json)."""
    by_name = {_name(key): entry for key, entry in auths.items()}
    parts = [registry, *path.split("/")]
    for length in range(len(parts), 0, -1):
        if entry := by_name.get("/".join(parts[:length])):
            return entry
    return None


def _of_entry(entry: _Entry, registry: str, place: str) -> Credentials | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth, validate=True).decode().rstrip("\0").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise UNREADABLE(
                f"the entry of {registry} in {place} is not base64", place=place, registry=registry
            ) from None
    if not password and not entry.identity_token:
        return None  # docker leaves an empty entry where a store holds the secret
    return Credentials(registry, username, password, entry.identity_token, place)


async def _ask_helper(name: str, registry: str, place: str) -> Credentials | None:
    program = shutil.which(f"docker-credential-{name}") if _HELPER_NAME.match(name) else None
    facts: dict[str, Any] = {"registry": registry, "program": f"docker-credential-{name}", "place": place}
    if program is None:
        raise HELPER(f"the credential helper docker-credential-{name[:60]} is not installed", **facts)
    asked = _HUB_KEY if registry == DOCKER_HUB else registry
    code, out, complaint = await _run_helper(program, asked, facts)
    if code != 0:
        if _NOT_FOUND in (out.decode(errors="replace") + complaint).lower():
            return None
        text = complaint.strip()[-500:] or f"exit code {code}"
        raise HELPER(f"{facts['program']} failed", evidence=[Evidence(kind="log", text=text)], **facts)
    try:
        answer = _Answer.model_validate_json(out)
    except ValidationError:
        raise HELPER(f"{facts['program']} gave no readable answer", **facts) from None
    if answer.server and _host(answer.server) != registry:
        raise MISMATCH(f"{facts['program']} was asked for {registry} and answered for {_host(answer.server)}", **facts)
    if answer.username == _TOKEN:
        return Credentials(registry, identity_token=answer.secret, source=facts["program"])
    return Credentials(registry, answer.username, answer.secret, source=facts["program"])


async def _run_helper(program: str, asked: str, facts: dict[str, Any]) -> tuple[int, bytes, str]:
    try:
        with anyio.fail_after(_HELPER_WITHIN):
            done = await anyio.run_process(
                [program, "get"], input=asked.encode(), stdout=PIPE, stderr=PIPE, check=False
            )
    except TimeoutError:
        raise HELPER(f"{facts['program']} gave no answer within {_HELPER_WITHIN:.0f} s", **facts) from None
    except OSError as error:
        raise HELPER(f"{facts['program']} cannot be started: {error.strerror}", **facts) from error
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def _host(key: str) -> str:
    """The registry that a key of a configuration is about: `https://index.docker.io/v1/` is `docker.io`."""
    return _name(key).partition("/")[0]


def _name(key: str) -> str:
    name = key.removeprefix("https://").removeprefix("http://").rstrip("/").removesuffix("/v1").removesuffix("/v2")
    host, slash, path = name.partition("/")
    return f"{DOCKER_HUB if host in {'index.docker.io', 'registry-1.docker.io'} else host}{slash}{path}"
