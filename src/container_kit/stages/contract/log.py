"""Logging with structlog, imported and configured on the first log line to keep the server's start fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_pending_setup: list[Callable[[], None]] = []


def configure_with(configure: Callable[[], None]) -> None:
    """Register the function that configures structlog before the next log line."""
    _pending_setup[:] = [configure]


def logger(name: str) -> FilteringBoundLogger:
    """Return the logger with this name."""
    import structlog

    while _pending_setup:
        _pending_setup.pop()()
    bound: FilteringBoundLogger = structlog.get_logger(name)
    return bound
