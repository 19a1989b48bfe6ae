"""Versions change while requests come in: a short gap, or none behind the proxy."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.verify import Verify
from support.engine.deployments import App, get
from support.engine.load import requests_at

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(120)]

Web = Callable[..., Image]


async def test_requests_fail_only_in_the_gap(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    with requests_at(first.host_port) as load:
        second = await app.deploy(web("v2"))
    assert load.versions == {"v1", "v2"}
    # The bar of 0.3 s is held by benchmarks/deploy.py; here other tests share the processors.
    assert load.longest_gap < second.gap_seconds + 10


async def test_behind_the_proxy_no_request_fails(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"), zero_downtime=True)
    for keep_alive in (False, True):
        with requests_at(first.host_port, rate=100, keep_alive=keep_alive) as load:
            second = await app.deploy(web("v2"), zero_downtime=True)
            await app.deploy(web("v1"), zero_downtime=True)
        assert load.versions == {"v1", "v2"}
        assert load.bad == []
        assert second.gap_seconds == 0


async def test_behind_the_proxy_a_request_that_was_begun_is_finished(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"), zero_downtime=True)
    answers: list[str] = []

    async def ask_slowly() -> None:
        while True:
            answers.append(await anyio.to_thread.run_sync(get, first.host_port, "/slow"))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask_slowly)
        await app.deploy(web("v2"), zero_downtime=True)
        group.cancel_scope.cancel()
    assert set(answers) == {"v1", "v2"}


async def test_the_proxy_comes_and_goes(app: App, web: Web) -> None:
    direct = await app.deploy(web("v1"))
    behind = await app.deploy(web("v2"), zero_downtime=True)
    assert behind.host_port == direct.host_port
    assert get(direct.host_port) == "v2"
    assert (await Verify(app.engine).execute(app.ctx(), behind)).healthy
    assert len(app.running()) == 2
    again = await app.deploy(web("v3"))
    assert get(direct.host_port) == "v3"
    assert app.running() == [again.container_name]
    await app.stage.rollback(app.ctx(), again)
    assert get(direct.host_port) == "v2"
    await app.stage.rollback(app.ctx(), behind)
    assert get(direct.host_port) == "v1"
    assert app.running() == [direct.container_name]


async def test_a_bad_version_never_gets_behind_the_proxy(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"), zero_downtime=True)
    with requests_at(first.host_port, rate=50) as load, pytest.raises(StageFailure) as failure:
        await app.deploy(web("exits", ["8000", "exits"]), zero_downtime=True)
    assert failure.value.fault.code == "deploy.exited"
    assert load.versions == {"v1"}
    assert load.bad == []


async def test_rollback_behind_the_proxy_fails_no_request_either(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"), zero_downtime=True)
    second = await app.deploy(web("v2"), zero_downtime=True)
    with requests_at(first.host_port, rate=100) as load:
        await app.stage.rollback(app.ctx(), second)
    assert load.versions == {"v1", "v2"}
    assert load.bad == []
    await app.stage.rollback(app.ctx(), first)
    assert app.containers() == []
