"""Sixty-four parallel clients on one server while one of them builds. It checks order, not speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client

from support.mcp.servers import listening

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(240)]

CLIENTS = 64


async def test_the_build_of_one_client_blocks_no_other(
    tmp_path: Path, tiny_image: str, unique: Callable[[], str]
) -> None:
    name = unique()
    (tmp_path / name).mkdir()
    (tmp_path / name / "Dockerfile").write_text(f"FROM {tiny_image}\nRUN while true; do sleep 1; done # {name}\n")
    (tmp_path / name / "app.py").write_text("print('hello')\n")
    building, ended = anyio.Event(), anyio.Event()
    answers: list[Any] = []

    async def take(_progress: float, _total: float | None, message: str | None) -> None:
        if "step 2/2" in (message or ""):
            building.set()

    async def build(url: str) -> None:
        async with Client(url) as client:
            call: Any = client.call_tool
            await call("build", {"path": name}, progress_callback=take)
        ended.set()

    async def look(url: str, number: int) -> None:
        tool, arguments = (
            ("analyze", {"path": name}) if number % 2 else ("list-runs", {"status": "running", "pipeline": "build"})
        )
        async with Client(url) as client:
            answers.append(await client.call_tool(tool, arguments))

    with listening("http", tmp_path) as (url, _), anyio.fail_after(200):
        async with anyio.create_task_group() as group:
            group.start_soon(build, url)
            await building.wait()
            async with anyio.create_task_group() as others:
                for number in range(CLIENTS):
                    others.start_soon(look, url, number)
            assert not ended.is_set()  # the build is still running, and all others have results
            group.cancel_scope.cancel()
    assert len(answers) == CLIENTS
    assert not any(answer.is_error for answer in answers)
    listed = [answer.structured_content["runs"] for answer in answers if "runs" in answer.structured_content]
    assert [len(runs) for runs in listed] == [1] * (CLIENTS // 2)
