"""Limits of the text that is given to the parser.

The parser is a Go extension. It holds the interpreter lock, cannot be interrupted, and takes time quadratic in the
length of an instruction and of a here-document. Text that could keep it busy for more than about a second, or that the
extension cannot receive unchanged, is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MAX_BYTES = 1 << 20
MAX_LINES = 20_480
_MAX_LINE_BYTES = (1 << 16) - 1
"""BuildKit's own limit for one line."""
_MAX_JOINING = 1 << 30
"""The sum of the squares of the bytes of all instructions: one of 32 KiB, or many that are shorter."""
_MAX_HEREDOCS = 1 << 30
"""Lines times bytes, from the first line on that may open a here-document."""
_MAX_HEREDOC_NAME = 1000
_ESCAPES = ("\\", "`")


class DockerfileSyntaxError(Exception):
    """The text is not a Dockerfile; `line` is the wrong line, from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def split_lines(text: str) -> list[str]:
    """Split a text into lines, and reject it if the parser cannot cope with it.

    Raises:
        DockerfileSyntaxError: It holds characters that do not belong in a text, or is too long.
    """
    _check_characters(text)
    lines = text.split("\n")
    _check_size(lines)
    return lines


def _check_characters(text: str) -> None:
    """Reject text that the extension cannot receive unchanged: NUL ends it, half a surrogate pair blocks it."""
    if "\0" in text:
        raise DockerfileSyntaxError("remove the NUL character", text.count("\n", 0, text.index("\0")) + 1)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise DockerfileSyntaxError("remove the character that is not valid Unicode", line) from error
    if size > MAX_BYTES:
        raise DockerfileSyntaxError(f"shorten the file to {MAX_BYTES >> 20} MiB", 1)


def _check_size(lines: Sequence[str]) -> None:
    """Reject text that would keep the parser busy for too long."""
    if len(lines) > MAX_LINES:
        raise DockerfileSyntaxError(f"shorten the file to {MAX_LINES} lines", MAX_LINES + 1)
    sizes = [len(line.encode()) + 1 for line in lines]
    joining = 0
    for first, length in _joined(lines, sizes):
        joining += length * length
        if joining > _MAX_JOINING:
            raise DockerfileSyntaxError("shorten the instruction; COPY its data from a file", first)
    opening = next((number for number, line in enumerate(lines) if "<<" in line), None)
    if opening is None:
        return
    if (len(lines) - opening) * sum(sizes[opening:]) > _MAX_HEREDOCS:
        raise DockerfileSyntaxError("shorten the here-document; COPY its data from a file", opening + 1)
    for number, line in enumerate(lines, start=1):
        if any("<<" in word and len(word) > _MAX_HEREDOC_NAME for word in line.split()):
            raise DockerfileSyntaxError("shorten the name of the here-document", number)


def _joined(lines: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first line and the bytes of each instruction; at least as many as the parser joins."""
    first = length = 0
    for number, (line, size) in enumerate(zip(lines, sizes, strict=True), start=1):
        if size > _MAX_LINE_BYTES:
            raise DockerfileSyntaxError(f"shorten the line to {_MAX_LINE_BYTES} bytes, BuildKit's limit", number)
        stripped = line.strip()
        if not stripped or stripped[0] == "#":
            continue
        first = first if length else number
        length += size
        if stripped[-1] not in _ESCAPES:
            yield first, length
            length = 0
    yield first, length
