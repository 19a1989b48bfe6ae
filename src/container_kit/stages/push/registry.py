"""A registry's own interface (OCI distribution specification 1.1), to read a push back and to undo it."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.image_reference import DOCKER_HUB, Target

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
_WITHIN = (5.0, 20.0)
"""Seconds to connect, and for each piece of an answer."""
_MOST_BYTES = 8 * 2**20
_CERTIFICATES = Path("/etc/docker/certs.d")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class RegistryUnreachable(Exception):
    """The registry cannot be reached from here; the text says why."""


class RegistryError(Exception):
    """The registry refused a request.

    Args:
        status: The HTTP status.
        text: What it said, in one line.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        try:
            told = json.loads(self.content)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def good(self) -> _Answer:
        if self.status < 400:
            return self
        raise RegistryError(self.status, " ".join(self.content[:4000].decode(errors="replace").split())[:500])


@dataclass(frozen=True, slots=True)
class RegistryManifest:
    """A manifest as it lies in the registry."""

    digest: str
    media_type: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Registry:
    """One repository in a registry. Its calls block, each for a bounded time.

    Args:
        target: The repository.
        credentials: What to show.
        insecure: Whether the engine treats the registry as insecure: HTTP is tried, and no certificate is checked.
    """

    target: Target
    credentials: Credentials
    insecure: bool = False
    _session: Session | None = None
    _base: str = ""
    _authorization: str = field(default="", repr=False)

    def check(self) -> None:
        """Ask whether the registry is there and takes the credentials.

        Raises:
            Unreachable: It is not there.
            Refused: With status 401 or 403, the credentials are not good.
        """
        self._call("GET", "/v2/").good()

    def head(self, reference: str) -> RegistryManifest | None:
        """Ask for the digest of a tag or digest; None where the registry does not know it.

        Raises:
            Unreachable: No answer.
            Refused: An answer that tells nothing.
        """
        answer = self._call("HEAD", self._manifest(reference))
        if answer.status == 404:
            return None
        digest = answer.good().headers.get("Docker-Content-Digest", "")
        return RegistryManifest(digest) if digest else self.get(reference)

    def get(self, reference: str) -> RegistryManifest | None:
        """Read a manifest; its digest is computed here."""
        answer = self._call("GET", self._manifest(reference))
        if answer.status == 404:
            return None
        content = answer.good().content
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return RegistryManifest(digest, answer.headers.get("Content-Type", ""), content)

    def put(self, tag: str, manifest: RegistryManifest) -> None:
        """Let a tag name a manifest."""
        headers = {"Content-Type": manifest.media_type}
        self._call("PUT", self._manifest(tag), data=manifest.content, headers=headers).good()

    def delete(self, reference: str) -> None:
        """Delete a tag, or a manifest with all its tags; what is not there is no error."""
        answer = self._call("DELETE", self._manifest(reference))
        if answer.status != 404:
            answer.good()

    def tags(self, at_most: int) -> list[str]:
        """List tags; where there are more, an arbitrary part of them."""
        told = self._call("GET", f"/v2/{self.target.path}/tags/list?n={at_most}").good().json()
        return [str(tag) for tag in told.get("tags") or ()]

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()

    def _manifest(self, reference: str) -> str:
        return f"/v2/{self.target.path}/manifests/{reference}"

    def _call(self, method: str, path: str, **more: Any) -> _Answer:
        headers = {"Accept": _MANIFESTS, **more.pop("headers", {})}
        for attempt in (1, 2):
            known = {"Authorization": self._authorization} if self._authorization else {}
            answer = self._request(method, path, headers=headers | known, **more)
            if answer.status != 401 or attempt == 2 or not self._authorize(answer, path):
                return answer
        raise AssertionError("unreachable")

    def _request(self, method: str, path: str, **more: Any) -> _Answer:
        reasons: list[str] = []
        for base in [self._base] if self._base else self._bases():
            try:
                answer = self._fetch(method, base + path, **more)
            except RegistryUnreachable as error:
                reasons.append(str(error))
                continue
            self._base = base
            return answer
        raise RegistryUnreachable("; ".join(reasons))

    def _fetch(self, method: str, url: str, **more: Any) -> _Answer:
        """Make one request; of its answer at most some megabytes are read."""
        import requests
        import urllib3

        if self._session is None:
            self._session = requests.Session()
            self._session.auth = lambda request: request  # else a .netrc would replace what we show
        more |= {"timeout": _WITHIN, "stream": True} | self._trust()
        try:
            with self._session.request(method, url, **more) as answer:
                content = answer.raw.read(_MOST_BYTES, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise RegistryUnreachable(_reason(error)) from error
        return _Answer(answer.status_code, answer.headers, content)

    def _bases(self) -> list[str]:
        host = "registry-1.docker.io" if self.target.registry == DOCKER_HUB else self.target.registry
        return [f"https://{host}", *([f"http://{host}"] if self.insecure else [])]

    def _trust(self) -> dict[str, Any]:
        """The authorities and the certificate that docker has for this registry."""
        folder = _CERTIFICATES / self.target.registry
        authorities, certificates = sorted(folder.glob("*.crt")), sorted(folder.glob("*.cert"))
        trust: dict[str, Any] = {"verify": str(authorities[0]) if authorities else not self.insecure}
        if certificates:
            trust["cert"] = (str(certificates[0]), str(certificates[0].with_suffix(".key")))
        if trust["verify"] is False:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the engine's operator chose it
        return trust

    def _authorize(self, answer: _Answer, path: str) -> bool:
        """Do what a 401 asks for; False where we have nothing to show."""
        challenge = answer.headers.get("WWW-Authenticate", "")
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
        if not realm.startswith(("https://", "http://" if self.insecure else "https://")):
            raise RegistryError(401, "the registry sends credentials to a place that is not safe")
        scope = "" if path == "/v2/" else f"repository:{self.target.path}:pull,push,delete"
        wanted = {"service": challenge.get("service", "")} | ({"scope": scope} if scope else {})
        if self.credentials.identity_token:
            form = wanted | {"grant_type": "refresh_token", "refresh_token": self.credentials.identity_token}
            told = self._fetch("POST", realm, data=form | {"client_id": "container-kit"}).good().json()
        else:
            shown = {"Authorization": _basic(self.credentials)} if self.credentials.password else {}
            told = self._fetch("GET", realm, params=wanted, headers=shown).good().json()
        return str(told.get("token") or told.get("access_token") or "")


def is_insecure(registry: str, engine: dict[str, Any]) -> bool:
    """Tell whether an engine treats a registry as insecure.

    Args:
        registry: `host[:port]`.
        engine: The engine's `RegistryConfig`.
    """
    entry = (engine.get("IndexConfigs") or {}).get(registry)
    if entry is not None:
        return not entry.get("Secure", True)
    host = registry.rpartition(":")[0] if re.search(r":\d+\Z", registry) else registry
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    networks = [*(engine.get("InsecureRegistryCIDRs") or []), "127.0.0.0/8", "::1/128"]
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _reason(error: Exception) -> str:
    """The innermost reason, in one line."""
    while (inner := error.__cause__ or error.__context__) is not None and isinstance(inner, Exception):
        error = inner
    return " ".join(str(error).split())[:300] or type(error).__name__
