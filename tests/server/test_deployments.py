"""From a repository to a container through a real server, over each transport and in both protocol revisions."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from docker import APIClient

from support.mcp.servers import EACH, client_of

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(120)]

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /site
COPY index.html ./
{step}
USER 10001
EXPOSE 8000
CMD ["python", "-m", "http.server", "8000"]
"""


@pytest.fixture
def repository(tmp_path: Path, unique: Callable[[], str]) -> Path:
    folder = tmp_path / unique()
    folder.mkdir()
    (folder / "index.html").write_text("hello")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(step='RUN ["python", "-V"]'))
    return folder


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the deployment's own address
        return bytes(answer.read())


class Progress:
    def __init__(self) -> None:
        self.figures: list[float] = []
        self.lines: list[str] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.figures.append(progress)
        self.lines.append(message or "")


@pytest.mark.parametrize(("transport", "mode"), EACH)
async def test_one_call_leads_from_a_repository_to_a_healthy_container(
    transport: str, mode: str, repository: Path
) -> None:
    progress = Progress()
    arguments: dict[str, Any] = {"path": repository.name, "env": {"API_TOKEN": "planted-secret-value"}}
    with anyio.fail_after(90):
        async with client_of(transport, repository.parent, mode) as client:
            result = await client.call_tool("full-deployment", arguments, progress_callback=progress)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    url = result.structured_content["deployment"]["url"]
    assert await anyio.to_thread.run_sync(_get, url) == b"hello"
    assert progress.figures == sorted(set(progress.figures))
    stages = ("analyze", "build", "scan-image", "deploy", "verify")
    assert all(any(line.startswith(f"{stage}: ") for line in progress.lines) for stage in stages)
    assert "planted-secret-value" not in result.model_dump_json() + "".join(progress.lines)


@pytest.mark.parametrize(("transport", "mode"), EACH)
async def test_a_failed_build_names_the_line_and_its_next_action_works_after_the_fix(
    transport: str, mode: str, repository: Path
) -> None:
    dockerfile = repository / "Dockerfile"
    dockerfile.write_text(DOCKERFILE.format(step='RUN ["python", "-c", "raise SystemExit(3)"]'))
    with anyio.fail_after(90):
        async with client_of(transport, repository.parent, mode) as client:
            failed = await client.call_tool("build", {"path": repository.name, "tag": repository.name})
            assert failed.is_error
            fault = failed.structured_content
            assert fault is not None
            assert any("Dockerfile:4" in (fact.get("where") or "") for fact in fault["evidence"]), fault
            assert "exit_code: 3" in failed.content[0].text
            dockerfile.write_text(DOCKERFILE.format(step='RUN ["python", "-V"]'))
            action = fault["next_actions"][0]
            mended = await client.call_tool(action["tool"], action["arguments"])
    assert not mended.is_error, mended.content


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_cancelled_build_leaves_no_container_behind(
    transport: str, repository: Path, docker_api: APIClient
) -> None:
    marker = repository.name
    step = f'RUN ["python", "-c", "import time; print(\'{marker}\', flush=True); time.sleep(120)"]'
    (repository / "Dockerfile").write_text(DOCKERFILE.format(step=step))
    running = anyio.Event()

    async def take(_progress: float, _total: float | None, message: str | None) -> None:
        if "step 4/" in (message or ""):
            running.set()

    with anyio.fail_after(60):
        async with client_of(transport, repository.parent) as client:
            async with anyio.create_task_group() as group:
                call: Any = client.call_tool
                group.start_soon(lambda: call("build", {"path": marker, "tag": marker}, progress_callback=take))
                await running.wait()
                group.cancel_scope.cancel()
            while _processes(marker):
                await anyio.sleep(0.1)
    assert not docker_api.images(name=marker)


def _processes(marker: str) -> list[str]:
    """Return the processes of this machine whose command line has the marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(b"time.sleep(120)" in word and marker.encode() in word for word in words):
            found.append(str(path))
    return found


async def test_a_folder_without_an_image_leads_to_the_call_of_build(repository: Path) -> None:
    with anyio.fail_after(90):
        async with client_of("http", repository.parent) as client:
            failed = await client.call_tool("deploy", {"path": repository.name, "name": repository.name})
            assert failed.structured_content is not None
            assert failed.structured_content["code"] == "image.not_built"
            action = failed.structured_content["next_actions"][0]
            assert action["tool"] == "build"
            built = await client.call_tool(action["tool"], action["arguments"])
            assert not built.is_error, built.content
            deployed = await client.call_tool("deploy", {"path": repository.name, "name": repository.name})
    assert not deployed.is_error, deployed.content
