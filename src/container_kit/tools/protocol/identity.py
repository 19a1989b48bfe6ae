"""The principal of a request, in one format for protocol messages and web pages."""

from __future__ import annotations

from typing import Literal

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.request_state import compact_json


class LocalAccess(AccessToken):
    """The access of the user who runs the server, as over stdio and on the command line.

    It is a class and not a client id, because an authorization server could issue any client id.
    """


def principal_of(token: AccessToken | None) -> str | None:
    """Return the principal of a token in the format of the SDK's `authenticated_principal`; None for the local user."""
    return None if token is None or isinstance(token, LocalAccess) else compact_json(principal_components(token))


Role = Literal["viewer", "developer", "operator"]
"""A viewer changes nothing, a developer changes its own deployments, an operator those of all."""
_ROLES: tuple[Role, ...] = ("operator", "developer", "viewer")
_SCOPE = "container-kit:"


def scope_of(role: Role) -> str:
    """Return the OAuth scope of a role."""
    return _SCOPE + role


def role_of(token: AccessToken | None, default: Role = "viewer") -> Role:
    """Return the most powerful role in a token's scopes. The local user is an operator."""
    if token is None or isinstance(token, LocalAccess):
        return "operator"
    return next((role for role in _ROLES if scope_of(role) in token.scopes), default)


def current_role() -> Role:
    """Return the role of the caller of the current request."""
    return role_of(get_access_token())


def current_principal() -> str | None:
    """Return the principal of the current request."""
    return principal_of(get_access_token())
