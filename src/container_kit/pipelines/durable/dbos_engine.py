"""The DBOS engine of this process: configured once, launched on the caller's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import anyio.to_thread
import sqlalchemy as sa
from dbos import DBOS, DBOSPortableJSONSerializer
from dbos import _serialization as dbos_serialization

JOURNAL_VERSION = "journal-1"
"""Constant: by default DBOS takes a hash of the code, and a new release would leave older runs lying."""
WORKFLOW = "run_pipeline"

Carry = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def _refuse_pickle(_self: object, _text: str) -> NoReturn:
    raise TypeError("the journal holds JSON only; a pickled row is refused")


def queue_of(surroundings: str) -> str:
    """The queue of those processes that may carry out each other's runs."""
    return f"runs-{surroundings}" if surroundings else "runs"


def make(engine: sa.Engine, owner: str, carry: Carry, *, queue: str | None, polling: float) -> Callable[..., Any]:
    """Configure DBOS and return the one workflow that it knows; its input is a `RunSpec` as JSON.

    Args:
        owner: The executor's id; unique for each process, or two of them would carry out the same steps.
        carry: Carries out a spec inside the workflow.
        queue: The queue that this process takes runs from; None where it takes none.
        polling: Seconds between two looks for messages.
    """
    # DBOS unpickles a row that is tagged so, whatever serializer is set: whoever can write a row could run code.
    dbos_serialization.DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[method-assign,assignment]
    DBOS(
        config={
            "name": "container-kit",
            "system_database_url": engine.url.render_as_string(hide_password=False),
            "system_database_engine": engine,
            "executor_id": owner,
            "application_version": JOURNAL_VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": polling,
        }
    )

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
    async def run_pipeline(spec: dict[str, Any]) -> dict[str, Any]:
        return await carry(spec)

    DBOS.listen_queues([queue] if queue else [])
    return run_pipeline


async def launch(queue: str, *, concurrency: int | None, polling: float) -> Any:
    """Start DBOS on this event loop and register the queue, which it returns.

    Args:
        queue: Its name.
        concurrency: How many runs of the queue at once over all processes; None leaves it as the last one who cared
            set it, at first without a limit. Of one target there is never more than one.
        polling: Seconds between two looks for queued runs.
    """
    DBOS.launch()
    return await DBOS.register_queue_async(
        queue,
        global_concurrency=concurrency,
        partition_concurrency=1,
        polling_interval_sec=polling,
        on_conflict="never_update" if concurrency is None else "always_update",
    )


async def shut_down() -> None:
    """Stop DBOS; what runs stays in the journal for whoever comes next."""
    await anyio.to_thread.run_sync(lambda: DBOS.destroy(destroy_registry=True))
