"""The loggers of all modules. structlog, with what it draws tracebacks with, is loaded with the first line that is
logged: most commands log none."""

import sys
from typing import Any


class _Place:
    """Where the lines go that no `configure_logging` has arranged."""

    on_stderr = False


class Logger:
    """structlog's logger of one module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        import structlog

        if _Place.on_stderr and not structlog.is_configured():
            structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        return getattr(structlog.get_logger(self._name), method)


def logger(name: str) -> Logger:
    """Returns the logger of the module with this name."""
    return Logger(name)


def log_to_stderr() -> None:
    """Leave stdout to a command's answer, also after its first line."""
    _Place.on_stderr = True
