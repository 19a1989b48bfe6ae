"""`notifications/resources/updated` for runs and their logs.

In protocol revision 2026-07-28 a client uses `subscriptions/listen`; in earlier ones it subscribes to each resource.
"""

from __future__ import annotations

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
from mcp.server.subscriptions import ResourceUpdated, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.protocol.identity import current_principal
from container_kit.tools.protocol.sdk_internals import add_request_handler, connection_of

_RUN_URI = re.compile(r"run://([^/?]+)(?:/stages/([^/?]+)/log)?(?:\?.*)?")
_INTERVAL = 0.2
"""Seconds between two notifications about one resource. One notification can stand for many changes."""
_LIMIT = 32
"""Subscriptions of one connection."""
_STATE_KEY = "container-kit/subscriptions"

Notify = Callable[[str], Awaitable[None]]


class RunUpdates:
    """Notifies clients of changes of runs.

    Args:
        bus: Delivers changes to the streams of `subscriptions/listen`.
    """

    def __init__(self, runs: RunService, bus: SubscriptionBus) -> None:
        self._runs = runs
        self._bus = bus

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Watch the runs that a `subscriptions/listen` names while it lasts. This is a middleware."""
        uris = _requested_uris(ctx)
        if not uris:
            return await call_next(ctx)
        principal = current_principal()
        run_uris = [uri for uri in uris if _RUN_URI.fullmatch(uri)]
        watched = [uri for uri in run_uris[:_LIMIT] if await self._exists(uri, principal)]
        honoured = [uri for uri in uris if uri in watched or uri not in run_uris]
        params = dict(ctx.params or {})
        params["notifications"] = {**params["notifications"], "resourceSubscriptions": honoured}
        result: HandlerResult = None
        rejection: MCPError | None = None
        async with anyio.create_task_group() as group:
            for uri in watched:
                await group.start(self._watch, uri, principal, self._publish)  # before the acknowledgement
            try:
                result = await call_next(replace(ctx, params=params))
            except MCPError as error:  # the task group would wrap it in an exception group
                rejection = error
            group.cancel_scope.cancel()
        if rejection is not None:
            raise rejection
        return result

    def add_to(self, server: MCPServer) -> None:
        """Serve `resources/subscribe` and `resources/unsubscribe`."""
        add_request_handler(server, "resources/subscribe", SubscribeRequestParams, self._subscribe)
        add_request_handler(server, "resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        uri, principal = str(params.uri), current_principal()
        connection = connection_of(ctx)
        subscriptions: dict[str, anyio.CancelScope] = connection.state.setdefault(_STATE_KEY, {})
        if uri in subscriptions or not _RUN_URI.fullmatch(uri):
            return EmptyResult()  # other resources never change
        if len(subscriptions) >= _LIMIT:
            raise MCPError(INVALID_PARAMS, f"a connection can have at most {_LIMIT} subscriptions")
        if not await self._exists(uri, principal):
            raise MCPError(INVALID_PARAMS, f"there is no resource {uri[:200]}", {"uri": uri})
        scope = subscriptions[uri] = anyio.CancelScope()
        connection.exit_stack.callback(scope.cancel)

        async def watch(task_status: TaskStatus[None]) -> None:
            with scope:
                await self._watch(uri, principal, connection.send_resource_updated, task_status=task_status)
            subscriptions.pop(uri, None)
            with suppress(RuntimeError):  # already started, unless it was cancelled before
                task_status.started()

        await ctx.lifespan_context.start(lambda *, task_status: watch(task_status))
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        subscriptions = connection_of(ctx).state.get(_STATE_KEY, {})
        if str(params.uri) in subscriptions:
            subscriptions.pop(str(params.uri)).cancel()
        return EmptyResult()

    async def _publish(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))

    async def _exists(self, uri: str, principal: str | None) -> bool:
        try:
            run_id, _ = _parse_uri(uri)
            await self._runs.backend(run_id).get(run_id, principal)
        except StageFailure:
            return False
        return True

    async def _watch(
        self, uri: str, principal: str | None, notify: Notify, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        """Notify of changes until the run has finished. Changes in quick succession share one notification."""
        changes = _Changes()
        async with anyio.create_task_group() as group:
            await group.start(self._collect, uri, principal, changes)
            task_status.started()
            while changes.pending or not changes.ended:
                await changes.signal.wait()
                changes.signal = anyio.Event()
                if changes.pending:
                    changes.pending = False
                    await notify(uri)
                    await anyio.sleep(_INTERVAL)

    async def _collect(
        self, uri: str, principal: str | None, changes: _Changes, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        run_id, stage = _parse_uri(uri)
        async for changed_stage in self._runs.backend(run_id).watch(run_id, principal, task_status.started):
            if stage is None or changed_stage in (stage, None):
                changes.pending = True
                changes.signal.set()
        changes.ended = True
        changes.signal.set()


class _Changes:
    """Changes of a resource that the client has not been notified of."""

    def __init__(self) -> None:
        self.signal = anyio.Event()
        self.pending = False
        self.ended = False


@asynccontextmanager
async def server_lifespan(_: MCPServer) -> AsyncIterator[anyio.abc.TaskGroup]:
    """Yield a task group for work that outlives a request. It is the lifespan of the server."""
    async with anyio.create_task_group() as group:
        try:
            yield group
        finally:
            group.cancel_scope.cancel()


def _parse_uri(uri: str) -> tuple[str, str | None]:
    """Return the run id and the stage of a URI that matches."""
    match = _RUN_URI.fullmatch(uri)
    assert match is not None  # noqa: S101 - callers have matched it
    return match[1], match[2]


def _requested_uris(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    filters = (ctx.params or {}).get("notifications") if ctx.method == "subscriptions/listen" else None
    uris = filters.get("resourceSubscriptions") if isinstance(filters, dict) else None
    return list(dict.fromkeys(map(str, uris))) if isinstance(uris, list) else []
