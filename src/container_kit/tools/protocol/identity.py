"""The principal of a request, in one format for protocol messages and web pages."""

from __future__ import annotations

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.request_state import compact_json


def principal_of(token: AccessToken | None) -> str | None:
    """Return the principal of a token in the format of the SDK's `authenticated_principal`."""
    return None if token is None else compact_json(principal_components(token))


def current_principal() -> str | None:
    """Return the principal of the current request."""
    return principal_of(get_access_token())
