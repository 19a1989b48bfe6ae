"""A client of a registry's API (OCI distribution specification 1.1), to confirm a push and to undo it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from container_kit.stages.contract import expressions as re
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.image_reference import DOCKER_HUB, ImageReference
from container_kit.stages.push.addresses import AddressRefused, checking_adapter, resolve

if TYPE_CHECKING:
    from requests import Session

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_TIMEOUTS = (5.0, 20.0)
"""Seconds to connect, and for each piece of a response."""
_MAX_BYTES = 8 * 2**20
_CERTIFICATES = Path("/etc/docker/certs.d")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,128}")
_MAX_REDIRECTS = 4


class RegistryUnreachable(Exception):
    """The registry cannot be reached from this machine; the text gives the reason."""


class RegistryError(Exception):
    """The registry answered with an HTTP error.

    Args:
        status: The HTTP status.
        text: The registry's message, in one line.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        try:
            loaded = json.loads(self.content)
        except ValueError:
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def raise_for_status(self) -> _Response:
        if self.status < 400:
            return self
        raise RegistryError(self.status, _error_text(self.status, self.json()))


@dataclass(frozen=True, slots=True)
class RegistryManifest:
    """A manifest in the registry."""

    digest: str
    media_type: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Registry:
    """One repository in a registry. Its calls block for a bounded time.

    Args:
        reference: A tag in the repository.
        credentials: The credentials to use.
        insecure: Whether the engine treats the registry as insecure: HTTP is tried, and certificates are not checked.
    """

    reference: ImageReference
    credentials: Credentials
    insecure: bool = False
    _session: Session | None = None
    _base: str = ""
    _authorization: str = field(default="", repr=False)

    def check(self) -> None:
        """Check that the registry answers and accepts the credentials.

        Raises:
            RegistryUnreachable: The registry does not answer.
            RegistryError: With status 401 or 403, the registry rejects the credentials.
        """
        self._call("GET", "/v2/").raise_for_status()

    def head(self, name: str) -> RegistryManifest | None:
        """Return the digest of a tag or digest; None if it does not exist.

        Raises:
            RegistryUnreachable: The registry does not answer.
            RegistryError: The registry answers with another error.
        """
        response = self._call("HEAD", self._manifest(name))
        if response.status == 404:
            return None
        digest = response.raise_for_status().headers.get("Docker-Content-Digest", "")
        return RegistryManifest(digest) if _DIGEST.fullmatch(digest) else self.get(name)

    def get(self, name: str) -> RegistryManifest | None:
        """Read a manifest, and compute its digest."""
        response = self._call("GET", self._manifest(name))
        if response.status == 404:
            return None
        content = response.raise_for_status().content
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return RegistryManifest(digest, response.headers.get("Content-Type", ""), content)

    def put(self, tag: str, manifest: RegistryManifest) -> None:
        """Point a tag to a manifest."""
        headers = {"Content-Type": manifest.media_type}
        self._call("PUT", self._manifest(tag), data=manifest.content, headers=headers).raise_for_status()

    def delete(self, name: str) -> None:
        """Delete a tag, or a manifest with all its tags, if it exists."""
        response = self._call("DELETE", self._manifest(name))
        if response.status != 404:
            response.raise_for_status()

    def tags(self, limit: int) -> list[str]:
        """List at most as many tags as the limit allows, in arbitrary order."""
        listed = self._call("GET", f"/v2/{self.reference.path}/tags/list?n={limit}").raise_for_status().json()
        return [str(tag) for tag in listed.get("tags") or ()]

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()

    def _manifest(self, name: str) -> str:
        return f"/v2/{self.reference.path}/manifests/{name}"

    def _call(self, method: str, path: str, **options: Any) -> _Response:
        headers = {"Accept": _MANIFESTS, **options.pop("headers", {})}
        for attempt in (1, 2):
            authorization = {"Authorization": self._authorization} if self._authorization else {}
            response = self._request(method, path, headers=headers | authorization, **options)
            if response.status != 401 or attempt == 2 or not self._authorize(response, path):
                return response
        raise AssertionError("unreachable")

    def _request(self, method: str, path: str, **options: Any) -> _Response:
        reasons: list[str] = []
        for base in [self._base] if self._base else self._bases():
            try:
                response = self._fetch(method, base + path, **options)
            except RegistryUnreachable as error:
                reasons.append(str(error))
                continue
            self._base = base
            return response
        raise RegistryUnreachable("; ".join(reasons))

    def _fetch(self, method: str, url: str, **options: Any) -> _Response:
        """Send one request, and follow redirects of a read as long as they stay on the same host and port."""
        for _ in range(_MAX_REDIRECTS):
            response = self._send(method, url, **options)
            if not 300 <= response.status < 400:
                return response
            location = urljoin(url, response.headers.get("Location", ""))
            if method not in ("GET", "HEAD") or _origin(location) != _origin(url):
                break
            url = location
        raise RegistryError(response.status, "the registry redirects to another place, which is not followed")

    def _send(self, method: str, url: str, **options: Any) -> _Response:
        """Send one request, and read at most a few megabytes of its response.

        Raises:
            RegistryError: The host has an address that is never a registry's.
            RegistryUnreachable: The registry does not answer.
        """
        import requests
        import urllib3

        try:
            _check_address(url)
        except AddressRefused as refused:
            raise RegistryError(403, str(refused)) from refused
        if self._session is None:
            self._session = requests.Session()
            self._session.auth = lambda request: request  # otherwise a .netrc replaces the credentials
            for scheme in ("http://", "https://"):
                self._session.mount(scheme, checking_adapter())
        options |= {"timeout": _TIMEOUTS, "stream": True, "allow_redirects": False} | self._trust()
        try:
            with self._session.request(method, url, **options) as response:
                content = response.raw.read(_MAX_BYTES, decode_content=True)
        except AddressRefused as refused:  # the name has another address by now
            raise RegistryError(403, str(refused)) from refused
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise RegistryUnreachable(_reason(error)) from error
        return _Response(response.status_code, response.headers, content)

    def _bases(self) -> list[str]:
        host = "registry-1.docker.io" if self.reference.registry == DOCKER_HUB else self.reference.registry
        return [f"https://{host}", *([f"http://{host}"] if self.insecure else [])]

    def _trust(self) -> dict[str, Any]:
        """Return the CA and the client certificate that Docker has for this registry."""
        folder = _CERTIFICATES / self.reference.registry
        authorities, certificates = sorted(folder.glob("*.crt")), sorted(folder.glob("*.cert"))
        trust: dict[str, Any] = {"verify": str(authorities[0]) if authorities else not self.insecure}
        if certificates:
            trust["cert"] = (str(certificates[0]), str(certificates[0].with_suffix(".key")))
        if trust["verify"] is False:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the engine's operator allows it
        return trust

    def _authorize(self, response: _Response, path: str) -> bool:
        """Answer the challenge of a 401, and return whether there are credentials for it."""
        challenge = response.headers.get("WWW-Authenticate", "")
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "bearer":
            token = self._token(dict(_PARAMETER.findall(rest)), path)
            self._authorization = f"Bearer {token}" if token else ""
        elif scheme.lower() == "basic" and self.credentials.password:
            self._authorization = _basic(self.credentials)
        return bool(self._authorization)

    def _token(self, challenge: dict[str, str], path: str) -> str:
        """Get a token (distribution specification, "Token Authentication"), by OAuth2 for an identity token."""
        realm = challenge.get("realm", "")
        parts = urlsplit(realm)
        own_host = parts.hostname == urlsplit(self._bases()[0]).hostname
        if parts.scheme != "https" and not (self.insecure and parts.scheme == "http" and own_host):
            raise RegistryError(401, "the registry's token server does not use HTTPS")
        scope = "" if path == "/v2/" else f"repository:{self.reference.path}:pull,push,delete"
        query = {"service": challenge.get("service", "")} | ({"scope": scope} if scope else {})
        if self.credentials.identity_token:
            form = query | {"grant_type": "refresh_token", "refresh_token": self.credentials.identity_token}
            response = self._fetch("POST", realm, data=form | {"client_id": "container-kit"})
        else:
            headers = {"Authorization": _basic(self.credentials)} if self.credentials.password else {}
            response = self._fetch("GET", realm, params=query, headers=headers)
        granted = response.raise_for_status().json()
        return str(granted.get("token") or granted.get("access_token") or "")


def is_insecure(image: ImageReference, engine: dict[str, Any]) -> bool:
    """Return whether an engine treats the registry of an image as insecure.

    Args:
        image: The image.
        engine: The engine's `RegistryConfig`.
    """
    entry = (engine.get("IndexConfigs") or {}).get(image.registry)
    if entry is not None:
        return not entry.get("Secure", True)
    if image.host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(image.host.strip("[]"))
    except ValueError:
        return False
    networks = [*(engine.get("InsecureRegistryCIDRs") or []), "127.0.0.0/8", "::1/128"]
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)


def check_registry(registry: str) -> None:
    """Check the address of a registry. It blocks.

    Args:
        registry: `host[:port]`.

    Raises:
        AddressRefused: It has an address that is never a registry's.
    """
    _check_address(f"https://{registry}")


def _check_address(url: str) -> None:
    """Check the host of a URL, also for a connection through a proxy. A proxy may know names that this machine doesn't.

    Raises:
        AddressRefused: The host has an address that is never a registry's.
    """
    parts = urlsplit(url)
    with suppress(OSError, UnicodeError):
        resolve(parts.hostname or "", parts.port or 0)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _error_text(status: int, answer: dict[str, Any]) -> str:
    """Return the errors of an answer in the form of the distribution specification; nothing else of it is reported."""
    errors = answer.get("errors")
    listed = [error for error in errors[:3] if isinstance(error, dict)] if isinstance(errors, list) else []
    texts = [f"{_line(error.get('code'), 60)}: {_line(error.get('message'), 200)}" for error in listed]
    return "; ".join(texts) or http.client.responses.get(status, "no error of the registry")


def _line(value: object, longest: int) -> str:
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:longest]).split())


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _reason(error: Exception) -> str:
    """Return the innermost reason, in one line."""
    while (inner := error.__cause__ or error.__context__) is not None and isinstance(inner, Exception):
        error = inner
    return " ".join(str(error).split())[:300] or type(error).__name__
