"""Credentials for a registry, read from the places where Docker and Podman keep them.

The order of precedence: CONTAINER_KIT_REGISTRY with CONTAINER_KIT_REGISTRY_USERNAME and _PASSWORD (only for that
registry), DOCKER_AUTH_CONFIG (the text of a config.json), Docker's config.json, REGISTRY_AUTH_FILE, Podman's auth.json.
Within a file, the registry's helper (`credHelpers`) comes first, then the store (`credsStore`), then `auths`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
from pydantic import BaseModel, Field, ValidationError

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.docker.endpoint import docker_configuration_folder
from container_kit.stages.docker.image_reference import DOCKER_HUB
from container_kit.stages.host.paths import runtime_folders

CREDENTIALS_UNREADABLE = FaultCode(
    "registry.credentials_unreadable",
    means="A file with registry credentials cannot be read.",
    hint="Repair {place}, or log in again with `docker login {registry}`.",
)
CREDENTIAL_HELPER_FAILED = FaultCode(
    "registry.credential_helper_failed",
    means="The credential helper that Docker's configuration names does not work.",
    hint="Run `echo {registry} | {program} get` to see its error, or remove it from {place}.",
)
CREDENTIALS_MISMATCH = FaultCode(
    "registry.credentials_mismatch",
    means="A credential helper returned credentials for a different registry.",
    hint="Remove the wrong entry with `{program} erase`, then run `docker login {registry}`.",
)
FAULTS = (CREDENTIALS_UNREADABLE, CREDENTIAL_HELPER_FAILED, CREDENTIALS_MISMATCH)

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_TIMEOUT = 20.0
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_NOT_FOUND = "credentials not found"
_TOKEN = "<token>"  # noqa: S105 - with this user name, the secret of a helper is an identity token


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials for one registry. `repr` does not show the secrets."""

    registry: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    source: str = ""
    """The place where they were found."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        return tuple(filter(None, (self.password, self.identity_token)))

    @property
    def server_address(self) -> str:
        """The registry's key in Docker's configuration and in the Engine API."""
        return _HUB_KEY if self.registry == DOCKER_HUB else self.registry

    @property
    def auth_config(self) -> dict[str, str]:
        """The credentials as the Engine API's AuthConfig."""
        config = {"serveraddress": self.server_address}
        config |= {"identitytoken": self.identity_token} if self.identity_token else {}
        config |= {"username": self.username, "password": self.password} if self.password else {}
        return config

    @property
    def header(self) -> str:
        """The value of X-Registry-Auth (Docker Engine API, "Authentication")."""
        return base64.urlsafe_b64encode(json.dumps(self.auth_config).encode()).decode()


class _Entry(BaseModel):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = Field(default="", alias="identitytoken")


class _Config(BaseModel):
    auths: dict[str, _Entry] = {}
    helpers: dict[str, str] = Field(default={}, alias="credHelpers")
    store: str = Field(default="", alias="credsStore")


class _HelperOutput(BaseModel):
    """The output of `docker-credential-NAME get`."""

    server: str = Field(default="", alias="ServerURL")
    username: str = Field(alias="Username")
    secret: str = Field(alias="Secret")


async def find_credentials(registry: str, path: str = "") -> Credentials:
    """Find the credentials for a registry; empty ones if none are configured.

    Args:
        registry: `host[:port]`, or `docker.io`.
        path: The path of the repository. Podman can keep different credentials for different paths.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    if credentials := _from_environment(registry):
        return credentials
    for place, text in _configurations(registry):
        config = _parse(place, text, registry)
        if configured := await _from_config(config, registry, path, place):
            return configured
    return Credentials(registry, source="nowhere: anonymous")


def registry_of(key: str) -> str:
    """Return the registry that a key of a configuration names: `docker.io` for `https://index.docker.io/v1/`."""
    return _normalize(key).partition("/")[0]


def _from_environment(registry: str) -> Credentials | None:
    names = ("CONTAINER_KIT_REGISTRY", "CONTAINER_KIT_REGISTRY_USERNAME", "CONTAINER_KIT_REGISTRY_PASSWORD")
    host, username, password = (os.environ.get(name, "") for name in names)
    if not (host and username and password) or registry_of(host) != registry:
        return None
    return Credentials(registry, username, password, source="CONTAINER_KIT_REGISTRY_PASSWORD")


def _configurations(registry: str) -> Iterator[tuple[str, str]]:
    """Read the configurations that exist, each with its place."""
    if text := os.environ.get("DOCKER_AUTH_CONFIG"):
        yield "DOCKER_AUTH_CONFIG", text
    for file in [docker_configuration_folder() / "config.json", *_podman_files()]:
        try:
            yield str(file), file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise CREDENTIALS_UNREADABLE(f"{file} cannot be read: {error}", place=file, registry=registry) from error


def _podman_files() -> Iterator[Path]:
    """List the places where Podman reads logins (containers-auth.json(5))."""
    if file := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(file)
    for folder in runtime_folders():
        yield folder / "containers" / "auth.json"
        if folder.parent == Path("/run/user"):
            yield Path("/run/containers") / folder.name / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers" / "auth.json"


def _parse(place: str, text: str, registry: str) -> _Config:
    try:
        return _Config.model_validate_json(text or "{}")
    except ValidationError as error:
        # The error's own text quotes the file, which holds passwords.
        problem = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['type']}" for part in error.errors()[:3])
        raise CREDENTIALS_UNREADABLE(
            f"{place} is not a valid Docker configuration",
            evidence=[Evidence(kind="file", text=problem, where=place)],
            place=place,
            registry=registry,
        ) from None


async def _from_config(config: _Config, registry: str, path: str, place: str) -> Credentials | None:
    keys = {registry_of(key): key for key in config.helpers}
    helper = config.helpers[keys[registry]] if registry in keys else config.store
    if helper and (credentials := await _from_helper(helper, registry, place)):
        return credentials
    entry = _find_entry(config.auths, registry, path)
    return _from_entry(entry, registry, place) if entry else None


def _find_entry(auths: dict[str, _Entry], registry: str, path: str) -> _Entry | None:
    """Find the entry with the longest prefix of the path, else the registry's (containers-auth.json)."""
    by_name = {_normalize(key): entry for key, entry in auths.items()}
    parts = [registry, *path.split("/")]
    for length in range(len(parts), 0, -1):
        if entry := by_name.get("/".join(parts[:length])):
            return entry
    return None


def _from_entry(entry: _Entry, registry: str, place: str) -> Credentials | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth, validate=True).decode().rstrip("\0").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise CREDENTIALS_UNREADABLE(
                f"the entry of {registry} in {place} is not base64", place=place, registry=registry
            ) from None
    if not password and not entry.identity_token:
        return None  # Docker leaves an empty entry if a store holds the secret
    return Credentials(registry, username, password, entry.identity_token, place)


async def _from_helper(name: str, registry: str, place: str) -> Credentials | None:
    program = shutil.which(f"docker-credential-{name}") if _HELPER_NAME.match(name) else None
    facts: dict[str, Any] = {"registry": registry, "program": f"docker-credential-{name}", "place": place}
    if program is None:
        raise CREDENTIAL_HELPER_FAILED(f"the credential helper docker-credential-{name[:60]} is not installed", **facts)
    code, out, err = await _run_helper(program, Credentials(registry).server_address, facts)
    if code != 0:
        if _NOT_FOUND in (out.decode(errors="replace") + err).lower():
            return None
        text = err.strip()[-500:] or f"exit code {code}"
        raise CREDENTIAL_HELPER_FAILED(
            f"{facts['program']} failed", evidence=[Evidence(kind="log", text=text)], **facts
        )
    try:
        output = _HelperOutput.model_validate_json(out)
    except ValidationError:
        raise CREDENTIAL_HELPER_FAILED(f"the output of {facts['program']} is not valid", **facts) from None
    if output.server and registry_of(output.server) != registry:
        message = f"{facts['program']} returned credentials of {registry_of(output.server)} for {registry}"
        raise CREDENTIALS_MISMATCH(message, **facts)
    if output.username == _TOKEN:
        return Credentials(registry, identity_token=output.secret, source=facts["program"])
    return Credentials(registry, output.username, output.secret, source=facts["program"])


async def _run_helper(program: str, server: str, facts: dict[str, Any]) -> tuple[int, bytes, str]:
    try:
        with anyio.fail_after(_HELPER_TIMEOUT):
            result = await anyio.run_process(
                [program, "get"], input=server.encode(), stdout=PIPE, stderr=PIPE, check=False
            )
    except TimeoutError:
        message = f"{facts['program']} did not answer within {_HELPER_TIMEOUT:.0f} s"
        raise CREDENTIAL_HELPER_FAILED(message, **facts) from None
    except OSError as error:
        raise CREDENTIAL_HELPER_FAILED(f"{facts['program']} cannot be started: {error.strerror}", **facts) from error
    return result.returncode, result.stdout, result.stderr.decode(errors="replace")


def _normalize(key: str) -> str:
    name = key.removeprefix("https://").removeprefix("http://").rstrip("/").removesuffix("/v1").removesuffix("/v2")
    host, slash, path = name.partition("/")
    return f"{DOCKER_HUB if host in {'index.docker.io', 'registry-1.docker.io'} else host}{slash}{path}"
