"""Trusting a private authority during a build: a company's proxy that breaks TLS open, an internal package index.

Each RUN of a copy of the Dockerfile gets the authorities as a secret file and the variables by which pip, npm, curl,
git and others find it. Secrets are no part of layers, so nothing of it stays in the image; lines keep their numbers.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

from container_kit.stages.build.dockerfile import Instruction, ParsedDockerfile

SECRET_ID = "container-kit-authorities"  # noqa: S105 (a name)
_PATH = f"/run/secrets/{SECRET_ID}"
_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
)
MOUNT = f"--mount=type=secret,id={SECRET_ID},mode=0444 "
"""What is put behind each RUN."""
EXPORT = "export " + " ".join(f"{name}={_PATH}" for name in _VARIABLES) + "; "
"""What is put before each shell command; progress leaves it out again."""

_GAP = re.compile(r"(?:\\[ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\n)*|[ \t]+)*")
_FLAG = re.compile(r"--\S+")


def bundle(own: bytes) -> bytes:
    """The authorities to trust: the usual ones of this machine, and the given ones."""
    usual = ssl.get_default_verify_paths().cafile
    known = Path(usual).read_bytes() if usual and Path(usual).is_file() else b""
    return known.rstrip() + b"\n" + own


def inject(content: str, parsed: ParsedDockerfile) -> str:
    """Change each RUN so that it trusts the authorities in the secret.

    Commands in JSON form get the file, but not the variables: there is no shell to set them.
    """
    lines = content.splitlines(keepends=True)
    for instruction in parsed.instructions:
        if instruction.word == "RUN":
            block = "".join(lines[instruction.line - 1 : instruction.last_line])
            lines[instruction.line - 1 : instruction.last_line] = _numbered("".join(_changed(block)), instruction)
    return "".join(lines)


def _changed(block: str) -> Iterator[str]:
    word = re.match(r"\s*run\b[ \t]*", block, re.IGNORECASE)
    if word is None:
        yield block
        return
    at = word.end()
    yield block[:at].rstrip() + " " + MOUNT
    start = at
    while True:
        gap = _GAP.match(block, at)
        command = gap.end() if gap else at
        flag = _FLAG.match(block, command)
        if flag is None:
            break
        at = flag.end()
    yield block[start:command]
    yield (
        block[command:]
        if block[command : command + 1] == "[" or block[command:].startswith("<<")
        else EXPORT + block[command:]
    )


def _numbered(block: str, instruction: Instruction) -> list[str]:
    lines = block.splitlines(keepends=True)
    missing = instruction.last_line - instruction.line + 1 - len(lines)
    return lines + ["\n"] * missing
