"""`/runs` and `/runs/ID`: protected like the MCP endpoint, and drawn live in real Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from playwright.async_api import Locator, Page, expect

from support.mcp.browser import browser, page_of
from support.mcp.oauth_issuer import AUDIENCE, Issuer
from support.mcp.servers import ask, listening
from support.pipelines.gated import HOSTILE

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(180)]

TOKEN = "planted-token"
SHOW = {"PYTHONPATH": str(Path(__file__).parents[2]), "CONTAINER_KIT_PIPELINES": "support.pipelines.gated"}
NONE = "0" * 24


def sign_in(url: str, token: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    known = {"Content-Type": "application/json"} | headers
    return ask(url, "/runs/sign-in", json.dumps({"token": token}).encode(), **known)


def test_the_pages_require_the_token_which_a_cookie_carries(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_AUTH_TOKEN=TOKEN) as (url, _):
        name = sign_in(url, TOKEN)[2]["set-cookie"].partition("=")[0]
        assert ask(url, "/runs/data")[0] == 401
        assert ask(url, f"/runs/{NONE}/data")[0] == 401
        assert ask(url, "/runs/data", Cookie=f"{name}=d3Jvbmc=")[0] == 401
        assert ask(url, "/runs/data", Cookie=f"{name}=%%%")[0] == 401
        status, page, headers = ask(url, "/runs")
        assert (status, headers["x-content-type-options"]) == (401, "nosniff")
        assert TOKEN not in page
        assert sign_in(url, "wrong")[0] == 401
        assert ask(url, "/runs/sign-in", b"x" * 100_000, **{"Content-Type": "application/json"})[0] == 401
        status, _, headers = sign_in(url, TOKEN)
        assert status == 204
        cookie = headers["set-cookie"]
        assert {"HttpOnly", "Path=/runs", "SameSite=strict"} <= set(cookie.split("; "))
        assert ask(url, "/runs/data", Cookie=cookie.partition(";")[0])[:2] == (200, '{"runs":[]}')
        assert ask(url, "/runs/data", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert ask(url, "/runs", Cookie=cookie.partition(";")[0])[0] == 200


def test_other_web_pages_cannot_read_sign_in_or_frame(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (url, _):
        for path in ("/runs", "/runs/data", f"/runs/{NONE}", f"/runs/{NONE}/data"):
            assert ask(url, path, Host="evil.example")[0] == 421
            assert ask(url, path, Origin="https://evil.example")[0] == 403
        assert sign_in(url, TOKEN, Origin="https://evil.example")[0] == 403
        assert sign_in(url, TOKEN, **{"Content-Type": "text/plain"})[0] == 400
        status, page, headers = ask(url, "/runs")
    assert status == 200
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page


def test_an_invalid_query_or_unknown_run_has_a_clear_status(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (url, _):
        status, text, _ = ask(url, f"/runs/{NONE}/data")
        assert (status, json.loads(text)["code"]) == (404, "run.not_found")
        assert ask(url, f"/runs/{NONE}/data?lines=nine")[0] == 400


async def test_a_run_is_shown_only_to_its_principal(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print()\n")
    issuer = Issuer()
    variables = {"CONTAINER_KIT_OAUTH_ISSUER": issuer.url, "CONTAINER_KIT_PUBLIC_URL": AUDIENCE}
    mine, theirs = issuer.token(sub="me"), issuer.token(sub="somebody else")
    with listening("http", tmp_path, **variables) as (url, _):
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {mine}"}) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            answer = await client.call_tool("analyze", {"path": "."})
        run = answer.structured_content["run"]  # type: ignore[index]
        status, text, headers = sign_in(url, mine)
        assert (status, text) == (204, "")
        assert "Secure" in headers["set-cookie"].split("; ")  # browsers reach this server by HTTPS
        cookie = headers["set-cookie"].partition(";")[0]
        assert json.loads(ask(url, f"/runs/{run}/data", Cookie=cookie)[1])["status"] == "success"
        assert ask(url, f"/runs/{run}/data", Authorization=f"Bearer {theirs}")[0] == 404
        assert ask(url, "/runs/data", Authorization=f"Bearer {theirs}")[1] == '{"runs":[]}'
    issuer.close()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(name))


async def test_a_run_is_drawn_live_and_is_usable_by_keyboard(tmp_path: Path) -> None:
    gates = tmp_path / "gates"
    gates.mkdir()
    with listening("http", tmp_path, **SHOW) as (url, _):
        async with Client(url) as client, browser() as running, page_of(running) as (page, errors):
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "show", {"gates": "gates"})
                await page.goto(url.replace("/mcp?", "/runs?"))
                await page.get_by_role("row", name="Running show").get_by_role("link").click()
                await expect(button(page, "^prepare: running")).to_be_visible()
                (gates / "prepare.says").write_text("".join(f"line {n} of many {HOSTILE}\n" for n in range(1, 901)))
                await expect(page.locator("#range")).to_have_text(re.compile("lines 601.900 of 900"))
                await page.get_by_role("button", name="Earlier lines").click()
                await expect(page.locator("#range")).to_have_text(re.compile("lines 101.900 of 900"))
                await expect(page.locator("#lines > div").first).to_have_text(f"line 101 of many {HOSTILE}")
                for name in ("prepare", "light"):
                    (gates / name).touch()
                await expect(button(page, "^light: done")).to_be_visible()

                await button(page, "^prepare: done").focus()
                await page.keyboard.press("ArrowRight")
                await expect(button(page, "^light: done")).to_be_focused()
                await page.keyboard.press("ArrowDown")
                await expect(button(page, "^sound: running")).to_be_focused()
                await page.keyboard.press("Home")
                await page.keyboard.press("Enter")
                await expect(page.get_by_role("heading", name="Log of prepare")).to_be_visible()
                await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
                await page.get_by_role("button", name="Follow").focus()
                await page.keyboard.press("Tab")
                await expect(page.get_by_role("log")).to_be_focused()
                await page.keyboard.press("Escape")
                await expect(page.get_by_role("heading", name="Log of sound")).to_be_visible()

                (gates / "sound.fail").touch()
                await expect(page.get_by_role("region", name="show.stopped")).to_contain_text(HOSTILE)
                await expect(page.locator("#status")).to_have_text("Failed")
                await expect(button(page, "^play: not run")).to_be_visible()
            assert await page.evaluate("() => window.hurt") is None
            assert errors == []


async def test_light_and_dark_follow_the_browser_with_enough_contrast(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print()\n")
    with listening("http", tmp_path) as (url, _):
        async with Client(url) as client, browser() as running:
            answer = await client.call_tool("analyze", {"path": "."})
            run = answer.structured_content["run"]  # type: ignore[index]
            grounds = []
            for scheme in ("light", "dark"):
                async with page_of(running, color_scheme=scheme) as (page, errors):
                    await page.goto(url.replace("/mcp?", f"/runs/{run}?"))
                    await expect(page.locator("#status")).to_have_text("Succeeded")
                    grounds.append(await page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
                    seen = await page.evaluate(CONTRASTS)
                    assert {name: ratio for name, ratio in seen.items() if ratio < 4.5} == {}
                    assert errors == []
    assert grounds[0] != grounds[1]


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (color) => { // as it is painted, whatever the notation
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => channels(color).slice(0, 3)
    .map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (channels(color)[3] === 255) return color;
    }
    return "white";
  };
  const texts = [...document.querySelectorAll("main *")].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return Object.fromEntries(texts.map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
    const name = `${element.tagName} ${element.id || element.className} ${element.textContent.trim().slice(0, 20)}`;
    return [name, (a + 0.05) / (b + 0.05)];
  }));
}"""


async def test_signing_in_once_keeps_the_token(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_AUTH_TOKEN=TOKEN) as (url, _):
        async with browser() as running, page_of(running) as (page, _errors):  # the browser reports each 401
            await page.goto(url.rpartition("/")[0] + "/runs")
            field = page.get_by_label("Access token of this server")
            await expect(field).to_be_focused()
            await field.fill("wrong")
            await field.press("Enter")
            await expect(page.get_by_role("alert")).to_have_text("Invalid token.")
            await field.fill(TOKEN)
            await field.press("Enter")
            await expect(page.get_by_text("No runs yet")).to_be_visible()
            await page.reload()
            await expect(page.get_by_text("No runs yet")).to_be_visible()
            cookies: list[Any] = await page.context.cookies()
            assert await page.evaluate("() => document.cookie") == ""
    assert [(cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) for cookie in cookies] == [(True, "Strict", -1)]
