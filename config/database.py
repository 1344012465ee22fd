"""How PostgreSQL is reached, whoever makes the connection: ourselves, Celery for its results, or a migration."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import make_url

from config.settings import required, settings

# Without it the server finishes the statement of a killed client, and holds its locks until then.
_NOTICE_THE_DEAD = {"client_connection_check_interval": "1s"}


def app_connection() -> dict[str, Any]:
    """The arguments of a connection that serves people and jobs: nothing of it may take for ever."""
    limits = {
        "lock_timeout": f"{settings().lock_timeout_seconds}s",
        "statement_timeout": f"{settings().statement_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{settings().statement_timeout_seconds}s",
    }
    return _arguments(required("database_url"), limits | _NOTICE_THE_DEAD, name="recourse")


def migration_url() -> str:
    """The database as the owner of its tables reaches it; the usual URL where no other one is set."""
    return required("database_url" if settings().migration_database_url is None else "migration_database_url")


def migration_connection(lock_timeout: str) -> dict[str, Any]:
    """The arguments of a connection that migrates: a statement may take as long as it needs, and waits for a lock no
    longer than `lock_timeout`, as everybody else queues behind it."""
    limits = {"lock_timeout": lock_timeout, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    return _arguments(migration_url(), {}, limits | _NOTICE_THE_DEAD, name="recourse-migration")


def without_password(url: str) -> str:
    """Returns the URL of a database or broker with its password masked, for people to read."""
    return make_url(url).render_as_string(hide_password=True)


def _arguments(
    url: str, limits: Mapping[str, str], fixed: Mapping[str, str] | None = None, *, name: str
) -> dict[str, Any]:
    """What the URL asks for is kept. Its `options` win over `limits`, and `fixed` and the schema win over them."""
    asked = make_url(url).query
    theirs = asked.get("options", ())
    options = [
        *_set(limits),
        *([theirs] if isinstance(theirs, str) else theirs),
        *_set(fixed or {}),
        # Of no other schema: a table of somebody else's must not be taken for one of ours that is missing.
        *_set({"search_path": settings().database_schema} if settings().database_schema else {}),
    ]
    usual = {"connect_timeout": 5, "application_name": name}
    return {"options": " ".join(options)} | {key: value for key, value in usual.items() if key not in asked}


def _set(values: Mapping[str, str | None]) -> list[str]:
    return [f"-c {name}={value}" for name, value in values.items()]
