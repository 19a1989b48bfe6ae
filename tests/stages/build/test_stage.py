"""Building images on the real engine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.docker.built_images import source_digest
from container_kit.stages.docker.engine import DockerEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, validate

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(120)]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files into a source folder: `write(Dockerfile="FROM …", **{"a/b.txt": "…"})`."""

    def into(**files: str) -> Path:
        for name, content in files.items():
            path = tmp_path / "app" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path / "app"

    return into


@pytest.fixture
def stage(engine: DockerEngine) -> BuildImage:
    return BuildImage(engine)


@pytest.fixture
def builder(docker_api: APIClient) -> str:
    """The builder that the engine at hand leads to."""
    podman = any("Podman" in part["Name"] for part in docker_api.version()["Components"])
    return "classic" if podman else "buildkit-session"


async def _build(stage: BuildImage, ctx: StageContext, root: Path, tag: str, **options: object) -> Image:
    return await execute(stage, ctx, Source(path=str(root)), BuildOptions(tag=tag, **options))  # type: ignore[arg-type] # fields


async def test_an_image_is_built_and_described(
    stage: BuildImage,
    builder: str,
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    docker_api: APIClient,
    tiny_image: str,
) -> None:
    root = write(
        Dockerfile=f"FROM {tiny_image}\nCOPY a.txt /\nRUN echo seen $(cat /a.txt)\nEXPOSE 8080 53/udp\nUSER 1000\n",
        **{"a.txt": "forty-two"},
    )
    image = await _build(stage, ctx(), root, unique(), no_cache=True)
    assert docker_api.inspect_image(image.reference)["Id"] == image.id
    assert (image.ports, image.user, image.healthcheck) == ((8080,), "1000", False)
    assert (image.builder, image.source) == (builder, str(root))
    assert image.steps == (3 if builder == "buildkit-session" else 6)  # the classic builder counts EXPOSE, USER, LABEL
    assert "seen forty-two" in ctx.lines
    assert any(line.startswith(f"step 3/{image.steps}: RUN echo seen") for line in ctx.messages)
    labels = docker_api.inspect_image(image.id)["Config"]["Labels"]
    ours = {name: value for name, value in labels.items() if name.startswith("io.container-kit.")}
    assert ours == {"io.container-kit.source": source_digest(str(root))}
    assert str(root) not in str(docker_api.inspect_image(image.id)), "no path of this machine is published"


async def test_a_second_build_says_which_steps_were_cached(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root, name = write(Dockerfile=f"FROM {tiny_image}\nRUN echo {unique()}\nRUN echo two\n"), unique()
    await _build(stage, ctx(), root, name)
    image = await _build(stage, ctx(), root, name)
    assert image.cached_steps == image.steps - 1 >= 2  # all but FROM
    told = f"step 2/{image.steps}: RUN echo"
    assert any(line.startswith(told) and line.endswith("(cached)") for line in ctx.messages)


async def test_rollback_removes_the_image(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], docker_api: APIClient, tiny_image: str
) -> None:
    root = write(Dockerfile=f"FROM {tiny_image}\nRUN echo {unique()}\n")
    image = await _build(stage, ctx(), root, unique())
    await stage.rollback(ctx(), image)
    with pytest.raises(ImageNotFound):
        docker_api.inspect_image(image.id)
    await stage.rollback(ctx(), image)


async def test_rollback_gives_the_name_back_to_the_image_that_had_it(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], docker_api: APIClient, tiny_image: str
) -> None:
    name = unique()
    first = await _build(stage, ctx(run_id=unique()), write(Dockerfile=f"FROM {tiny_image}\nRUN echo 1\n"), name)
    second = await _build(stage, ctx(), write(Dockerfile=f"FROM {tiny_image}\nRUN echo 2\n"), name)
    assert second.previous_id == first.id
    await stage.rollback(ctx(), second)
    assert docker_api.inspect_image(second.reference)["Id"] == first.id
    with pytest.raises(ImageNotFound):
        docker_api.inspect_image(second.id)


async def test_an_unchanged_build_makes_the_same_image_and_leaves_none_without_a_name(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], docker_api: APIClient, tiny_image: str
) -> None:
    root, name = write(Dockerfile=f"FROM {tiny_image}\nRUN echo {unique()}\n"), unique()
    first = await _build(stage, ctx(run_id=unique()), root, name)
    second = await _build(stage, ctx(run_id=unique()), root, name)
    assert second.id == first.id
    unnamed = {"label": f"io.container-kit.source={source_digest(str(root))}", "dangling": True}
    assert docker_api.images(filters=unnamed) == []
    await stage.rollback(ctx(), second)
    assert docker_api.inspect_image(first.reference)["Id"] == first.id, "what was there before stays"


async def test_rolling_back_one_name_of_an_image_leaves_its_other_names(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], docker_api: APIClient, tiny_image: str
) -> None:
    name, other = unique(), unique()
    older = await _build(stage, ctx(run_id=unique()), write(Dockerfile=f"FROM {tiny_image}\nRUN echo a\n"), name)
    root = write(Dockerfile=f"FROM {tiny_image}\nRUN echo {unique()}\n")
    kept = await _build(stage, ctx(run_id=unique()), root, other)
    made = await _build(stage, ctx(run_id=unique()), root, name)
    assert made.id == kept.id
    await stage.rollback(ctx(), made)
    assert docker_api.inspect_image(made.reference)["Id"] == older.id
    assert docker_api.inspect_image(kept.reference)["Id"] == kept.id


@pytest.mark.parametrize("there_before", [True, False], ids=["a name that was taken", "a name that was free"])
async def test_a_stage_that_died_before_its_journal_is_run_again_and_can_still_be_undone(
    engine: DockerEngine,
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    docker_api: APIClient,
    tiny_image: str,
    there_before: bool,
) -> None:
    name, older = unique(), None
    if there_before:
        root = write(Dockerfile=f"FROM {tiny_image}\nRUN echo older\n")
        older = (await _build(BuildImage(engine), ctx(run_id=unique()), root, name)).id
    root = write(Dockerfile=f"FROM {tiny_image}\nRUN echo {unique()}\n")
    lost = await _build(BuildImage(engine), ctx(), root, name)
    again = await _build(BuildImage(engine), ctx(), root, name)
    assert (again.id, again.previous_id) == (lost.id, older)
    await BuildImage(engine).rollback(ctx(), again)
    named = [one["Id"] for one in docker_api.images(name=name)]
    assert named == ([older] if older else [])


async def test_a_failing_step_names_its_line_its_exit_code_and_its_last_words(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(Dockerfile=f"FROM {tiny_image}\n# why\nRUN true \\\n && echo so it ends && exit 7\n")
    with pytest.raises(StageFailure) as caught:
        await _build(stage, ctx(), root, unique())
    fault = caught.value.fault
    assert fault.code == "build.step_failed"
    instruction, exit_code, log, *_ = fault.evidence
    assert (instruction.where, instruction.text) == ("Dockerfile:3", "RUN true && echo so it ends && exit 7")
    assert exit_code.text == "7"
    assert "so it ends" in log.text


async def test_secrets_and_secret_arguments_never_show(
    stage: BuildImage,
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    tiny_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CK_PLANTED", "hunter2-planted")
    root = write(
        Dockerfile=f"FROM {tiny_image}\nARG API_TOKEN\nRUN --mount=type=secret,id=planted cat /run/secrets/planted"
        " && echo && echo $API_TOKEN && exit 3\n"
    )
    with pytest.raises(StageFailure) as caught:
        await _build(
            stage,
            ctx(),
            root,
            unique(),
            secrets={"planted": "env:CK_PLANTED"},
            build_args={"API_TOKEN": "swordfish-planted"},
        )
    said = "\n".join([*ctx.messages, *ctx.lines, caught.value.fault.model_dump_json()])
    assert "hunter2" not in said
    assert "swordfish" not in said
    assert said.count("[redacted]") >= 2


async def test_a_cancelled_build_stops_and_leaves_nothing(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], docker_api: APIClient, tiny_image: str
) -> None:
    seconds, name = 3000 + int.from_bytes(os.urandom(2), "big"), unique()
    root = write(Dockerfile=f"FROM {tiny_image}\nRUN sleep {seconds}\n")
    async with anyio.create_task_group() as group:
        group.start_soon(_build, stage, ctx(), root, name)
        await _until(lambda: _sleeping(seconds), 30)
        group.cancel_scope.cancel()
    await _until(lambda: not _sleeping(seconds), 30)  # how soon is what benchmarks/build.py measures
    assert not [one for one in docker_api.containers(all=True) if f"sleep {seconds}" in one["Command"]]
    with pytest.raises(ImageNotFound):
        docker_api.inspect_image(name)


async def _until(happened: Callable[[], bool], within: float) -> None:
    with anyio.fail_after(within):
        while not happened():
            await anyio.sleep(0.01)


def _sleeping(seconds: int) -> bool:
    return subprocess.run(["pgrep", "-f", f"^sleep {seconds}$"], capture_output=True, check=False).returncode == 0


async def test_a_proposed_dockerfile_is_built_without_being_written(
    stage: BuildImage, ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(**{"a.txt": "x", "b.txt": "y"})
    proposed = Dockerfile(content=f"FROM {tiny_image}\nCOPY . /c\nRUN ls /c\n", ignore="b.txt\n", written=False)
    await execute(stage, ctx(), Source(path=str(root)), BuildOptions(tag=unique(), no_cache=True), proposed)
    assert "a.txt" in ctx.lines
    assert "b.txt" not in ctx.lines
    assert sorted(path.name for path in root.iterdir()) == ["a.txt", "b.txt"]


async def test_a_dead_engine_is_a_fault_within_seconds(ctx: Contexts, write: Write, tmp_path: Path) -> None:
    root = write(Dockerfile="FROM scratch\n")
    stage = BuildImage(DockerEngine(f"unix://{tmp_path}/none.sock"))
    with anyio.fail_after(5), pytest.raises(StageFailure) as caught:
        await validate(stage, ctx(), Source(path=str(root)), BuildOptions())
    assert caught.value.fault.code == "engine.unreachable"
