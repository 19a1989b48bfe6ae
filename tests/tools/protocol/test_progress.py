from __future__ import annotations

import anyio
import pytest

from container_kit import Event
from container_kit.tools.protocol.progress import ProgressFeed, progress_feed, progress_line

pytestmark = pytest.mark.anyio


def event(kind: str = "stage_progress", progress: float = 0.0, **facts: object) -> Event:
    known = {"run_id": "r", "pipeline": "build", "time": 0.0, "stage": "build", "message": "step"}
    return Event.model_validate({"kind": kind, "progress": progress, **known, **facts})


class Client:
    def __init__(self) -> None:
        self.figures: list[float] = []
        self.lines: list[str] = []

    async def take(self, progress: float, total: float, message: str) -> None:
        assert progress <= total
        self.figures.append(progress)
        self.lines.append(message)

    @property
    def rose(self) -> bool:
        return all(a < b for a, b in zip(self.figures, self.figures[1:], strict=False))


async def test_the_figure_rises_with_each_notification_even_without_progress() -> None:
    client = Client()
    async with progress_feed(client.take) as feed:
        for number in range(50):
            feed(event(message=f"step {number}", attempt=number))
        feed(event("run_finished", 0.4, stage=None))
    assert len(client.figures) == 51
    assert client.rose
    assert client.figures[-1] == 100


async def test_only_the_end_of_the_run_reaches_the_total() -> None:
    client = Client()
    async with progress_feed(client.take) as feed:
        feed(event("stage_succeeded", 1.0, seconds=1))
        feed(event("stage_rolled_back", 1.0))
    assert client.rose
    assert client.figures[-1] < 100


async def test_a_blocked_client_delays_nothing_and_the_buffer_stays_small() -> None:
    feed = ProgressFeed()
    stuck = anyio.Event()

    async def never(*_: object) -> None:
        stuck.set()
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(feed.send_to, never)
            feed(event())
            await stuck.wait()
            for number in range(10_000):
                feed(event(message=f"line {number}"))
            assert len(feed._pending) == 1
            group.cancel_scope.cancel()


async def test_a_slow_client_receives_the_newest_line_of_a_stage() -> None:
    client = Client()
    feed = ProgressFeed()
    for number in range(100):
        feed(event(message=f"line {number}"))
    await feed.flush(client.take)
    assert client.lines == ["build: line 99"]


async def test_a_blocked_client_does_not_delay_the_end() -> None:
    async def never(*_: object) -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with progress_feed(never) as feed:
            feed(event())


async def test_raw_output_is_not_sent_as_progress() -> None:
    client = Client()
    async with progress_feed(client.take) as feed:
        feed(event("stage_output", message="Collecting flask"))
    assert client.lines == []


def test_a_line_names_the_stage_and_the_event() -> None:
    assert progress_line(event(message="step 3/7: RUN pip install")) == "build: step 3/7: RUN pip install"
    assert progress_line(event("stage_succeeded", seconds=2.345)) == "build: done in 2.3 s"
    assert progress_line(event("stage_started", attempt=2)) == "build: attempt 2"
