"""Requests that no client sends: foreign names on every route, and bodies that break parsers."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.mcp.oauth_issuer import AUDIENCE, Issuer
from support.mcp.servers import SERVE, ask, environment, listening

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
ROUTES = ("/mcp", "/healthz", "/readyz", "/metrics", "/runs", "/runs/data", "/runs/x", "/runs/x/data", "/nothing", "/")
FOREIGN = (
    "evil.example",
    "localhost:1@evil.example",
    "localhost.evil.example",
    "localhost:80a",
    "127.0.0.1.nip.example",
    "",
)
ORIGINS = (
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://localhost:1@evil.example",
    "file://",
)


@pytest.mark.parametrize("options", [(), ("--no-token",)])
def test_host_and_origin_are_checked_on_every_route(options: tuple[str, ...], tmp_path: Path) -> None:
    with listening("http", tmp_path, *options) as (url, _):
        hosts = {(path, host): ask(url, path, Host=host)[0] for path in ROUTES for host in FOREIGN}
        origins = {(path, origin): ask(url, path, Origin=origin)[0] for path in ROUTES for origin in ORIGINS}
        posts = {path: ask(url, path, b"{}", Host="evil.example", **JSON)[0] for path in ROUTES}
        own = url.partition("/mcp")[0]
        assert ask(url, "/healthz", Origin=own)[0] == 200
        assert ask(url, "/healthz", Host="10.1.2.3:8000")[0] == 200  # a probe of an orchestrator
        assert ask(url, "/runs/data", Host="10.1.2.3:8000")[0] == 421
    assert {case: status for case, status in hosts.items() if status not in (421, 400)} == {}
    assert {case: status for case, status in origins.items() if status != 403} == {}
    assert set(posts.values()) == {421}


BODIES = {
    "a lone surrogate": b'{"token":"\\ud800"}',
    "an escaped pair the wrong way round": b'{"token":"\\udc00\\ud800"}',
    "deep lists": b"[" * 16_000,
    "deep objects": b'{"token":' * 1_700,
    "a list": b'["token"]',
    "a number": b"1",
    "a huge number": b"1" * 10_000,
    "not a number": b'{"token": NaN}',
    "a token that is an object": b'{"token": {"a": 1}}',
    "bytes": bytes(range(256)),
    "a NUL": b'{"token":"\\u0000"}',
    "nothing": b"",
    "another encoding": '{"token":"x"}'.encode("utf-16"),
}


@contextmanager
def watched(folder: Path, **variables: str) -> Iterator[tuple[str, Path]]:
    """Start a server; yield its URL and the file of its log."""
    log = folder / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *SERVE, "--transport", "http", "--port", "0"],
            cwd=folder,
            env=environment(folder, **variables),
            stderr=file,
        )
    try:
        while "serving " not in log.read_text():
            assert process.poll() is None, log.read_text()
        yield log.read_text().split()[1], log
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("path", ["/runs/sign-in", "/mcp"])
def test_a_malformed_body_is_refused_without_a_traceback(path: str, tmp_path: Path) -> None:
    with watched(tmp_path) as (url, log):
        statuses = {name: ask(url, path, body, **JSON)[0] for name, body in BODIES.items()}
        anonymous = {name: ask(url.partition("?")[0], path, body, **JSON)[0] for name, body in BODIES.items()}
        assert "Traceback" not in log.read_text()
    assert {name: status for name, status in {**statuses, **anonymous}.items() if not 400 <= status < 500} == {}


def test_a_malformed_token_is_refused_without_a_traceback(tmp_path: Path) -> None:
    def encoded(text: bytes) -> str:
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    tokens = {
        "deep header": encoded(b"[" * 8_000) + ".e30.",
        "deep claims": encoded(b'{"alg":"RS256","kid":"x"}') + "." + encoded(b"[" * 8_000) + ".",
        "list header": encoded(b"[]") + ".e30.x",
        "surrogate": encoded(b'{"alg":"\\ud800","kid":"\\ud800"}') + ".e30.x",
        "number kid": encoded(b'{"alg":"RS256","kid":1}') + ".e30.x",
        "percent": "%%%",
        "dots": "." * 100,
        "latin": "\xe9",
    }
    issuer = Issuer()
    try:
        variables = {"CONTAINER_KIT_OAUTH_ISSUER": issuer.url, "CONTAINER_KIT_PUBLIC_URL": AUDIENCE}
        with watched(tmp_path, **variables) as (url, log):
            statuses = {}
            for name, token in tokens.items():
                bearer = {"Authorization": f"Bearer {token}"}
                statuses[name] = [
                    ask(url, "/mcp", b"{}", **JSON, **bearer)[0],
                    ask(url, "/runs/data", **bearer)[0],
                    ask(url, "/metrics", **bearer)[0],
                    ask(url, "/runs/sign-in", json.dumps({"token": token}).encode(), **JSON)[0],
                ]
            assert "Traceback" not in log.read_text()
    finally:
        issuer.close()
    assert statuses == dict.fromkeys(tokens, [401] * 4)


def test_an_unusable_run_id_or_query_is_refused_without_a_traceback(tmp_path: Path) -> None:
    ids = ("%00", "%ed%a0%80", "a" * 5_000, "..%2f..%2fetc", "%0d%0a", "{x}", "%F0%9F%92%A9")
    queries = ("lines=nine", "lines=0", "first=-1", "stage=%00", "stage=%ed%a0%80", "age=nan", "x=1")
    with watched(tmp_path) as (url, log):
        statuses = [ask(url, f"/runs/{run}/data")[0] for run in ids]
        statuses += [ask(url, f"/runs/{'0' * 24}/data?{query}")[0] for query in queries]
        for argument in ("\x00", "\ud800", "a" * 5_000, "\u202e"):
            for tool in ("get-run", "retry-run", "cancel-run", "rollback-run"):
                message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
                sent = {**message, "params": {"name": tool, "arguments": {"run": argument}}}
                statuses.append(ask(url, "/mcp", json.dumps(sent).encode(), **JSON)[0])
        assert "Traceback" not in log.read_text()
    assert set(statuses) <= {400, 404, 405, 422}, statuses
