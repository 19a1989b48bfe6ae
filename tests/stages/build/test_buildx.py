"""Building with buildx, where it is installed: it is in no Debian 12, hence only with --run-slow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage, buildx
from container_kit.stages.contract.fault import StageFailure
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.slow]

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _installed() -> None:
    if buildx.find_buildx() is None:
        pytest.skip("docker buildx is not installed")


async def _build(stage: BuildImage, ctx: Contexts, root: Path, tag: str, **options: object) -> Image:
    chosen = BuildOptions(tag=tag, no_cache=True, **options)  # type: ignore[arg-type] # fields
    return await execute(stage, ctx(), Source(path=str(root)), chosen)


async def test_a_named_builder_builds_with_progress_secrets_and_arguments(
    stage: BuildImage,
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    tiny_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CK_PLANTED", "hunter2-planted")
    root = write(
        Dockerfile=f"FROM {tiny_image}\nARG API_TOKEN\nARG PLAIN\n"
        "RUN --mount=type=secret,id=s wc -c < /run/secrets/s; echo $PLAIN ${#API_TOKEN}\n"
    )
    secrets, arguments = {"s": "env:CK_PLANTED"}, {"API_TOKEN": "swordfish", "PLAIN": "seen"}
    image = await _build(stage, ctx, root, unique(), builder="default", secrets=secrets, build_args=arguments)
    assert (image.builder, image.steps) == ("buildx", 2)
    assert image.id.startswith("sha256:")
    assert {"15", "seen 9"} <= set(ctx.lines)
    assert any(line.startswith("step 2/2: RUN") for line in ctx.messages)


async def test_failures_of_buildx_are_explained_like_others(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    with pytest.raises(StageFailure) as caught:
        await _build(stage, ctx, write(Dockerfile=f"FROM {tiny_image}\nRUN frobnicate\n"), unique(), builder="default")
    assert caught.value.fault.code == "build.command_not_found"
    assert caught.value.fault.message.startswith("Dockerfile:2: ")


async def test_an_option_that_the_builder_does_not_support_is_a_fault(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(Dockerfile=f"FROM {tiny_image}\n")
    with pytest.raises(StageFailure) as caught:
        await _build(stage, ctx, root, unique(), builder="default", cache_to=("type=registry,ref=127.0.0.1:1/c",))
    assert caught.value.fault.code == "build.buildx_unsupported"
