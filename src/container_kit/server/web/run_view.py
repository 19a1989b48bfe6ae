"""The live run view in a browser: `/runs`, `/runs/ID` and the data behind them.

The SDK checks nothing on such routes, so all of it is done here: Host and Origin headers as on the MCP endpoint, and
the token where one is asked for. A browser brings the token in a cookie that it gets for it by `/runs/sign-in`.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from container_kit.pipelines.request import RUN_UNKNOWN
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.protocol.identity import caller_of
from container_kit.tools.results.run_json import run_data
from container_kit.tools.run_view.watch_run import WatchRunInput, watched

_COOKIE = "container_kit_token"
_LISTED = 100
_LONGEST = 16_384
"""Bytes of a message that signs in."""
_GUARDED = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Answer = Callable[[Request, str | None], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class RunPages:
    """The pages of one server.

    Args:
        tokens: Checks tokens; None where none are asked for.
        security: The Host and Origin headers that are accepted.
        secure: Whether browsers reach the server by https alone.
    """

    runs: RunService
    tokens: TokenVerifier | None
    security: TransportSecuritySettings
    secure: bool = False

    def add_to(self, server: MCPServer) -> None:
        """Add the routes."""
        routes: dict[str, Answer] = {
            "/runs": self._page,
            "/runs/data": self._list,
            "/runs/{run}": self._page,
            "/runs/{run}/data": self._run,
        }
        for path, answer in routes.items():
            server.custom_route(path, methods=["GET"])(self._guarded(answer))
        server.custom_route("/runs/sign-in", methods=["POST"])(self._sign_in)

    def _guarded(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            refusal = await self._refusal(request)
            if refusal is not None:
                return refusal
            token = await self._token(request)
            if token is None and self.tokens is not None:
                if answer == self._page:
                    return await self._page(request, None, status=401)  # it asks for the token and holds nothing else
                return _json({"message": "a token is needed"}, 401)
            return await answer(request, caller_of(token))

        return guarded

    async def _refusal(self, request: Request) -> Response | None:
        """What a request gets that no page of ours would send."""
        refusal = await TransportSecurityMiddleware(self.security).validate_request(request, request.method == "POST")
        if refusal is None:
            return None
        return Response(refusal.body, refusal.status_code, headers=_GUARDED)

    async def _token(self, request: Request) -> AccessToken | None:
        if self.tokens is None:
            return None
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or _read(request.cookies.get(_COOKIE))
        return await self._verified(given)

    async def _verified(self, given: str) -> AccessToken | None:
        token = await self.tokens.verify_token(given) if self.tokens and given else None
        return None if token is None or (token.expires_at and token.expires_at < time.time()) else token

    async def _sign_in(self, request: Request) -> Response:
        refusal = await self._refusal(request)
        if refusal is not None:
            return refusal
        given = await _sent_token(request)
        if not isinstance(given, str) or await self._verified(given) is None:
            return _json({"message": "this token is not accepted"}, 401)
        answer = Response(status_code=204, headers=_GUARDED)
        kept = urlsafe_b64encode(given.encode()).decode()
        answer.set_cookie(_COOKIE, kept, path="/runs", httponly=True, samesite="strict", secure=self.secure)
        return answer

    async def _page(self, _: Request, __: str | None, status: int = 200) -> Response:
        from container_kit.tools.run_view.page import page

        return HTMLResponse(await anyio.to_thread.run_sync(page, "'self'"), status, headers=_GUARDED)

    async def _list(self, _: Request, principal: str | None) -> Response:
        try:
            runs = await self.runs.newest(principal=principal, limit=_LISTED)
        except StageFailure as failure:
            return _fault(failure)
        return _json({"runs": [run_data(run) for run in runs]})

    async def _run(self, request: Request, principal: str | None) -> Response:
        try:
            asked = WatchRunInput.model_validate({**request.query_params, "run": request.path_params["run"]})
            return _json(await watched(self.runs, principal, asked))
        except ValidationError:
            return _json({"message": "the query does not fit"}, 400)
        except StageFailure as failure:
            return _fault(failure)


async def _sent_token(request: Request) -> object:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            return None
    try:
        return json.loads(body)["token"]
    except (ValueError, KeyError, TypeError):
        return None


def _read(cookie: str | None) -> str:
    try:
        return urlsafe_b64decode(cookie or "").decode()
    except ValueError:
        return ""


def _fault(failure: StageFailure) -> Response:
    status = 404 if failure.fault.code == RUN_UNKNOWN.code else 503
    return _json({"code": failure.fault.code, "message": failure.fault.message}, status)


def _json(data: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(data, status, headers=_GUARDED)
