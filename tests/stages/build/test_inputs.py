"""Bad input is found before anything is built, and says what to give instead."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage, inputs
from container_kit.stages.build.context.build_context import walk
from container_kit.stages.build.context.tar import write_tar
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.formats.dockerignore import DockerIgnore
from support.pipelines.contexts import Contexts
from support.pipelines.stages import preview

Write = Callable[..., Path]


@pytest.fixture
def ctx(workspace: Workspace) -> Contexts:
    return Contexts("run", workspace)


def _refused(ctx: Contexts, root: Path, made: Dockerfile | None = None, **options: object) -> Fault:
    with pytest.raises(StageFailure) as caught:
        inputs.read_inputs(ctx(), Source(path=str(root)), BuildOptions(**options), made)  # type: ignore[arg-type] # fields
    return caught.value.fault


def test_a_missing_dockerfile_names_those_that_are_there(ctx: Contexts, write: Write) -> None:
    fault = _refused(ctx, write(**{"docker/Dockerfile": "FROM a\n"}))
    assert fault.code == "dockerfile.not_found"
    assert fault.next_actions[0].arguments == {"dockerfile": "docker/Dockerfile"}


def test_an_unknown_target_offers_the_nearest_stage(ctx: Contexts, write: Write) -> None:
    fault = _refused(ctx, write(Dockerfile="FROM a AS runtime\n"), target="runtme")
    assert (fault.code, fault.next_actions[0].arguments) == ("build.target_not_found", {"target": "runtime"})


def test_a_binary_dockerfile_is_a_fault(ctx: Contexts, write: Write) -> None:
    root = write(Dockerfile="")
    for junk in (b"\xff\xfe\x00F", b"FROM a\n\0\0"):
        (root / "Dockerfile").write_bytes(junk)
        assert _refused(ctx, root).code == "dockerfile.unreadable"


def test_an_ignore_file_with_a_broken_pattern_is_a_fault(ctx: Contexts, write: Write) -> None:
    assert (
        _refused(ctx, write(Dockerfile="FROM a\n", **{".dockerignore": "[z-a]\n"})).code == "dockerfile.ignore_invalid"
    )


def test_nothing_outside_the_workspace_is_read(
    ctx: Contexts, write: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "Dockerfile").write_text("FROM a\n")
    (outside / "key").write_text("secret")
    root = write(Dockerfile="FROM a\n")
    (root / "link").symlink_to(outside / "Dockerfile")
    up = os.path.relpath(outside, root)
    for options in (
        {"dockerfile": f"{up}/Dockerfile"},
        {"dockerfile": "link"},
        {"context": up},
        {"secrets": {"x": f"file:{up}/key"}},
        {"ca_file": f"{up}/key"},
    ):
        assert _refused(ctx, root, **options).code == "path.outside_workspace"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"tag": "No Good"}, "image.reference_invalid"),
        ({"build_args": {"A B": "1"}}, "build.argument_invalid"),
        ({"platforms": ("linux",)}, "build.argument_invalid"),
        ({"builder": "--help"}, None),
        ({"builder": "a b"}, "build.argument_invalid"),
        ({"cache_to": ("type=local,dest=/etc",)}, "build.argument_invalid"),
        ({"secrets": {"s": "env:CK_NO_SUCH_VARIABLE"}}, "build.secret_not_allowed"),
        ({"secrets": {"s": "file:nosuch"}}, "build.secret_not_found"),
        ({"secrets": {"s,src=/etc/shadow": "env:HOME"}}, "build.secret_not_found"),
        ({"ca_file": "nosuch.pem"}, "build.ca_file_invalid"),
        ({"ca_file": "Dockerfile"}, "build.ca_file_invalid"),
    ],
)
def test_options_that_cannot_work_are_refused(
    options: dict[str, object], code: str | None, ctx: Contexts, write: Write
) -> None:
    root = write(Dockerfile="FROM a\n")
    if code is not None:
        assert _refused(ctx, root, **options).code == code
    else:
        inputs.read_inputs(ctx(), Source(path=str(root)), BuildOptions(**options), None)  # type: ignore[arg-type] # fields


def test_a_secret_given_in_clear_is_refused_and_not_repeated(ctx: Contexts, write: Write) -> None:
    fault = _refused(ctx, write(Dockerfile="FROM a\n"), secrets={"s": "hunter2-in-clear"})
    assert fault.code == "build.secret_not_found"
    assert "hunter2" not in fault.model_dump_json()


def test_the_context_is_the_root_or_the_folder_of_a_modules_own_dockerfile(ctx: Contexts, write: Write) -> None:
    root = write(Dockerfile="FROM a\n", **{"api/Dockerfile": "FROM b\n", "web/x": ""})

    def read(module: str, made: Dockerfile | None = None, **options: str) -> tuple[str, str, str]:
        found = inputs.read_inputs(ctx(), Source(path=str(root), module=module), BuildOptions(**options), made)  # type: ignore[arg-type] # fields
        return found.parsed.path, found.context.relative_to(root).as_posix(), found.reference

    assert read(".") == ("Dockerfile", ".", "app:latest")
    assert read("api") == ("api/Dockerfile", "api", "app-api:latest")
    assert read("web") == ("Dockerfile", ".", "app-web:latest")
    assert read("api", Dockerfile(path="api/Dockerfile", content="FROM b\n"))[1] == "."
    assert read("api", context="web")[1] == "web"


@pytest.mark.anyio
async def test_a_dry_run_predicts_the_image(ctx: Contexts, write: Write) -> None:
    root = write(Dockerfile="FROM a AS x\nEXPOSE 1\nFROM b\nEXPOSE 8080/tcp 53/udp\nUSER app\nHEALTHCHECK CMD true\n")
    predicted = await preview(BuildImage(), ctx(), Source(path=str(root)), BuildOptions(tag="team/app:2"))
    assert predicted.output is not None
    made = predicted.output
    assert (made.id, made.reference, made.ports, made.user, made.healthcheck) == (
        "",
        "team/app:2",
        (8080,),
        "app",
        True,
    )
    assert "team/app:2" in predicted.changes[0]


@pytest.mark.anyio
async def test_what_only_buildx_can_do_is_a_fault_if_it_is_missing(
    ctx: Contexts, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from container_kit.stages.build.engine_builders import BuildRequest
    from container_kit.stages.build.select_builder import select_builder
    from container_kit.stages.docker.endpoint import Endpoint

    monkeypatch.setenv("PATH", str(tmp_path))
    root = write(Dockerfile="FROM a\n")
    read = inputs.read_inputs(ctx(), Source(path=str(root)), BuildOptions(), None)
    request = BuildRequest(
        root, root, "Dockerfile", "FROM a\n", read.ignore, "a:1", platforms=("linux/amd64", "linux/arm64")
    )
    with pytest.raises(StageFailure) as caught:
        select_builder(Endpoint("unix:///none"), request, {})
    assert caught.value.fault.code == "build.buildx_missing"
    assert "platforms" in caught.value.fault.hint


def test_a_file_that_is_cut_or_removed_while_it_is_sent_is_a_fault(write: Write) -> None:
    root = write(cut="", gone="here")
    with (root / "cut").open("wb") as file:
        file.truncate(8 << 20)

    def cut(_: bytes) -> None:
        os.truncate(root / "cut", 1 << 20)

    with pytest.raises(StageFailure) as failed:
        write_tar(walk(root, DockerIgnore([])), {}, cut)
    assert (failed.value.fault.code, failed.value.fault.retryable) == ("build.context_changed", True)
    assert "cut changed" in failed.value.fault.message

    entries = list(walk(root, DockerIgnore([])))
    (root / "gone").unlink()
    with pytest.raises(StageFailure, match=r"build\.context_changed: gone"):
        write_tar(entries, {}, lambda _: None)
