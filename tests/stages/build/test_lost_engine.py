"""Engines that die, hang, fill up or are spoken to over TLS while they build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from support.engine.private_engine import PrivateEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, validate

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(150)]

Write = Callable[..., Path]


async def test_an_engine_killed_during_a_build_is_an_immediate_fault_and_the_build_works_again_afterwards(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts, write: Write
) -> None:
    private = private_engine()
    private.import_tiny("base:1")
    root = write(Dockerfile="FROM base:1\nRUN echo working && sleep 2\n")
    stage = BuildImage(DockerEngine(private.host))
    faults: list[str] = []

    async def build() -> None:
        try:
            await execute(stage, ctx(), Source(path=str(root)), BuildOptions(tag="app"))
        except StageFailure as failure:
            faults.append(failure.fault.code)

    async with anyio.create_task_group() as group:
        group.start_soon(build)
        with anyio.fail_after(30):
            while "working" not in ctx.lines:
                await anyio.sleep(0.02)
        await anyio.to_thread.run_sync(private.kill)
        with anyio.fail_after(30):
            while not faults:
                await anyio.sleep(0.02)
    assert faults == ["engine.connection_lost"]
    with anyio.fail_after(30), pytest.raises(StageFailure) as caught:
        await validate(stage, ctx(), Source(path=str(root)), BuildOptions())
    assert caught.value.fault.code == "engine.unreachable"
    await anyio.to_thread.run_sync(private.start)
    image = await execute(stage, ctx(), Source(path=str(root)), BuildOptions(tag="app"))
    assert image.id
    assert [one["RepoTags"] for one in private.api.images(name="app")] == [["app:latest"]]


async def test_a_full_disk_has_its_own_fault(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts, write: Write
) -> None:
    private = private_engine(disk_mb=48)
    private.import_tiny("base:1")
    root = write(Dockerfile="FROM base:1\nCOPY big /big\n")
    (root / "big").write_bytes(bytes(64 << 20))
    stage = BuildImage(DockerEngine(private.host))
    with anyio.fail_after(30), pytest.raises(StageFailure) as caught:
        await execute(stage, ctx(), Source(path=str(root)), BuildOptions(tag="app"))
    assert caught.value.fault.code == "engine.disk_full"
    assert private.api.images(name="app") == []
