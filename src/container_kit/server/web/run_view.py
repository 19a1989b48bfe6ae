"""The live run view in a browser: `/runs`, `/runs/ID` and their data.

The SDK does not protect custom routes. This module checks the token if the server requires one. A browser exchanges it
for a session, at `/runs/sign-in` or by the URL that the server prints, and sends the session's id in a cookie.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from container_kit.pipelines.request import RUN_NOT_FOUND
from container_kit.pipelines.runs.service import RunService
from container_kit.server.web.credentials import ValidCredentials
from container_kit.server.web.local_token import LocalTokenVerifier, query_token
from container_kit.server.web.view_sessions import ViewSession, ViewSessions
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.protocol.identity import principal_of
from container_kit.tools.registry import ALL
from container_kit.tools.results.run_json import run_json
from container_kit.tools.run_view.watch_run import WatchRunInput, watch_run
from container_kit.tools.tool import Tool

_COOKIE = "container_kit_view_{port}"
"""The name has the port, because browsers do not distinguish the ports of a host."""
_LISTED_RUNS = 100
_SIGN_IN_BYTES = 16_384
"""Maximum size of a sign-in request."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[Request, str | None], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class RunPages:
    """The pages of one server.

    Args:
        verifier: Verifies tokens; None if the server requires none.
        credentials: Receives the valid sessions, for the limits.
        https: Whether browsers reach the server only by HTTPS.
        tools: The tools that next actions may name, by name.
    """

    runs: RunService
    verifier: TokenVerifier | None
    credentials: ValidCredentials
    https: bool = False
    sessions: ViewSessions = field(default_factory=ViewSessions)
    tools: Mapping[str, Tool] = field(default_factory=lambda: {tool.name: tool for tool in ALL})

    def add_to(self, server: MCPServer) -> None:
        """Add the routes to a server."""
        routes: dict[str, Handler] = {
            "/runs": self._page,
            "/runs/data": self._list,
            "/runs/{run}": self._page,
            "/runs/{run}/data": self._run,
        }
        for path, handler in routes.items():
            server.custom_route(path, methods=["GET"])(self._protect(handler))
        server.custom_route("/runs/sign-in", methods=["POST"])(self._sign_in)

    def _protect(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def protected(request: Request) -> Response:
            if handler == self._page and (response := await self._sign_in_by_url(request)) is not None:
                return response
            session = await self._session(request)
            if session is None and self.verifier is not None:
                if handler == self._page:
                    return await self._page(request, None, status=401)  # the sign-in form, without data
                return _json({"message": "a token is required"}, 401)
            if session is None:
                return await handler(request, None)
            self.credentials.record(request.scope, session.principal)
            return await handler(request, session.principal)

        return protected

    async def _session(self, request: Request) -> ViewSession | None:
        """Return the session of a request, by its cookie or for its token."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return self.sessions.find(request.cookies.get(_cookie_name(request)))
        access = await self._verify(authorization.removeprefix("Bearer "))
        return None if access is None else ViewSession(principal_of(access), access.expires_at or float("inf"))

    async def _verify(self, token: str) -> AccessToken | None:
        access = await self.verifier.verify_token(token) if self.verifier and token else None
        return None if access is None or (access.expires_at and access.expires_at < time.time()) else access

    async def _sign_in(self, request: Request) -> Response:
        if not request.headers.get("content-type", "").lower().startswith("application/json"):
            return _json({"message": "the body must be JSON"}, 400)  # a form of another site can send no JSON
        token = await _submitted_token(request)
        access = await self._verify(token) if isinstance(token, str) else None
        if access is None:
            return _json({"message": "invalid token"}, 401)
        return self._set_cookie(request, Response(status_code=204, headers=_HEADERS), access)

    async def _sign_in_by_url(self, request: Request) -> Response | None:
        """Exchange the token in the URL that the server prints for a session; None without a token."""
        token = query_token(request.scope) if isinstance(self.verifier, LocalTokenVerifier) else None
        access = await self._verify(token) if token else None
        if access is None:
            return None
        redirect = RedirectResponse(request.url.path, 303, headers=_HEADERS)  # the token leaves the address bar
        return self._set_cookie(request, redirect, access)

    def _set_cookie(self, request: Request, response: Response, access: AccessToken) -> Response:
        session_id = self.sessions.create(principal_of(access), access.expires_at)
        name = _cookie_name(request)
        response.set_cookie(name, session_id, path="/runs", httponly=True, samesite="strict", secure=self.https)
        return response

    async def _page(self, _: Request, __: str | None, status: int = 200) -> Response:
        from container_kit.tools.run_view.page import page

        return HTMLResponse(await anyio.to_thread.run_sync(page, "'self'"), status, headers=_HEADERS)

    async def _list(self, _: Request, principal: str | None) -> Response:
        try:
            runs = await self.runs.list_runs(principal=principal, limit=_LISTED_RUNS)
        except StageFailure as failure:
            return _fault(failure)
        return _json({"runs": [run_json(run) | {"subject": dict(run.subject)} for run in runs]})

    async def _run(self, request: Request, principal: str | None) -> Response:
        try:
            arguments = WatchRunInput.model_validate({**request.query_params, "run": request.path_params["run"]})
            return _json(await watch_run(self.runs, principal, arguments, self.tools))
        except ValidationError:
            return _json({"message": "invalid query"}, 400)
        except StageFailure as failure:
            return _fault(failure)


async def _submitted_token(request: Request) -> object:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _SIGN_IN_BYTES:
            return None
    try:
        return json.loads(body)["token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _cookie_name(request: Request) -> str:
    server = request.scope.get("server") or ("", 0)
    return _COOKIE.format(port=server[1])


def _fault(failure: StageFailure) -> Response:
    status = 404 if failure.fault.code == RUN_NOT_FOUND.code else 503
    return _json({"code": failure.fault.code, "message": failure.fault.message}, status)


def _json(data: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(data, status, headers=_HEADERS)
