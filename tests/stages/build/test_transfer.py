"""How the context reaches the engine: by a session, as a tar for BuildKit, as a tar for the classic builder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from support.engine.proxy import EngineProxy
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Write = Callable[..., Path]

BUILDERS = ["buildkit-session", "buildkit", "classic"]


@pytest.fixture(params=BUILDERS)
def builder(request: pytest.FixtureRequest, proxy: Callable[..., EngineProxy]) -> Iterator[tuple[str, BuildImage]]:
    """Each builder, chosen by what the engine offers, on the real engine."""
    offers = {"sessions": request.param == "buildkit-session", "podman": request.param == "classic"}
    engine = DockerEngine(proxy(**offers).host)
    yield request.param, BuildImage(engine)
    engine.close()


async def _build(stage: BuildImage, ctx: Contexts, root: Path, tag: str, **options: object) -> Image:
    chosen = BuildOptions(tag=tag, no_cache=True, **options)  # type: ignore[arg-type] # fields
    return await execute(stage, ctx(), Source(path=str(root)), chosen)


async def test_the_builder_is_chosen_by_what_is_there_and_said(
    builder: tuple[str, BuildImage], ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    name, stage = builder
    root = write(Dockerfile=f"FROM {tiny_image}\nRUN echo here I am\n")
    image = await _build(stage, ctx, root, unique())
    steps = 2 if name != "classic" else 2 + 1  # the classic builder makes a step of a label
    assert (image.builder, image.steps) == (name, steps)
    assert "here I am" in ctx.lines
    assert any(line.startswith(f"step 2/{steps}: RUN echo here I am") for line in ctx.messages)


async def test_files_links_modes_and_names_arrive_as_they_are(
    builder: tuple[str, BuildImage], ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(
        Dockerfile=f"FROM {tiny_image}\nCOPY . /c\nWORKDIR /c\n"
        "RUN find . ! -type l -exec stat -c '%n %a %h %s' {} + ; readlink link;"
        " cat 'déjà vu.txt' dir/linked; sha256sum big\n",
        **{"empty": "", "dir/script.sh": "#!/bin/sh\n", "déjà vu.txt": "unicode\n", "dir/first": "twice\n"},
    )
    (root / "dir/script.sh").chmod(0o751)
    (root / "dir/linked").hardlink_to(root / "dir/first")
    (root / "link").symlink_to("dir/../déjà vu.txt")
    (root / "hollow").mkdir()
    big = os.urandom(1 << 20) * 24
    (root / "big").write_bytes(big)
    await _build(builder[1], ctx, root, unique())
    said = ctx.lines
    assert "./dir/script.sh 751 1 10" in said
    assert {"./dir/first 644 2 6", "./dir/linked 644 2 6"} <= set(said)
    assert "./empty 644 1 0" in said
    assert any(line.startswith("./hollow 755") for line in said)
    assert {"dir/../déjà vu.txt", "unicode", "twice"} <= set(said)
    assert f"{hashlib.sha256(big).hexdigest()}  big" in said


async def test_the_ignore_file_decides_what_arrives(
    builder: tuple[str, BuildImage], ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(
        Dockerfile=f"FROM {tiny_image}\nCOPY . /c\nRUN cd /c && find . -type f | sort\n",
        **{
            ".dockerignore": "# comment\nlib\n!lib/keep/*.txt\nlib/keep/b.txt\n**/*.log\nDockerfile\n",
            "lib/drop.txt": "",
            "lib/keep/a.txt": "",
            "lib/keep/b.txt": "",
            "deep/down/x.log": "",
            "deep/down/x.txt": "",
        },
    )
    await _build(builder[1], ctx, root, unique())
    arrived = [line for line in ctx.lines if line.startswith("./")]
    # BuildKit without a session finds its Dockerfile in the context only
    dockerfile = ["./Dockerfile"] if builder[0] == "buildkit" else []
    assert arrived == ["./.dockerignore", *dockerfile, "./deep/down/x.txt", "./lib/keep/a.txt"]


async def test_a_dockerfile_outside_the_context_is_found(
    builder: tuple[str, BuildImage], ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(
        **{"docker/app.Dockerfile": f"FROM {tiny_image}\nCOPY a.txt /\nRUN cat /a.txt\n", "app/a.txt": "found it"}
    )
    await _build(builder[1], ctx, root, unique(), dockerfile="docker/app.Dockerfile", context="app")
    assert "found it" in ctx.lines


async def test_a_link_that_copy_names_brings_what_it_points_to(
    engine: DockerEngine, ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    root = write(
        Dockerfile=f"FROM {tiny_image}\nCOPY current/conf /conf\nRUN cat /conf/a.txt\n",
        **{"v2/conf/a.txt": "version two"},
    )
    (root / "current").symlink_to("v2")
    await _build(BuildImage(engine), ctx, root, unique())
    assert "version two" in ctx.lines


async def test_extended_attributes_arrive(
    engine: DockerEngine, ctx: Contexts, write: Write, unique: Callable[[], str]
) -> None:
    root = write(
        Dockerfile="FROM python:3.11-slim\nCOPY a.txt /\n"
        "RUN python -c \"import os; print(os.getxattr('/a.txt', 'user.planted'))\"\n",
        **{"a.txt": ""},
    )
    try:
        os.setxattr(root / "a.txt", "user.planted", b"forty-two")
    except OSError:
        pytest.skip("the temporary folder's file system has no extended attributes")
    await _build(BuildImage(engine), ctx, root, unique())
    assert "b'forty-two'" in ctx.lines


async def test_a_second_build_sends_only_what_changed(
    proxy: Callable[..., EngineProxy], ctx: Contexts, write: Write, unique: Callable[[], str], tiny_image: str
) -> None:
    between = proxy()
    stage = BuildImage(DockerEngine(between.host))
    root = write(Dockerfile=f"FROM {tiny_image}\nCOPY . /c\nRUN cat /c/small.txt\n", **{"small.txt": "one"})
    (root / "big.bin").write_bytes(os.urandom(8 << 20))
    await _build(stage, ctx, root, unique())
    first = between.sent["POST /session"]
    (root / "small.txt").write_text("two")
    await _build(stage, ctx, root, unique())
    second = between.sent["POST /session"] - first
    assert first > 8 << 20
    assert second < 64 << 10
    assert "two" in ctx.lines


@pytest.mark.parametrize("offers", [{"sessions": False}, {"podman": True}], ids=["without sessions", "podman"])
async def test_secrets_are_rejected_before_the_build_if_the_builder_does_not_support_them(
    offers: dict[str, bool],
    proxy: Callable[..., EngineProxy],
    ctx: Contexts,
    write: Write,
    unique: Callable[[], str],
    tiny_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CK_PLANTED", "hunter2-planted")
    root = write(Dockerfile=f"FROM {tiny_image}\nRUN --mount=type=secret,id=planted cat /run/secrets/planted\n")
    engine = DockerEngine(proxy(**offers).host)
    with pytest.raises(StageFailure) as refused:
        await _build(BuildImage(engine), ctx, root, unique(), secrets={"planted": "env:CK_PLANTED"})
    engine.close()
    assert refused.value.fault.code == "build.secrets_unsupported"
    assert "planted" in refused.value.fault.message
