"""Asking the person at the terminal for consent."""

from __future__ import annotations

import getpass
import sys

import anyio

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.runs.client import Ask
from container_kit.server.cli.console import Console


def person_at_terminal(console: Console) -> Ask | None:
    """What asks whoever started the command; None where that is no person at a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    async def ask(_approval: str, question: str) -> ApprovalDecision | None:
        with console.paused():
            print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
            await anyio.wait_readable(sys.stdin)  # a thread that reads could not be cancelled
            said = sys.stdin.readline().strip().lower()
        return ApprovalDecision(approved=said in ("y", "yes"), by=getpass.getuser())

    return ask
