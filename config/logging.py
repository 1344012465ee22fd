"""Logging: one JSON object per line, with a fixed event name and the ids it is about."""

import logging
import re
import sys
from typing import Any, TextIO

import structlog

from config.misspelled import misspelled
from config.settings import settings

_ROW_VALUES = re.compile(r"^((?:DETAIL|CONTEXT)): .*$", re.MULTILINE)


def configure_logging() -> None:
    """Send structlog's events and the standard library's records to stderr as JSON lines. Call once per process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _ToStderr()
    handler.addFilter(_is_not_about_a_task)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_the_event],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_values,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings().log_level)
    # At INFO, beat logs every tick, and a worker repeats what worker/task_log.py logs.
    for noisy in ("celery.beat", "celery.worker.request"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    for sentence in misspelled():
        structlog.get_logger(__name__).warning("setting_unknown", detail=sentence)


def _is_not_about_a_task(record: logging.LogRecord) -> bool:
    """Drop Celery's lines about single tasks, which carry `data`: worker/task_log.py logs them as events."""
    return not isinstance(getattr(record, "data", None), dict)


def _without_values(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Remove row values from PostgreSQL's messages: they may be personal data."""
    if isinstance(traceback := line.get("exception"), str):
        line["exception"] = _ROW_VALUES.sub(r"\1: …", traceback)
    return line


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`, even if it is replaced after the handler was made."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Ignore the stream that the base class sets."""


def _name_the_event(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Use the logger's name as the event name of a library's line, and keep its text as `message`."""
    record: logging.LogRecord = line["_record"]
    line["message"], line["event"] = line["event"], record.name.replace(".", "_")
    return line
