"""What a visitor gets decides whether a deployment succeeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.deploy.local.probe import probe_address
from container_kit.stages.deploy.local.verify import page_check

pytestmark = pytest.mark.anyio


@contextmanager
def server(respond: Callable[[str], tuple[int, str]]) -> Iterator[Deployment]:
    """Run a server of this process that answers each path with a status and a redirection."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, location = respond(self.path)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    try:
        port = running.server_address[1]
        yield Deployment(
            name="page",
            url=f"http://127.0.0.1:{port}",
            container_id="",
            container_name="",
            image="",
            image_id="",
            host_port=port,
            container_port=80,
        )
    finally:
        running.shutdown()
        running.server_close()


@pytest.mark.parametrize("status", [200, 204])
async def test_a_page_below_400_is_a_success(status: int) -> None:
    with server(lambda _: (status, "")) as deployment:
        assert (await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))).outcome == "ok"


@pytest.mark.parametrize("status", [400, 403, 500, 503])
async def test_a_root_that_refuses_or_fails_is_a_failure(status: int) -> None:
    with server(lambda _: (status, "")) as deployment:
        assert (await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))).outcome == "failed"


async def test_a_redirection_is_followed_to_its_page() -> None:
    with server(lambda path: (302, "/login?next=/") if path == "/" else (500, "")) as deployment:
        assert (await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))).outcome == "failed"
    with server(lambda path: (302, "/login?next=/") if path == "/" else (200, "")) as deployment:
        assert (await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))).outcome == "ok"


async def test_a_redirection_to_another_server_is_not_followed() -> None:
    with server(lambda _: (302, "https://example.org/")) as deployment:
        assert (await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))).outcome == "ok"


async def test_an_api_without_a_root_is_a_success_if_another_page_is_known() -> None:
    with server(lambda path: (200 if path == "/docs" else 404, "")) as deployment:
        check = await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))
        assert check.outcome == "ok"
        assert "/docs answers" in check.detail


async def test_a_root_that_is_not_found_is_reported_if_no_other_page_is_known() -> None:
    with server(lambda _: (404, "")) as deployment:
        check = await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))
        assert check.outcome == "not_checked"
        assert "404" in check.detail


async def test_a_redirection_of_every_request_to_https_is_a_failure() -> None:
    with server(lambda _: (301, "https://localhost/")) as deployment:
        assert (await page_check(deployment, probe_address("127.0.0.1", deployment.host_port))).outcome == "failed"
