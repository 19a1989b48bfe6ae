"""What a visitor of a deployed application sees, over HTTP and in a browser."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

from support.mcp.browser import browser, page_of

_TIMEOUT = 20.0


class _Assets(HTMLParser):
    """Collects the scripts, style sheets and images of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img"} and values.get("src"):
            self.addresses.append((tag, str(values["src"])))
        relations = (values.get("rel") or "").split()
        if tag == "link" and {"stylesheet", "modulepreload"} & set(relations) and values.get("href"):
            self.addresses.append(("script" if "modulepreload" in relations else "style", str(values["href"])))


_TYPES = {"script": "javascript", "style": "css", "img": "image"}


def visit(url: str, text: str) -> str | None:
    """Request a page and its assets; return what is wrong with them, None if nothing is."""
    answer = requests.get(url, timeout=_TIMEOUT)
    if answer.status_code != 200:
        return f"status {answer.status_code} at {urlsplit(url).path}"
    if text and text not in answer.text:
        return f"{text!r} is not in the page: {answer.text[:200]!r}"
    assets = _Assets()
    assets.feed(answer.text if "html" in answer.headers.get("content-type", "") else "")
    for kind, address in assets.addresses:
        if wrong := _check_asset(urljoin(answer.url, address), kind, urlsplit(url).netloc):
            return wrong
    return None


def _check_asset(address: str, kind: str, host: str) -> str | None:
    if urlsplit(address).netloc != host or not address.startswith("http"):
        return None  # an asset of another site, or one that is in the page
    asset = requests.get(address, timeout=_TIMEOUT)
    type_ = asset.headers.get("content-type", "")
    if asset.status_code != 200 or _TYPES[kind] not in type_:
        return f"asset {urlsplit(address).path}: status {asset.status_code}, {type_}"
    return None


async def look(url: str, text: str) -> str | None:
    """Open a page in a browser; return what is wrong with it, None if nothing is."""
    async with browser() as running, page_of(running) as (page, errors):
        await page.goto(url, wait_until="load")
        try:
            await page.get_by_text(text).first.wait_for(timeout=20_000)
        except Exception as error:  # noqa: BLE001 - Playwright's class for a timeout is one of several
            return f"{text!r} does not appear: {errors or str(error)[:200]}"
        return f"console errors: {errors}" if errors else None
