"""The sessions of the run view in browsers: random ids in cookies, with the right to read runs and nothing else.

A browser sends cookies of a host to every port of it, so an application that was deployed on this machine may receive
them. An id is useless on every other route, and dies with the server.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

_LIFETIME = 12 * 3600.0
_PER_PRINCIPAL = 20
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class ViewSession:
    """A signed-in browser."""

    principal: str | None
    expires: float
    """Seconds since the epoch."""


class ViewSessions:
    """The sessions of one server, by the digest of their ids."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, ViewSession] = OrderedDict()

    def create(self, principal: str | None, token_expires: float | None) -> str:
        """Return the id of a new session, which ends with the token at the latest."""
        end = time.time() + _LIFETIME
        own = [key for key, session in self._sessions.items() if session.principal == principal]
        for key in own[: max(0, len(own) - _PER_PRINCIPAL + 1)]:
            del self._sessions[key]
        if len(self._sessions) >= _KEPT:
            self._sessions.popitem(last=False)
        session_id = secrets.token_urlsafe(32)
        self._sessions[_digest(session_id)] = ViewSession(principal, min(end, token_expires or end))
        return session_id

    def find(self, session_id: str | None) -> ViewSession | None:
        """Return the session with an id, if it has not ended."""
        session = self._sessions.get(_digest(session_id)) if session_id else None
        return session if session is not None and session.expires > time.time() else None


def _digest(session_id: str) -> bytes:
    return sha256(session_id.encode("utf-8", "surrogatepass")).digest()
