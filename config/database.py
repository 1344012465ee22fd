"""Connection arguments and time limits for PostgreSQL: for the application, Celery's results, and migrations."""

import re
from typing import Any

from sqlalchemy import make_url

from config.settings import required, settings

# A peer that vanished without a word, such as a host that lost its network, counts as gone after 25 seconds. The
# kernel's defaults are hours.
_NOTICE_THE_LOST = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
# The same for the server. Behind a pooler, its peer is the pooler.
_NOTICE_LOST_CLIENTS = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
# Without this, the server finishes the statement of a killed client, and holds its locks until then.
_NOTICE_THE_DEAD = {"client_connection_check_interval": "1s"}
_LONGEST_PAUSE = 20.0  # seconds
_NAMED_IN_OPTIONS = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)\s*=")


def app_connection() -> dict[str, Any]:
    """Returns the arguments of the application's connections. Nothing in them is refused by a pooler."""
    url = required("database_url")
    theirs = _options_in(url)
    return _usual(url, name="recourse") | ({"options": theirs} if theirs else {})


def limits_of_session() -> str:
    """Returns the statement that gives a session of the application its limits: for connections without a pooler."""
    return _set_config(_time_limits() | _NOTICE_LOST_CLIENTS, local=False)


def limits_of_transaction() -> str:
    """Returns the statement that gives a transaction of the application its limits: for connections through a pooler.

    The next transaction may have another session, and the next client of the pooler may have this one.
    """
    return _set_config(_time_limits(), local=True)


def in_the_background() -> str:
    """Returns the statement for transactions that do not wait for the disk: they clear learners and write alerts. If
    their process stops between two statements, others get the rows after some seconds."""
    idle = min(_LONGEST_PAUSE, settings().statement_timeout_seconds)
    values = {"synchronous_commit": "off", "idle_in_transaction_session_timeout": f"{idle}s"}
    return _set_config(values, local=True)


def migration_url() -> str:
    """Returns the URL for migrations, as the owner of the tables; by default, the application's URL."""
    return required("database_url" if settings().migration_database_url is None else "migration_database_url")


def migration_connection(lock_timeout: str) -> dict[str, Any]:
    """Returns the arguments of a connection for migrations. Statements may take any time, but wait for a lock no longer
    than `lock_timeout`, because all other sessions queue behind them. A migration has a session of its own."""
    ours = {"lock_timeout": lock_timeout, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    ours |= _NOTICE_THE_DEAD
    ours |= _schema()
    options = [_options_in(migration_url()), *(f"-c {name}={value}" for name, value in ours.items())]
    return {"options": " ".join(filter(None, options))} | _usual(migration_url(), name="recourse-migration")


def without_password(url: str) -> str:
    """Returns the URL of a database or broker with its password masked, for people to read."""
    return make_url(url).render_as_string(hide_password=True)


def _time_limits() -> dict[str, str]:
    return {
        "lock_timeout": f"{settings().lock_timeout_seconds}s",
        "statement_timeout": f"{settings().statement_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{settings().statement_timeout_seconds}s",
    } | _NOTICE_THE_DEAD


def _set_config(limits: dict[str, str], *, local: bool) -> str:
    """Returns the statement that sets these limits and the schema, for the transaction if `local`. Options in the URL
    override the limits, but not the schema."""
    theirs = set(_NAMED_IN_OPTIONS.findall(_options_in(required("database_url"))))
    # No other schema: a foreign table must not be mistaken for a missing one of ours.
    values = {name: value for name, value in limits.items() if name not in theirs} | _schema()
    how = str(local).lower()
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', {how})" for name, value in values.items())


def _schema() -> dict[str, str]:
    schema = settings().database_schema
    return {"search_path": schema} if schema else {}


def _usual(url: str, *, name: str) -> dict[str, Any]:
    values = {"connect_timeout": 5, "application_name": name} | _NOTICE_THE_LOST
    return {key: value for key, value in values.items() if key not in make_url(url).query}


def _options_in(url: str) -> str:
    options = make_url(url).query.get("options", "")
    return options if isinstance(options, str) else " ".join(options)
