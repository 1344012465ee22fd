"""How logs look: one JSON object a line, with an event name that does not change and the ids it is about."""

import ast
import logging
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

import structlog

from config.misspelled import misspelled
from config.settings import settings

# What Celery says of a message, by the first word after the task's name and id; of an end it says which.
_OF_A_TASK = {"received": "task_received", "succeeded": "task_succeeded", "retry": "task_retried"}


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
    # Beat would log each of its ticks, and a worker each message that it takes from the broker.
    logging.getLogger("celery.beat").setLevel(max(logging.WARNING, root.level))
    for words in misspelled():
        structlog.get_logger(__name__).warning("setting_unknown", detail=words)


def _without_values(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What PostgreSQL says of a failed row may be about people: its values do not go into a log."""
    if isinstance(said := line.get("exception"), str):
        line["exception"] = _ROW_VALUES.sub(r"\1: …", said)
    return line


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the moment, which may be exchanged under a process."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """What the base class sets is not kept."""


def _name_the_event(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Give a library's line an event name that can be searched for; its own words go to `message`.

    Of what Celery says about a task's message, the words are taken apart: which task, which id, which reset.
    """
    record: logging.LogRecord = line["_record"]
    words, line["event"] = line["event"], record.name.replace(".", "_")
    known = getattr(record, "data", None)
    if not isinstance(known, dict) or not words.startswith(named := f"Task {known.get('name')}[{known.get('id')}] "):
        line["message"] = words
        return line
    line["event"] = _OF_A_TASK.get(words.removeprefix(named).partition(" ")[0].rstrip(":"), "task_ended")
    line.update({"task": known["name"], "task_id": known["id"]})
    line.update({name: known[name] for name in ("runtime", "description", "exc") if known.get(name) is not None})
    if "reset" not in line:
        line.update(_reset_of(known.get("kwargs")))
    return line


def _reset_of(shown_arguments: object) -> dict[str, str]:
    """The reset that a message is about: what we show of the arguments of each says it."""
    with suppress(ValueError, SyntaxError, TypeError, KeyError):
        return {"reset": ast.literal_eval(str(shown_arguments))["reset"]}
    return {}
