"""A build must not carry variables or files of the server out, nor be held up by them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from docker import APIClient

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.contract.workspace import Workspace
from container_kit.tools.custom import pipeline_finder
from support.mcp.servers import environment
from support.mcp.tools import connected

pytestmark = pytest.mark.anyio

PLANTED = "TOKEN-PLANTED-99887766"
COPYING = """\
FROM IMAGE
RUN --mount=type=secret,id=a base64 /run/secrets/a > /leak.txt
"""
RUNNING = [sys.executable, "-m", "container_kit.server.cli.main", "run"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace" / "repository"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    return folder


async def build(repository: Path, allowed: tuple[str, ...] = (), **arguments: Any) -> Any:
    find = pipeline_finder((), policy=OperatorPolicy(build_secrets=allowed))
    async with connected(RunService(Workspace([repository.parent]), find=find)) as client:
        return await client.call_tool("build", {"path": str(repository), **arguments})


VARIABLES = [
    *("CONTAINER_KIT_AUTH_TOKEN", "CONTAINER_KIT_STORE", "container_kit_auth_token", "AWS_SECRET_ACCESS_KEY"),
    *("ANTHROPIC_API_KEY", "HOME", "PATH", "NOT_SET_ANYWHERE"),
]


@pytest.mark.parametrize("variable", VARIABLES)
async def test_no_variable_is_handed_to_a_build_unless_the_operator_allows_it(
    variable: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable not in ("HOME", "PATH", "NOT_SET_ANYWHERE"):
        monkeypatch.setenv(variable, PLANTED)
    for dry_run in (False, True):
        result = await build(repository, secrets={"a": f"env:{variable}"}, dry_run=dry_run)
        assert result.structured_content["code"] == "build.secret_not_allowed"  # the same if it is not set
        assert PLANTED not in result.model_dump_json()


@pytest.mark.parametrize("pattern", ["*", "CONTAINER_KIT_*", "CONTAINER_KIT_AUTH_TOKEN", "C*"])
async def test_no_rule_of_the_operator_hands_out_variables_of_container_kit(
    pattern: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_KIT_AUTH_TOKEN", PLANTED)
    result = await build(repository, (pattern,), secrets={"a": "env:CONTAINER_KIT_AUTH_TOKEN"})
    assert result.structured_content["code"] == "build.secret_not_allowed"


@pytest.mark.engine
async def test_the_answer_names_the_variables_that_were_handed_over(
    repository: Path, tiny_image: str, unique: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_NPM_KEY", PLANTED)
    (repository / "Dockerfile").write_text(COPYING.replace("IMAGE", tiny_image))
    tag, secrets = f"{unique()}:1", {"a": "env:BUILD_NPM_KEY"}
    result = await build(repository, ("BUILD_*",), tag=tag, secrets=secrets)
    assert not result.is_error, result.content
    assert result.structured_content["image"]["secret_variables"] == ["BUILD_NPM_KEY"]
    assert "its Dockerfile received BUILD_NPM_KEY" in result.content[0].text
    (repository / "Dockerfile").write_text(COPYING.replace("IMAGE", tiny_image) + "RUN exit 3\n")
    failed = await build(repository, ("BUILD_*",), tag=tag, secrets=secrets)
    assert failed.is_error
    assert "BUILD_NPM_KEY" in failed.content[0].text
    assert PLANTED not in result.model_dump_json() + failed.model_dump_json()


@pytest.mark.engine
async def test_a_person_at_the_terminal_hands_over_only_the_variables_that_they_name(
    repository: Path, tiny_image: str, unique: Callable[[], str], docker_api: APIClient
) -> None:
    (repository / "Dockerfile").write_text(COPYING.replace("IMAGE", tiny_image))
    tag = f"{unique()}:1"

    def run(place: str) -> subprocess.CompletedProcess[str]:
        variables = environment(repository.parent, MY_KEY=PLANTED, CONTAINER_KIT_REGISTRY_PASSWORD=PLANTED)
        command = [*RUNNING, "build", str(repository), "--tag", tag, "--secrets", f"a={place}"]
        return subprocess.run(
            command, env=variables, cwd=repository, capture_output=True, text=True, timeout=100, check=False
        )

    named = await anyio.to_thread.run_sync(run, "env:MY_KEY")
    assert named.returncode == 0, named.stderr
    assert docker_api.inspect_image(tag)
    own = await anyio.to_thread.run_sync(run, "env:CONTAINER_KIT_REGISTRY_PASSWORD")
    assert own.returncode == 1
    assert "build.secret_not_allowed" in own.stderr
    pattern = await anyio.to_thread.run_sync(run, "env:MY_*")
    assert "build.secret_not_found" in pattern.stderr


# Files as secrets, CA certificates and environment files.


def special_files(folder: Path) -> dict[str, str]:
    os.mkfifo(folder / "pipe")
    with (folder / "huge").open("wb") as file:
        file.truncate(3 << 30)
    (folder / "folder").mkdir()
    (folder / "device").symlink_to("/dev/zero")
    (folder / "terminal").symlink_to("/dev/stdin")
    (folder / "loop").symlink_to("loop")
    return {name: name for name in ("pipe", "huge", "folder", "device", "terminal", "loop")}


@pytest.mark.parametrize("name", ["pipe", "huge", "folder", "device", "terminal", "loop", "a\0b", "~nobody-here/x"])
@pytest.mark.parametrize("argument", ["secrets", "ca_file"])
async def test_a_special_or_huge_file_ends_the_call_immediately(argument: str, name: str, repository: Path) -> None:
    special_files(repository)
    value: Any = {"a": f"file:{name}"} if argument == "secrets" else name
    with anyio.fail_after(20):
        result = await build(repository, **{argument: value})
    assert result.structured_content["code"] in (
        *("build.secret_not_found", "build.ca_file_invalid", "path.outside_workspace", "path.invalid"),
    )


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.dockerignore", ".dockerignore"])
@pytest.mark.parametrize("special", ["pipe", "huge", "device"])
async def test_a_dockerfile_or_ignore_file_that_is_special_ends_the_call_immediately(
    name: str, special: str, repository: Path
) -> None:
    special_files(repository)
    (repository / name).unlink(missing_ok=True)
    (repository / special).rename(repository / name)
    with anyio.fail_after(20):
        await build(repository, dry_run=True)


@pytest.mark.parametrize("name", ["pipe", "huge", "folder", "device", "terminal", "loop"])
async def test_an_environment_file_that_is_special_ends_the_call_immediately(name: str, repository: Path) -> None:
    from container_kit.stages.contract.fault import StageFailure
    from container_kit.stages.deploy import env_file
    from support.pipelines.contexts import Contexts

    special_files(repository)
    ctx = Contexts("r", Workspace([repository]))
    with anyio.fail_after(20), pytest.raises(StageFailure) as caught:
        await env_file.read(ctx(), name, str(repository))
    assert caught.value.fault.code in ("deploy.env_file_not_found", "path.outside_workspace", "path.invalid")


async def test_a_secret_in_another_folder_of_the_workspace_is_read(repository: Path, tmp_path: Path) -> None:
    (repository.parent / "keys").mkdir()
    (repository.parent / "keys/npm").write_text("x")
    result = await build(repository, secrets={"a": "file:../keys/npm"}, dry_run=True)
    assert not result.is_error, result.content
    (tmp_path / "outside").write_text(PLANTED)
    (repository.parent / "keys/link").symlink_to(tmp_path / "outside")
    for path in ("../keys/link", "../../outside", str(tmp_path / "outside")):
        refused = await build(repository, secrets={"a": f"file:{path}"}, dry_run=True)
        assert refused.structured_content["code"] == "path.outside_workspace"
