"""Connection arguments for PostgreSQL: for the application, for Celery's results, and for migrations."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import make_url

from config.settings import required, settings

# Without this, the server finishes the statement of a killed client, and holds its locks until then.
_NOTICE_THE_DEAD = {"client_connection_check_interval": "1s"}


def app_connection() -> dict[str, Any]:
    """Returns the arguments of the application's connections, with time limits."""
    limits = {
        "lock_timeout": f"{settings().lock_timeout_seconds}s",
        "statement_timeout": f"{settings().statement_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{settings().statement_timeout_seconds}s",
    }
    return _arguments(required("database_url"), limits | _NOTICE_THE_DEAD, name="recourse")


def migration_url() -> str:
    """Returns the URL for migrations, as the owner of the tables; by default, the application's URL."""
    return required("database_url" if settings().migration_database_url is None else "migration_database_url")


def migration_connection(lock_timeout: str) -> dict[str, Any]:
    """Returns the arguments of a connection for migrations. Statements may take any time, but wait for a lock no longer
    than `lock_timeout`, because all other sessions queue behind them."""
    limits = {"lock_timeout": lock_timeout, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    return _arguments(migration_url(), {}, limits | _NOTICE_THE_DEAD, name="recourse-migration")


def without_password(url: str) -> str:
    """Returns the URL of a database or broker with its password masked, for people to read."""
    return make_url(url).render_as_string(hide_password=True)


def _arguments(
    url: str, limits: Mapping[str, str], fixed: Mapping[str, str] | None = None, *, name: str
) -> dict[str, Any]:
    """Add our options to those in the URL, which override `limits`; `fixed` and the schema override the URL."""
    in_url = make_url(url).query
    theirs = in_url.get("options", ())
    options = [
        *_set(limits),
        *([theirs] if isinstance(theirs, str) else theirs),
        *_set(fixed or {}),
        # No other schema: a foreign table must not be mistaken for a missing one of ours.
        *_set({"search_path": settings().database_schema} if settings().database_schema else {}),
    ]
    usual = {"connect_timeout": 5, "application_name": name}
    return {"options": " ".join(options)} | {key: value for key, value in usual.items() if key not in in_url}


def _set(values: Mapping[str, str | None]) -> list[str]:
    return [f"-c {name}={value}" for name, value in values.items()]
