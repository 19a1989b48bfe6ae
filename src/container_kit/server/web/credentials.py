"""The credentials that were recently found valid, so that limits can identify their bearers before any check."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from starlette.types import ASGIApp, Receive, Scope, Send

from container_kit.tools.protocol.identity import principal_of

_KEPT = 1000
_LOCAL = "the local user"


class ValidCredentials:
    """Digests of credentials with their principals. Keeps no credential."""

    def __init__(self) -> None:
        self._principals: OrderedDict[bytes, str] = OrderedDict()

    def principal(self, scope: Scope) -> str | None:
        """Return whose credential a request has; None if it has none that was found valid before."""
        digest = _digest(scope)
        return None if digest is None else self._principals.get(digest)

    def record(self, scope: Scope, principal: str | None) -> None:
        """Record that the credential of a request is valid."""
        digest = _digest(scope)
        if digest is None:
            return
        self._principals[digest] = principal or _LOCAL
        self._principals.move_to_end(digest)
        if len(self._principals) > _KEPT:
            self._principals.popitem(last=False)


class RecordCredentials:
    """ASGI middleware inside the authentication of the SDK. It records the tokens that were accepted."""

    def __init__(self, app: ASGIApp, credentials: ValidCredentials) -> None:
        self._app = app
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the token of a request and forward the request."""
        access = getattr(scope.get("user"), "access_token", None)
        if access is not None:
            self._credentials.record(scope, principal_of(access))
        await self._app(scope, receive, send)


def _digest(scope: Scope) -> bytes | None:
    headers = dict(scope["headers"])
    credential = headers.get(b"authorization") or headers.get(b"cookie")
    return sha256(credential).digest() if credential else None
