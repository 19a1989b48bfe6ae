"""Logs go to stderr: stdout belongs to results, and over stdio to the protocol."""

from __future__ import annotations

import logging
import sys
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from container_kit.stages.contract import log

if TYPE_CHECKING:
    from structlog.typing import Processor

Form = Literal["console", "json"]


def configure(level: str, form: Form) -> None:
    """Have structlog and the standard library's loggers write lines to stderr.

    Args:
        level: The least severe level to write: `debug`, `info`, `warning` or `error`.
        form: `console` for people, `json` for collectors.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    log.configure_with(partial(_configure_structlog, number, form))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(form))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


class _Formatter(logging.Formatter):
    """Writes the lines of other libraries as structlog would; made when there is one."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    @cached_property
    def _structured(self) -> logging.Formatter:
        from structlog.processors import format_exc_info
        from structlog.stdlib import ProcessorFormatter

        finish: list[Processor] = [ProcessorFormatter.remove_processors_meta, format_exc_info, _render(self._form)]
        return ProcessorFormatter(foreign_pre_chain=_shared(), processors=finish)

    def format(self, record: logging.LogRecord) -> str:
        return self._structured.format(record)


def _configure_structlog(level: int, form: Form) -> None:
    import structlog

    structlog.configure(
        processors=[*_shared(), structlog.processors.format_exc_info, _render(form)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _shared() -> list[Processor]:
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _render(form: Form) -> Processor:
    import structlog

    if form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
