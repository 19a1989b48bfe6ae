"""The token of a server on loopback that has no other authentication.

Every user and program of this machine reaches a port on loopback, so the port is not a permission. The token is in a
file that only the server's user can read. Servers with the same state folder share it, so that clients keep working
after a restart.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from mcp.server.auth.provider import TokenVerifier
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from container_kit.server.settings import Settings
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.contract.private_files import UnsafePath, make_private_folder, shared_secret
from container_kit.tools.protocol.identity import LocalAccess

FILE = "http-token"
_PARAMETER = "token"
_SSE = "/sse"


def needs_local_token(settings: Settings) -> bool:
    """Return whether the server must use the token of the state folder."""
    return not (settings.no_token or has_static_token(settings) or settings.oauth_issuer)


def has_static_token(settings: Settings) -> bool:
    """Return whether the settings have bearer tokens."""
    return settings.auth_token is not None or bool(settings.tokens)


def local_token(home: Path) -> str:
    """Return the token of a state folder. Creates it if it does not exist.

    Raises:
        ConfigurationError: The file cannot be written, or other users can read or change it.
    """
    home = home.expanduser()
    try:
        make_private_folder(home)
        return shared_secret(home / FILE)
    except (OSError, UnsafePath) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(
            f"the token for HTTP cannot be kept in {home / FILE}: {reason}; fix it, or set CONTAINER_KIT_AUTH_TOKEN"
        ) from error


class LocalTokenVerifier(TokenVerifier):
    """Verifies the token of the state folder. Its bearer is the user who runs the server."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> LocalAccess | None:
        """Return the access of a token, compared in constant time."""
        if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token):
            return None
        return LocalAccess(token=token, client_id="local-user", scopes=[])


class QueryToken:
    """ASGI middleware that accepts the token in the URL that the server prints, as `?token=…`.

    Clients that take only a URL can then connect. The token leaves the query before anything else sees it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Move the token from the query to the Authorization header."""
        token = query_token(scope) if scope["type"] == "http" else None
        if token is None or _is_view(scope["path"]):  # the view exchanges the token for a session
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        headers.append((b"authorization", b"Bearer " + token.encode("latin-1", "replace")))
        scope = {**scope, "headers": headers, "query_string": _without_token(scope["query_string"])}
        await self._app(scope, receive, _add_to_endpoint(send, token) if scope["path"] == _SSE else send)


def query_token(scope: Scope) -> str | None:
    """Return the token in the query of a request."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=None)
    return next((value for name, value in pairs if name == _PARAMETER), None)


def with_token(url: str, token: str | None) -> str:
    """Return a URL with a token in its query."""
    return url if token is None else f"{url}?{urlencode({_PARAMETER: token})}"


def _without_token(query: bytes) -> bytes:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name != _PARAMETER]).encode()


def _add_to_endpoint(send: Send, token: str) -> Send:
    """Add the token to the URL to which the client of an SSE stream posts."""
    done = False

    async def sending(message: Message) -> None:
        nonlocal done
        if not done and b"event: endpoint" in message.get("body", b""):
            done = True
            parameter = urlencode({_PARAMETER: token}).encode()
            message = {**message, "body": message["body"].replace(b"?session_id=", b"?" + parameter + b"&session_id=")}
        await send(message)

    return sending


def _is_view(path: str) -> bool:
    return path == "/runs" or path.startswith("/runs/")
