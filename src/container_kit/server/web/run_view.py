"""The live run view in a browser: `/runs`, `/runs/ID` and their data.

The SDK does not protect custom routes. This module checks Host and Origin headers as on the MCP endpoint, and the token
if the server requires one. A browser sends the token in a cookie that it gets from `/runs/sign-in`.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from container_kit.pipelines.request import RUN_NOT_FOUND
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.protocol.identity import principal_of
from container_kit.tools.registry import ALL
from container_kit.tools.results.run_json import run_json
from container_kit.tools.run_view.watch_run import WatchRunInput, watch_run
from container_kit.tools.tool import Tool

_COOKIE = "container_kit_token"
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
        security: The accepted Host and Origin headers.
        https: Whether browsers reach the server only by HTTPS.
        tools: The tools that next actions may name, by name.
    """

    runs: RunService
    verifier: TokenVerifier | None
    security: TransportSecuritySettings
    https: bool = False
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
            rejection = await self._rejection(request)
            if rejection is not None:
                return rejection
            token = await self._token(request)
            if token is None and self.verifier is not None:
                if handler == self._page:
                    return await self._page(request, None, status=401)  # the sign-in form, without data
                return _json({"message": "a token is required"}, 401)
            return await handler(request, principal_of(token))

        return protected

    async def _rejection(self, request: Request) -> Response | None:
        """Return the response to a request that none of the pages would send."""
        rejection = await TransportSecurityMiddleware(self.security).validate_request(request, request.method == "POST")
        if rejection is None:
            return None
        return Response(rejection.body, rejection.status_code, headers=_HEADERS)

    async def _token(self, request: Request) -> AccessToken | None:
        if self.verifier is None:
            return None
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or _decode(
            request.cookies.get(_COOKIE)
        )
        return await self._verify(token)

    async def _verify(self, token: str) -> AccessToken | None:
        access = await self.verifier.verify_token(token) if self.verifier and token else None
        return None if access is None or (access.expires_at and access.expires_at < time.time()) else access

    async def _sign_in(self, request: Request) -> Response:
        rejection = await self._rejection(request)
        if rejection is not None:
            return rejection
        token = await _submitted_token(request)
        if not isinstance(token, str) or await self._verify(token) is None:
            return _json({"message": "invalid token"}, 401)
        response = Response(status_code=204, headers=_HEADERS)
        cookie = urlsafe_b64encode(token.encode()).decode()
        response.set_cookie(_COOKIE, cookie, path="/runs", httponly=True, samesite="strict", secure=self.https)
        return response

    async def _page(self, _: Request, __: str | None, status: int = 200) -> Response:
        from container_kit.tools.run_view.page import page

        return HTMLResponse(await anyio.to_thread.run_sync(page, "'self'"), status, headers=_HEADERS)

    async def _list(self, _: Request, principal: str | None) -> Response:
        try:
            runs = await self.runs.list_runs(principal=principal, limit=_LISTED_RUNS)
        except StageFailure as failure:
            return _fault(failure)
        return _json({"runs": [run_json(run) for run in runs]})

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
    except (ValueError, KeyError, TypeError):
        return None


def _decode(cookie: str | None) -> str:
    try:
        return urlsafe_b64decode(cookie or "").decode()
    except ValueError:
        return ""


def _fault(failure: StageFailure) -> Response:
    status = 404 if failure.fault.code == RUN_NOT_FOUND.code else 503
    return _json({"code": failure.fault.code, "message": failure.fault.message}, status)


def _json(data: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(data, status, headers=_HEADERS)
