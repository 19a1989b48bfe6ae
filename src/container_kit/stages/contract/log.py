"""The log: structlog, imported and set up when the first line is written, for a server's start need not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_set_ups: list[Callable[[], None]] = []


def set_up_with(set_up: Callable[[], None]) -> None:
    """Have structlog configured by this function before the next line is written."""
    _set_ups[:] = [set_up]


def logger(name: str) -> FilteringBoundLogger:
    """The logger of this name."""
    import structlog

    while _set_ups:
        _set_ups.pop()()
    found: FilteringBoundLogger = structlog.get_logger(name)
    return found
