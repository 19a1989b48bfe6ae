"""`notifications/resources/updated`: whoever subscribed to a run or to a stage's log is told that it changed.

In the revision of 2026 a client listens by `subscriptions/listen`; before, it subscribed to each resource.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import anyio
import anyio.abc
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.request_state import authenticated_principal
from mcp.server.subscriptions import ResourceUpdated, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import StageFailure

_OF_A_RUN = re.compile(r"run://([^/?]+)(?:/stages/([^/?]+)/log)?(?:\?.*)?")
_PAUSE = 0.2
"""Seconds between two notifications about one resource, which may each stand for many changes."""
_AT_ONCE = 32
"""Runs that one connection can be told of."""
_KEPT = "container-kit/subscriptions"

Tell = Callable[[str], Awaitable[None]]


class RunUpdates:
    """Tells of changes.

    Args:
        bus: Brings changes to the streams that listen for them.
    """

    def __init__(self, runs: RunService, bus: SubscriptionBus) -> None:
        self._runs = runs
        self._bus = bus

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware around `subscriptions/listen`: what the caller may see of runs is looked after while it lasts."""
        wanted = _listened(ctx)
        if not wanted:
            return await call_next(ctx)
        principal = authenticated_principal(ctx)
        theirs = [uri for uri in wanted if _OF_A_RUN.fullmatch(uri)]
        known = [uri for uri in theirs[:_AT_ONCE] if await self._is_known(uri, principal)]
        honoured = [uri for uri in wanted if uri in known or uri not in theirs]
        params = dict(ctx.params or {})
        params["notifications"] = {**params["notifications"], "resourceSubscriptions": honoured}
        result: HandlerResult = None
        refusal: MCPError | None = None
        async with anyio.create_task_group() as group:
            for uri in known:
                await group.start(self._keep_telling, uri, principal, self._publish)  # before it is acknowledged
            try:
                result = await call_next(replace(ctx, params=params))
            except MCPError as error:  # it would come out of the group as a group of errors
                refusal = error
            group.cancel_scope.cancel()
        if refusal is not None:
            raise refusal
        return result

    def add_to(self, server: MCPServer) -> None:
        """Serve `resources/subscribe` and `resources/unsubscribe`, which the SDK leaves to us."""
        lowlevel = server._lowlevel_server  # it has no other way to serve these two
        lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        uri, principal = str(params.uri), authenticated_principal(ctx)
        connection = ctx.session._connection  # what belongs to a client for longer than a request is kept there
        subscribed: dict[str, anyio.CancelScope] = connection.state.setdefault(_KEPT, {})
        if uri in subscribed or not _OF_A_RUN.fullmatch(uri):
            return EmptyResult()  # what is no run's does not change
        if len(subscribed) >= _AT_ONCE:
            raise MCPError(INVALID_PARAMS, f"{_AT_ONCE} subscriptions are as many as a connection can have")
        if not await self._is_known(uri, principal):
            raise MCPError(INVALID_PARAMS, f"no resource {uri[:200]}", {"uri": uri})
        scope = subscribed[uri] = anyio.CancelScope()
        connection.exit_stack.callback(scope.cancel)

        async def tell(task_status: TaskStatus[None]) -> None:
            with scope:
                await self._keep_telling(uri, principal, connection.send_resource_updated, task_status=task_status)
            subscribed.pop(uri, None)
            with suppress(RuntimeError):  # where it was cancelled before it had begun
                task_status.started()

        await ctx.lifespan_context.start(lambda *, task_status: tell(task_status))
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        subscribed = ctx.session._connection.state.get(_KEPT, {})
        if str(params.uri) in subscribed:
            subscribed.pop(str(params.uri)).cancel()
        return EmptyResult()

    async def _publish(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))

    async def _is_known(self, uri: str, principal: str | None) -> bool:
        try:
            await self._runs.get(_parts(uri)[0], principal)
        except StageFailure:
            return False
        return True

    async def _keep_telling(
        self, uri: str, principal: str | None, tell: Tell, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        """Tell of each change until the run has ended; many at once are one."""
        news = _News()
        async with anyio.create_task_group() as group:
            await group.start(self._hear, uri, principal, news)
            task_status.started()
            while news.heard or not news.ended:
                await news.any.wait()
                news.any = anyio.Event()
                if news.heard:
                    news.heard = False
                    await tell(uri)
                    await anyio.sleep(_PAUSE)

    async def _hear(
        self, uri: str, principal: str | None, news: _News, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        run_id, stage = _parts(uri)
        async for touched in self._runs.changes(run_id, principal, task_status.started):
            if stage is None or touched in (stage, None):
                news.heard = True
                news.any.set()
        news.ended = True
        news.any.set()


class _News:
    """What was heard and not told yet."""

    def __init__(self) -> None:
        self.any = anyio.Event()
        self.heard = False
        self.ended = False


@asynccontextmanager
async def living(_: MCPServer) -> AsyncIterator[anyio.abc.TaskGroup]:
    """The server's lifespan: a place for what goes on between requests."""
    async with anyio.create_task_group() as group:
        try:
            yield group
        finally:
            group.cancel_scope.cancel()


def _parts(uri: str) -> tuple[str, str | None]:
    found = _OF_A_RUN.fullmatch(uri)
    assert found is not None  # noqa: S101 - it was matched before
    return found[1], found[2]


def _listened(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    wanted = (ctx.params or {}).get("notifications") if ctx.method == "subscriptions/listen" else None
    uris = wanted.get("resourceSubscriptions") if isinstance(wanted, dict) else None
    return list(dict.fromkeys(map(str, uris))) if isinstance(uris, list) else []
