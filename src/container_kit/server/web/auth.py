"""Authentication over HTTP: a static token, the tokens of an OAuth issuer, or on loopback the token of the user."""

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
from container_kit.server.web.local_token import LocalTokenVerifier, has_static_token
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.tools.protocol.identity import Role, role_of, scope_of

if TYPE_CHECKING:
    from jwt import PyJWKClient

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_METADATA_PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
_ISSUER_TIMEOUT = 5.0
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_NO_ISSUER = "https://no-issuer.invalid"  # the SDK requires an issuer even for static tokens


class StaticTokenVerifier(TokenVerifier):
    """Verifies the bearer tokens from the settings.

    Args:
        tokens: The tokens with the names of their principals and their roles.
    """

    def __init__(self, tokens: Sequence[tuple[str, str, Role]]) -> None:
        self._tokens = [(token.encode(), name, role) for token, name, role in tokens]

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of a token, compared in constant time."""
        sent = token.encode("utf-8", "surrogatepass")
        matches = [(name, role) for known, name, role in self._tokens if hmac.compare_digest(sent, known)]
        if not matches:
            return None
        name, role = matches[0]
        return AccessToken(token=token, client_id=name, scopes=[scope_of(role)])


class JwtVerifier(TokenVerifier):
    """Verifies signed tokens (RFC 9068) of an OAuth issuer for this server as the audience.

    Args:
        issuer: The identifier of the authorization server. Its metadata (RFC 8414) names its keys.
        audience: The URL of this server.
        default_role: The role of tokens without a scope that names one.
    """

    def __init__(self, issuer: str, audience: str, default_role: Role = "developer") -> None:
        self._default_role = default_role
        self._issuer = issuer
        self._audience = audience
        self._keys: PyJWKClient | None = None

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of a token with valid signature, issuer, audience and times; None for any other."""
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
        except Exception:  # noqa: BLE001 - anybody can send anything as a token, such as deeply nested JSON
            return None
        access = AccessToken(
            token=token,
            client_id=str(claims.get("client_id") or claims.get("azp") or claims.get("sub") or "unknown"),
            scopes=str(claims.get("scope", "")).split(),
            expires_at=int(claims["exp"]),
            resource=self._audience,
            subject=claims.get("sub"),
            claims={"iss": claims["iss"]},
        )
        role = role_of(access, self._default_role)
        return access.model_copy(update={"scopes": [*access.scopes, scope_of(role)]})

    def _key_client(self) -> PyJWKClient:
        from jwt import PyJWKClient

        if self._keys is None:
            self._keys = PyJWKClient(_keys_url(self._issuer), timeout=_ISSUER_TIMEOUT)
        return self._keys


def token_verifier(settings: Settings, local_token: str | None = None) -> TokenVerifier | None:
    """Return the verifier of tokens; None if none is required.

    Args:
        local_token: The token of the user who runs the server, if the settings have no other authentication.
    """
    if has_static_token(settings):
        tokens = [(item.token.get_secret_value(), name, item.role) for name, item in settings.tokens.items()]
        if settings.auth_token is not None:
            tokens.insert(0, (settings.auth_token.get_secret_value(), "token", "operator"))
        return StaticTokenVerifier(tokens)
    if settings.oauth_issuer is not None and settings.public_url is not None:
        return JwtVerifier(settings.oauth_issuer, settings.public_url, settings.default_role)
    return None if local_token is None else LocalTokenVerifier(local_token)


def auth_settings(settings: Settings, local_token: str | None = None) -> AuthSettings | None:
    """Return the SDK's settings of a resource server; None without authentication.

    Raises:
        ConfigurationError: An issuer is set, but the URL of this server is not.
    """
    if settings.oauth_issuer is not None and settings.public_url is None:
        raise ConfigurationError(
            "CONTAINER_KIT_OAUTH_ISSUER needs CONTAINER_KIT_PUBLIC_URL, the audience of its tokens"
        )
    if not has_static_token(settings) and settings.oauth_issuer is None and local_token is None:
        return None
    with_issuer = not has_static_token(settings) and settings.oauth_issuer is not None
    return AuthSettings.model_validate(
        {
            "issuer_url": settings.oauth_issuer if with_issuer else _NO_ISSUER,
            "resource_server_url": settings.public_url if with_issuer else None,
            "validate_token_resource": with_issuer,
        }
    )


def transport_security(settings: Settings) -> TransportSecuritySettings:
    """Return the accepted Host and Origin headers: on loopback the local names, else those from the settings.

    The server's own pages are always accepted as an origin.

    Raises:
        ConfigurationError: The server would be reachable from other machines without protection.
    """
    if is_loopback(settings.host) and not settings.allowed_hosts:
        names = dict.fromkeys((*_LOOPBACK, f"[{settings.host}]" if ":" in settings.host else settings.host))
        hosts = [name + port for name in names for port in ("", ":*")]
        return _security_settings(hosts, settings.allowed_origins)
    missing = []
    if not is_loopback(settings.host) and token_verifier(settings) is None:
        missing.append("CONTAINER_KIT_AUTH_TOKEN, or CONTAINER_KIT_OAUTH_ISSUER with CONTAINER_KIT_PUBLIC_URL")
    if not settings.allowed_hosts:
        missing.append("CONTAINER_KIT_ALLOWED_HOSTS (the accepted Host headers, for example kit.example.org:*)")
    if missing:
        raise ConfigurationError(
            f"{settings.host} is reachable from other machines; to listen on it, set {'; and '.join(missing)}"
        )
    return _security_settings(settings.allowed_hosts, settings.allowed_origins)


def _security_settings(hosts: Sequence[str], origins: Sequence[str]) -> TransportSecuritySettings:
    own_origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=[*own_origins, *origins])


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _keys_url(issuer: str) -> str:
    for path in _METADATA_PATHS:
        try:
            with urllib.request.urlopen(issuer.rstrip("/") + path, timeout=_ISSUER_TIMEOUT) as response:  # noqa: S310 - from the settings
                metadata: dict[str, Any] = json.load(response)
        except OSError:
            continue
        if metadata.get("issuer") == issuer and isinstance(metadata.get("jwks_uri"), str):
            return str(metadata["jwks_uri"])
    raise OSError(f"{issuer} publishes no keys")
