"""Who calls, where callers are told apart: the same words for a message of the protocol and for a page."""

from __future__ import annotations

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.request_state import compact_json


def caller_of(token: AccessToken | None) -> str | None:
    """The caller who bears a token, as the SDK's `authenticated_principal` says it."""
    return None if token is None else compact_json(principal_components(token))


def current_caller() -> str | None:
    """The caller of the request that is being answered."""
    return caller_of(get_access_token())
