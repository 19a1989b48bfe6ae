"""Text from a repository, a log, a registry or a caller, made safe to show.

Such text is data. In a result that a language model reads, it must not look like a line of Container Kit, and it must
not control a terminal.
"""

from __future__ import annotations

_BIDIRECTIONAL = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that change the direction of text: a terminal shows another order than the one that is executed."""
_SEPARATORS = (0x2028, 0x2029)
_CONTROLS = {
    code: f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *_BIDIRECTIONAL, *_SEPARATORS)
    if chr(code) not in "\n\t"
}
_ONE_LINE = {**_CONTROLS, ord("\n"): "\\n", ord("\t"): " "}


def printable(text: str) -> str:
    """Escape all control characters except line feeds and tabs. A carriage return becomes a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def one_line(text: str) -> str:
    """Escape all control characters, line feeds too."""
    return text.translate(_ONE_LINE)


def quoted(text: str) -> str:
    """Mark each line with `| `, so that none of them looks like a line of the result."""
    return "\n".join(f"| {line}" for line in printable(text).split("\n"))
