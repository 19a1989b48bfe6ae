"""The adapter to hadolint, which is used where it is installed."""

from __future__ import annotations

import json
import re
import shutil
from typing import Literal

import anyio

from container_kit.stages.artifacts.dockerfile import DockerfileProblem

_SECONDS = 15
_SEVERITIES: dict[str, Literal["error", "warning", "info"]] = {"error": "error", "warning": "warning"}


async def lint(text: str) -> tuple[tuple[DockerfileProblem, ...], str | None]:
    """Let hadolint look at a Dockerfile.

    Returns:
        What it found and its version; the version is None where it is not installed, gave no answer in time, or could
        not read the file: then nothing is known, which is not the same as nothing found.
    """
    program = shutil.which("hadolint")
    if program is None:
        return (), None
    try:
        with anyio.fail_after(_SECONDS):
            version = await anyio.run_process([program, "--version"], check=False)
            done = await anyio.run_process(
                [program, "--no-fail", "--format", "json", "-"], input=text.encode(), check=False
            )
        found = json.loads(done.stdout)
    except (OSError, TimeoutError, ValueError):
        return (), None
    if any(item["code"] == "DL1000" for item in found):  # it could not parse the file
        return (), None
    number = re.search(rb"\d+\.\d+\.\d+", version.stdout)
    return tuple(_problem(item) for item in found), number[0].decode() if number else "unknown"


def _problem(item: dict[str, object]) -> DockerfileProblem:
    rule, line = str(item["code"]), int(str(item["line"]))
    return DockerfileProblem(
        id=f"{rule}:{line}",
        rule=rule,
        line=line,
        severity=_SEVERITIES.get(str(item["level"]), "info"),
        message=str(item["message"]),
        rationale="a rule of hadolint",
    )
