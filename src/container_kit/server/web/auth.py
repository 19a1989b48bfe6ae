"""Who may call over HTTP: nobody from afar without a token, of this server's own or of an OAuth issuer."""

from __future__ import annotations

import hmac
import json
import urllib.request
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings

from container_kit.server.settings import Settings
from container_kit.stages.contract.fault import WiringError

if TYPE_CHECKING:
    from jwt import PyJWKClient

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
_ISSUER_ANSWERS_WITHIN = 5.0
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_NO_ISSUER = "https://no-issuer.invalid"  # the SDK asks for one also where tokens come from nowhere else


class StaticTokenVerifier(TokenVerifier):
    """The one bearer token of this server."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Compare in constant time."""
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        return AccessToken(token=token, client_id="token", scopes=[])


class JwtVerifier(TokenVerifier):
    """Signed tokens (RFC 9068) of an OAuth issuer, for this server as their audience.

    Args:
        issuer: The authorization server's identifier; its metadata (RFC 8414) names its keys.
        audience: The URL of this server.
    """

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys: PyJWKClient | None = None

    async def verify_token(self, token: str) -> AccessToken | None:
        """Check signature, issuer, audience and times; what does not hold is no token."""
        return await anyio.to_thread.run_sync(self._verify, token)

    def _verify(self, token: str) -> AccessToken | None:
        import jwt

        try:
            key = self._key_client().get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, OSError, ValueError):
            return None
        return AccessToken(
            token=token,
            client_id=str(claims.get("client_id") or claims.get("azp") or claims.get("sub") or "unknown"),
            scopes=str(claims.get("scope", "")).split(),
            expires_at=int(claims["exp"]),
            resource=self._audience,
            subject=claims.get("sub"),
            claims={"iss": claims["iss"]},
        )

    def _key_client(self) -> PyJWKClient:
        from jwt import PyJWKClient

        if self._keys is None:
            self._keys = PyJWKClient(_keys_url(self._issuer), timeout=_ISSUER_ANSWERS_WITHIN)
        return self._keys


def token_verifier(settings: Settings) -> TokenVerifier | None:
    """What checks tokens; None where none are asked for."""
    if settings.auth_token is not None:
        return StaticTokenVerifier(settings.auth_token.get_secret_value())
    if settings.oauth_issuer is not None and settings.public_url is not None:
        return JwtVerifier(settings.oauth_issuer, settings.public_url)
    return None


def auth_settings(settings: Settings) -> AuthSettings | None:
    """The SDK's settings for a resource server.

    Raises:
        WiringError: An issuer is named and this server's own URL is not.
    """
    if settings.oauth_issuer is not None and settings.public_url is None:
        raise WiringError("CONTAINER_KIT_OAUTH_ISSUER needs CONTAINER_KIT_PUBLIC_URL, the audience of its tokens")
    if settings.auth_token is None and settings.oauth_issuer is None:
        return None
    with_issuer = settings.auth_token is None
    return AuthSettings.model_validate(
        {
            "issuer_url": settings.oauth_issuer if with_issuer else _NO_ISSUER,
            "resource_server_url": settings.public_url if with_issuer else None,
            "validate_token_resource": with_issuer,
        }
    )


def transport_security(settings: Settings) -> TransportSecuritySettings:
    """Which Host and Origin headers are accepted: on loopback its own names, else what the operator names.

    A page of this server itself is among the origins.

    Raises:
        WiringError: The server would be open to others than this machine; the message says what to set.
    """
    if is_loopback(settings.host) and not settings.allowed_hosts:
        names = dict.fromkeys((*_LOOPBACK, f"[{settings.host}]" if ":" in settings.host else settings.host))
        hosts = [name + port for name in names for port in ("", ":*")]
        return _accepting(hosts, settings.allowed_origins)
    missing = []
    if not is_loopback(settings.host) and token_verifier(settings) is None:
        missing.append("CONTAINER_KIT_AUTH_TOKEN, or CONTAINER_KIT_OAUTH_ISSUER with CONTAINER_KIT_PUBLIC_URL")
    if not settings.allowed_hosts:
        missing.append("CONTAINER_KIT_ALLOWED_HOSTS (the Host headers to accept, for example kit.example.org:*)")
    if missing:
        raise WiringError(
            f"to listen on {settings.host}, others than this machine included, set {'; and '.join(missing)}"
        )
    return _accepting(settings.allowed_hosts, settings.allowed_origins)


def _accepting(hosts: Sequence[str], origins: Sequence[str]) -> TransportSecuritySettings:
    own = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=[*own, *origins])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _keys_url(issuer: str) -> str:
    for path in _METADATA:
        try:
            with urllib.request.urlopen(issuer.rstrip("/") + path, timeout=_ISSUER_ANSWERS_WITHIN) as answer:  # noqa: S310 - the operator's own URL
                metadata: dict[str, Any] = json.load(answer)
        except OSError:
            continue
        if metadata.get("issuer") == issuer and isinstance(metadata.get("jwks_uri"), str):
            return str(metadata["jwks_uri"])
    raise OSError(f"{issuer} tells no keys")
