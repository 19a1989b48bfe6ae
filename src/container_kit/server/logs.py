"""Logging to stderr. Stdout is for results, and over stdio for the protocol."""

from __future__ import annotations

import logging
import sys
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from container_kit.stages.contract import log

if TYPE_CHECKING:
    from structlog.typing import Processor

LogFormat = Literal["console", "json"]


def configure(level: str, log_format: LogFormat) -> None:
    """Configure structlog and the standard library's loggers to write lines to stderr.

    Args:
        level: The lowest level to write: `debug`, `info`, `warning` or `error`.
        log_format: `console` for people, `json` for log collectors.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    log.configure_with(partial(_configure_structlog, number, log_format))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(log_format))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


class _Formatter(logging.Formatter):
    """Formats records of other libraries like structlog, which is imported with the first record."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self._log_format = log_format

    @cached_property
    def _structured(self) -> logging.Formatter:
        from structlog.processors import format_exc_info
        from structlog.stdlib import ProcessorFormatter

        finish: list[Processor] = [
            ProcessorFormatter.remove_processors_meta,
            format_exc_info,
            _renderer(self._log_format),
        ]
        return ProcessorFormatter(foreign_pre_chain=_shared_processors(), processors=finish)

    def format(self, record: logging.LogRecord) -> str:
        return self._structured.format(record)


def _configure_structlog(level: int, log_format: LogFormat) -> None:
    import structlog

    structlog.configure(
        processors=[*_shared_processors(), structlog.processors.format_exc_info, _renderer(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _shared_processors() -> list[Processor]:
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(log_format: LogFormat) -> Processor:
    import structlog

    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
