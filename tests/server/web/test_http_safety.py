"""Protection over HTTP: tokens, limits of bodies, rates and calls, Host and Origin headers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from support.mcp.oauth_issuer import AUDIENCE, Issuer
from support.mcp.servers import SERVE, ask, environment, listening

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

TOKEN = {"CONTAINER_KIT_AUTH_TOKEN": "planted-token"}


def post(url: str, message: dict[str, Any], **headers: str) -> tuple[int, str, dict[str, str]]:
    known = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    return ask(url, "/mcp", json.dumps(message).encode(), **known, **headers)


PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "CONTAINER_KIT_AUTH_TOKEN"),
        (TOKEN, "CONTAINER_KIT_ALLOWED_HOSTS"),
        ({"CONTAINER_KIT_OAUTH_ISSUER": "https://issuer.example"}, "CONTAINER_KIT_PUBLIC_URL"),
    ],
)
def test_a_server_without_protection_does_not_start_on_other_addresses(
    variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, *SERVE, "--transport", "http", "--host", "0.0.0.0", "--port", "0"],  # noqa: S104 - refused
        cwd=tmp_path,
        env=environment(tmp_path, **variables),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "planted-token" not in ended.stderr


def test_a_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (url, _):
        port = url.rpartition(":")[2].partition("/")[0]
        ended = subprocess.run(
            [sys.executable, *SERVE, "--transport", "http", "--port", port],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_server_with_a_token_requires_it(tmp_path: Path) -> None:
    with listening("http", tmp_path, **TOKEN) as (url, _):
        assert post(url, PING)[0] == 401
        assert post(url, PING, Authorization="Bearer wrong")[0] == 401
        assert ask(url, "/healthz")[0] == 200
        assert ask(url, "/metrics")[0] == 401
        assert ask(url, "/metrics", Authorization="Bearer planted-token")[0] == 200
        with anyio.fail_after(20):
            async with (
                httpx2.AsyncClient(headers={"Authorization": "Bearer planted-token"}) as http,
                Client(streamable_http_client(url, http_client=http)) as client,
            ):
                assert (await client.list_tools()).tools


def test_web_pages_cannot_reach_a_server_on_loopback(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (url, _):
        assert post(url, PING, Host="evil.example")[0] == 421
        assert post(url, PING, Origin="https://evil.example")[0] == 403


async def test_health_readiness_and_metrics_are_exposed(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello")
    with listening("http", tmp_path) as (url, _):
        assert ask(url, "/healthz")[:2] == (200, "ok\n")
        assert ask(url, "/readyz")[:2] == (200, "ready\n")
        with anyio.fail_after(30):
            async with Client(url) as client:
                assert not (await client.call_tool("analyze", {"path": "site"})).is_error
        status, text, _ = ask(url, "/metrics")
    assert status == 200
    assert 'container_kit_runs_total{pipeline="analyze"} 1' in text.splitlines()
    assert 'container_kit_stages_succeeded_total{pipeline="analyze",stage="analyze"} 1' in text.splitlines()


def test_a_body_above_the_limit_is_rejected(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_MAX_BODY_BYTES="2048") as (url, _):
        status, *_ = post(url, {**PING, "params": {"x": "x" * 4096}})
    assert status == 413


def test_requests_above_the_rate_limit_are_rejected_with_retry_after(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_RATE_LIMIT_PER_MINUTE="3") as (url, _):
        statuses = [post(url, PING)[0] for _ in range(3)]
        status, text, headers = post(url, PING)
    assert 429 not in statuses
    assert status == 429
    assert int(headers["retry-after"]) <= 60
    assert "3 requests per minute" in text


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def test_tokens_of_an_oauth_issuer_are_accepted_only_for_this_audience(issuer: Issuer, tmp_path: Path) -> None:
    variables = {"CONTAINER_KIT_OAUTH_ISSUER": issuer.url, "CONTAINER_KIT_PUBLIC_URL": AUDIENCE}
    stranger = Issuer()
    stranger.close()
    with listening("http", tmp_path, **variables) as (url, _):
        status, _, headers = post(url, PING)
        metadata = json.loads(ask(url, "/.well-known/oauth-protected-resource/mcp")[1])
        tokens = {
            "good": issuer.token(),
            "for another audience": issuer.token(aud="https://other.example"),
            "of another issuer": issuer.token(iss="https://other.example"),
            "expired": issuer.token(exp=time.time() - 60),
            "signed by another key": stranger.token(iss=issuer.url),
            "unsigned": jwt.encode({"iss": issuer.url, "aud": AUDIENCE, "exp": time.time() + 60}, None, "none"),
        }
        answers = {name: post(url, PING, Authorization=f"Bearer {token}")[0] for name, token in tokens.items()}
    assert status == 401
    assert "resource_metadata=" in headers["www-authenticate"]
    assert metadata["authorization_servers"] == [issuer.url]
    assert metadata["resource"] == AUDIENCE
    assert answers.pop("good") != 401
    assert set(answers.values()) == {401}


async def test_listening_streams_do_not_count_as_parallel_requests(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_MAX_CONCURRENT_CALLS="1") as (url, _), anyio.fail_after(50):
        async with Client(url) as client, client.listen(tools_list_changed=True), Client(url) as other:
            assert (await other.list_tools()).tools
