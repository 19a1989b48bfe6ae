"""A real browser, Debian's Chromium with Playwright, and the client side of MCP Apps in one of its pages."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from support.node import node, node_packages
from support.skip_policy import cannot_run

WAIT = 45_000.0
"""Timeout in milliseconds for anything on a page, long enough for a busy machine."""
expect.set_options(timeout=WAIT)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_HOST = Path(__file__).parents[2] / "node" / "host" / "host.js"


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Yield a new browser."""
    program = shutil.which("chromium")
    if program is None:
        cannot_run("no chromium on this machine (Debian's package chromium)")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=list(_FLAGS), timeout=WAIT)
        try:
            yield running
        finally:
            await running.close()


@contextlib.asynccontextmanager
async def page_of(running: Browser, **options: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """Yield a page and the errors that it logs or raises."""
    page = await running.new_page(**options)
    page.set_default_timeout(WAIT)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    try:
        yield page, errors
    finally:
        await page.close()


def bridge_script() -> str:
    """Return the official bridge of MCP Apps and the page that uses it as one script."""
    packages = node_packages("host")
    with tempfile.TemporaryDirectory(prefix="ck-test-") as folder:
        made = Path(folder) / "host.js"
        subprocess.run(
            [
                str(node()),
                str(packages / "node_modules" / "esbuild" / "bin" / "esbuild"),
                str(_HOST),
                "--bundle",
                "--format=iife",
                "--log-level=error",
                f"--outfile={made}",
            ],
            env={
                **os.environ,
                "NODE_PATH": str(packages / "node_modules"),
                "PATH": f"{node().parent}:{os.environ['PATH']}",
            },
            check=True,
            timeout=60,
        )
        return made.read_text()
