"""The cookie of the run view is worth nothing but a look at runs, because other ports of the host receive it too."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from support.mcp.servers import ask, listening

pytestmark = pytest.mark.integration

TOKEN = "sekret-token-PLANTED"
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def cookie_of(url: str) -> str:
    status, _, headers = ask(url, "/runs/sign-in", json.dumps({"token": TOKEN}).encode(), **JSON)
    assert status == 204
    return headers["set-cookie"].partition(";")[0]


def test_the_cookie_holds_no_form_of_the_token_and_opens_no_other_route(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_AUTH_TOKEN=TOKEN) as (url, _):
        first, second = cookie_of(url), cookie_of(url)
        assert first != second
        name, _, value = first.partition("=")
        forms = (TOKEN, base64.b64encode(TOKEN.encode()).decode(), base64.urlsafe_b64encode(TOKEN.encode()).decode())
        assert not any(form.rstrip("=") in first for form in forms)
        ping = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
        assert ask(url, "/runs/data", Cookie=first)[0] == 200
        for path, body in (("/mcp", ping), ("/metrics", None), ("/mcp", None)):
            assert ask(url, path, body, Cookie=first, **JSON)[0] == 401
            assert ask(url, path, body, Authorization=f"Bearer {value}", **JSON)[0] == 401
        assert ask(url, "/runs/data", Authorization=f"Bearer {value}")[0] == 401
        assert ask(url, "/runs/sign-in", json.dumps({"token": value}).encode(), **JSON)[0] == 401
        encoded = base64.urlsafe_b64encode(TOKEN.encode()).decode()
        for forged in (TOKEN, encoded, value[:-1], value + "A", ""):
            assert ask(url, "/runs/data", Cookie=f"{name}={forged}")[0] == 401
    with listening("http", tmp_path, CONTAINER_KIT_AUTH_TOKEN=TOKEN) as (url, _):
        assert ask(url, "/runs/data", Cookie=first)[0] == 401


def test_a_principal_has_a_bounded_number_of_sessions(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_AUTH_TOKEN=TOKEN) as (url, _):
        cookies = [cookie_of(url) for _ in range(25)]
        statuses = [ask(url, "/runs/data", Cookie=cookie)[0] for cookie in cookies]
    assert statuses[0] == 401
    assert statuses[-1] == 200
