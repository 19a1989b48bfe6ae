"""Five tasks of pydocket that do nothing, each starting the next; prints the median in milliseconds."""

from __future__ import annotations

import asyncio
import statistics
import time

from docket import CurrentDocket, Docket, Worker  # type: ignore[import-not-found]  # in the peers' own environment

STEPS = 5
ended = asyncio.Event()


async def step(number: int, docket: Docket = CurrentDocket()) -> None:  # noqa: B008 - how pydocket hands it in
    """Nothing but starting the next one."""
    if number < STEPS:
        await docket.add(step)(number + 1)
    else:
        ended.set()


async def main() -> None:
    """Measure twenty chains."""
    async with Docket(name="five", url="memory://") as docket, Worker(docket) as worker:
        docket.register(step)
        running = asyncio.create_task(worker.run_forever())
        taken = []
        for _ in range(23):
            ended.clear()
            begin = time.perf_counter()
            await docket.add(step)(1)
            await ended.wait()
            taken.append((time.perf_counter() - begin) * 1000)
        print(statistics.median(taken[3:]))
        running.cancel()


if __name__ == "__main__":
    asyncio.run(main())
