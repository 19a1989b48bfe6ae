"""The DBOS engine of this process: configured once, launched on the caller's event loop.

Only this module touches private attributes of DBOS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import anyio.to_thread
import sqlalchemy as sa
from dbos import DBOS, DBOSPortableJSONSerializer
from dbos import _serialization as dbos_serialization

from container_kit.pipelines.durable.sealing import SealedJSONSerializer

JOURNAL_VERSION = "journal-1"
"""Constant, because DBOS uses a hash of the code by default, and a new release would not resume older runs."""
WORKFLOW = "run_pipeline"

_QUEUE_POLLING = 0.05
_MESSAGE_POLLING = 0.1

ExecuteSpec = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Executes a `RunSpec` in JSON form inside the workflow, and returns the response in JSON form."""


def _reject_pickle(_self: object, _text: str) -> NoReturn:
    raise TypeError("the journal holds JSON only; a pickled row is rejected")


def queue_name(environment_id: str) -> str:
    """Return the queue of the processes that may execute each other's runs."""
    return f"runs-{environment_id}" if environment_id else "runs"


def configure(
    engine: sa.Engine, executor_id: str, execute: ExecuteSpec, *, queue: str | None, key: str | None = None
) -> Callable[..., Any]:
    """Configure DBOS and return its only workflow.

    Args:
        engine: The store.
        executor_id: Unique for each process; with equal ids two processes would execute the same steps.
        execute: Executes the input of the workflow.
        queue: The queue to dequeue from; None if this process executes no queued runs.
        key: Encrypts the journal; None writes it as plain JSON.
    """
    # DBOS unpickles a row with a pickle tag, with any serializer: write access to a row would allow code execution.
    dbos_serialization.DefaultSerializer.deserialize = _reject_pickle  # type: ignore[method-assign,assignment]
    DBOS(
        config={
            "name": "container-kit",
            "system_database_url": engine.url.render_as_string(hide_password=False),
            "system_database_engine": engine,
            "executor_id": executor_id,
            "application_version": JOURNAL_VERSION,
            "serializer": DBOSPortableJSONSerializer() if key is None else SealedJSONSerializer(key),
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": _MESSAGE_POLLING,
        }
    )

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
    async def run_pipeline(spec: dict[str, Any]) -> dict[str, Any]:
        return await execute(spec)

    DBOS.listen_queues([queue] if queue else [])
    return run_pipeline


async def launch(queue: str, *, concurrency: int | None) -> None:
    """Start DBOS on this event loop and register the queue.

    Args:
        queue: Its name.
        concurrency: Queued runs at the same time over all processes. None keeps the registered limit; initially there
            is no limit. Runs with one concurrency key never run at the same time.
    """
    DBOS.launch()
    await DBOS.register_queue_async(
        queue,
        global_concurrency=concurrency,
        partition_concurrency=1,
        polling_interval_sec=_QUEUE_POLLING,
        on_conflict="never_update" if concurrency is None else "always_update",
    )


async def shut_down() -> None:
    """Stop DBOS. Unfinished runs stay in the journal, for the next process."""
    await anyio.to_thread.run_sync(lambda: DBOS.destroy(destroy_registry=True))
