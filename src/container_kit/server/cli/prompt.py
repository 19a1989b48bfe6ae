"""Approval questions to the person at the terminal."""

from __future__ import annotations

import getpass
import sys

import anyio

from container_kit.pipelines.approval import ApprovalDecision, Prompt
from container_kit.server.cli.console import Console


def terminal_prompt(console: Console) -> Prompt | None:
    """Return a function that asks the person who started the command; None without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    async def prompt(_approval: str, question: str) -> ApprovalDecision | None:
        with console.paused():
            print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
            await anyio.wait_readable(sys.stdin)  # unlike a blocking read in a thread, this can be cancelled
            answer = sys.stdin.readline().strip().lower()
        return ApprovalDecision(approved=answer in ("y", "yes"), decided_by=getpass.getuser())

    return prompt
