"""What `recourse doctor` looks at: a function for each part, which says what it found and what to do.

Nothing is started, changed or repaired here. What asks a part that another one needs is left out when that one is away.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import uuid4

import httpx
import psycopg
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError
from sqlalchemy import func, make_url, select, text

from cli.migrations import newest_migration
from cli.space import LOW, MB, free_space
from cli.up_addresses import Whereabouts
from config.celery import QUEUES, name_on_the_broker
from config.settings import MissingSettingError, required, settings
from models.disks import full_disk
from models.files import storage
from models.heartbeat import BEAT, Heartbeat
from models.records import RecordKindUnfitError, check_declarations, check_tables, record_kinds
from models.refusals.files import StorageFull, StorageUnavailable
from models.session import DBAPIError, engine, in_words, is_connection_lost, transaction
from models.versions import DatabaseUnfitError, current_version, stranger
from tasks.alerts.smtp import MailServer, MailServerAwayError
from tasks.app import app
from tasks.webhooks.secrets import under_former_keys

OLDEST_POSTGRES = 180_000
PATIENCE = 3.0  # seconds that a part may take to answer
PARTS = (
    "disk space",
    "database",
    "migrations",
    "record kinds",
    "secret key",
    "broker",
    "workers",
    "beat",
    "web app",
    "Flower",
    "files",
    "mail",
)
ROLL_CALL = 2.0  # seconds in which workers report; it always takes that long, as nobody knows how many there are
NOT_UP = ("it does not run", "Start everything with `recourse up`.")
RUN_BY_UP = {
    "database": "PostgreSQL",
    "broker": "Redis",
    "workers": "worker",
    "beat": "beat",
    "web app": "web app",
    "Flower": "Flower",
}
"""The parts that `recourse up` runs, by the names that it gives them."""


PROBE = """
CREATE TEMPORARY TABLE recourse_probe ON COMMIT DROP AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)
"""

Check = tuple[str, Callable[[], str], str | None]  # the part, how to look at it, the part that it needs


class Ailing(Exception):  # noqa: N818 - not an error of this program: it is what the check found
    """The part does not do its work. Arguments: what was found, and what to do."""


class Away(Ailing):
    """The part does not run, or does not answer."""


@dataclass(frozen=True)
class Finding:
    """What one check found. `ok` is none where the part could not be asked."""

    part: str
    ok: bool | None
    says: str
    remedy: str | None = None


@dataclass(frozen=True)
class Places:
    """Where the parts that are asked over HTTP are reached from here; none where `recourse up` would serve them."""

    web: str | None
    flower: str | None
    ours: frozenset[str] = frozenset()  # the parts that `recourse up` runs, or would run, by its names
    up: Whereabouts | None = None  # the `recourse up` that looks after it, if one runs


def examine(places: Places, only: Collection[str] | None = None) -> Iterator[Finding]:
    """Look at each part in turn, or at some and those they need, which come first."""
    well: dict[str, bool] = {}
    for part, check, needs in _wanted(places, only):
        if needs and not well[needs]:
            finding = Finding(part, None, f"not asked: it needs the {needs}")
        else:
            finding = _find(part, check, places)
        well[part] = bool(finding.ok)
        yield finding


def _wanted(places: Places, only: Collection[str] | None) -> list[Check]:
    checks: list[Check] = [
        ("disk space", _disk_space, None),
        ("database", _database, None),
        ("migrations", _migrations, "database"),
        ("record kinds", _record_kinds, "migrations"),
        ("secret key", _secret_key, "migrations"),
        ("broker", _broker, None),
        ("workers", _workers, "broker"),
        ("beat", _beat, "migrations"),
        ("web app", lambda: _web(places.web), None),
        ("Flower", lambda: _flower(places.flower), None),
        ("files", _files, None),
        ("mail", _mail, None),
    ]
    wanted = set(PARTS if only is None else only)
    for part, _, needs in reversed(checks):
        if part in wanted and needs:
            wanted.add(needs)
    return [check for check in checks if check[0] in wanted]


def _find(part: str, check: Callable[[], str], places: Places) -> Finding:
    try:
        return Finding(part, True, check())
    except Ailing as found:
        says, remedy = found.args
        finding = Finding(part, False, says, remedy)
        ours = isinstance(found, Away) and RUN_BY_UP.get(part) in places.ours
        return _of_up(finding, places.up) if ours else finding


def _of_up(finding: Finding, up: Whereabouts | None) -> Finding:
    """The finding, with what to do where `recourse up` runs the part, or would."""
    if up is None:
        return replace(finding, remedy=NOT_UP[1])
    if RUN_BY_UP[finding.part] in up.given_up:
        again = f"End `recourse up` (process {up.pid}) and start it again; it said why when it gave this up."
        return replace(finding, says=f"{finding.says}; it was given up", remedy=again)
    soon = (
        f"`recourse up` (process {up.pid}) starts again what has ended: read what it says, and look again in a moment."
    )
    return replace(finding, remedy=soon)


def _disk_space() -> str:
    """That of the folders that can be seen from here. The database may have its own elsewhere: it is asked to write."""
    # Python's own function would look for another folder where this one is full.
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - nothing is written there
    folders = {settings().home.absolute(): "the folder of the installation", temporary: "temporary files"}
    url = settings().storage_url
    if url and url.startswith("file:"):
        folders[Path(url2pathname(urlsplit(url).path))] = "the storage of files"
    free = {folder: free_space(folder) for folder in folders}
    if low := [folder for folder in folders if free[folder] < LOW]:
        found = "; ".join(f"{folders[folder]}, {folder}: {_megabytes(free[folder])} left" for folder in low)
        raise Ailing(found, "Free some space there. What cannot be written is refused until then.")
    return f"at least {_megabytes(min(free.values()))} left in each folder"


def _megabytes(size: int) -> str:
    return f"{size // MB:,} MB"


def _database() -> str:
    url = make_url(required("database_url")).render_as_string(hide_password=True)
    try:
        with engine().connect() as connection:
            number, version = connection.execute(
                text("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
            ).one()
    except DBAPIError as error:
        if full_disk(error):
            raise Ailing(*_cannot_write(url)) from None
        why = str(error.orig).strip().splitlines()[0] if is_connection_lost(error) else in_words(error)
        raise Away(f"{url} does not answer: {why}", _start("PostgreSQL", "database_url")) from None
    if number < OLDEST_POSTGRES:
        raise Ailing(f"{url} is PostgreSQL {version}", "Use PostgreSQL 18 or newer.")
    _database_writes(url)
    return f"PostgreSQL {version} at {url}"


def _database_writes(url: str) -> None:
    """Have it write a megabyte, which is gone with the transaction."""
    try:
        with engine().connect() as connection:
            connection.execute(text(PROBE))
            connection.rollback()
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            return  # nor may anything else of ours make temporary tables
        if full_disk(error):
            raise Ailing(*_cannot_write(url)) from None
        raise Ailing(f"{url} cannot write: {in_words(error)}", "Look at its log.") from None


def _cannot_write(url: str) -> tuple[str, str]:
    return f"{url} cannot write: its disk is full", "Free some space where it has its data."


def _migrations() -> str:
    with engine().connect() as connection:
        try:
            current = current_version(connection)
        except DatabaseUnfitError as error:
            raise Ailing("its tables cannot be read", str(error)) from None
        wrong = None if current else stranger(connection, schema_was_chosen=settings().database_schema is not None)
    newest = newest_migration()
    if wrong:
        raise Ailing("there are no tables of Recourse, and no room for them", wrong)
    if current != newest:
        raise Ailing(f"at {current or 'none'}, and this program needs {newest}", "Run `recourse database upgrade`.")
    return f"at {newest}, the newest"


def _record_kinds() -> str:
    try:
        check_declarations()
        with engine().connect() as connection:
            check_tables(connection)
    except RecordKindUnfitError as error:
        says, _, remedy = str(error).rstrip().rpartition(". ")
        raise Ailing(says, remedy) from None
    return ", ".join(kind.kind() for kind in record_kinds())


def _secret_key() -> str:
    former = len(settings().old_secret_keys)
    try:
        with transaction() as session:
            needed = under_former_keys(session)
    except MissingSettingError as error:
        raise Ailing("it is not set", str(error)) from None
    if needed:
        raise Ailing(
            f"{needed} webhook {'secret is' if needed == 1 else 'secrets are'} still encrypted with a former key",
            "Run `recourse database reseal`. Keep the former key in RECOURSE_OLD_SECRET_KEYS until then.",
        )
    if former:
        return f"{former} former {'key is' if former == 1 else 'keys are'} still accepted, and no secret needs it"
    return "no former key is accepted"


def _broker() -> str:
    url = make_url(required("broker_url")).render_as_string(hide_password=True)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=PATIENCE)
            connection.default_channel.client.ping()
    except (BrokerError, RedisError, OSError) as error:
        raise Away(f"{url} does not answer: {error}", _start("Redis", "broker_url")) from None
    return url


def _workers() -> str:
    found = app.control.inspect(timeout=ROLL_CALL).active_queues() or {}
    consumers = Counter(queue["name"] for queues in found.values() for queue in queues)
    if missing := [queue for queue in QUEUES if not consumers[name_on_the_broker(queue)]]:
        who = "no worker" if not found else f"none of {len(found)} workers"
        raise Away(
            f"{who} takes the queue {', '.join(missing)}",
            f"Start one: `celery -A worker worker -Q {','.join(missing)}`. What waits is kept, and done then.",
        )
    return ", ".join(f"{consumers[name_on_the_broker(queue)]} for {queue}" for queue in QUEUES)


def _beat() -> str:
    with transaction() as session:
        since = func.extract("epoch", func.now() - Heartbeat.at)
        seconds = session.scalar(select(since).where(Heartbeat.part == BEAT))
    remedy = "Start it, once in the whole installation: `celery -A worker beat`. Without it nothing lost is sent again."
    if seconds is None:
        raise Away("it has never run", remedy)
    if seconds > max(30.0, 3 * settings().recover_every_seconds):
        raise Away(f"it ticked {seconds:,.0f} s ago, for the last time", remedy)
    return f"it ticked {seconds:,.0f} s ago"


def _web(url: str | None) -> str:
    if url is None:
        raise Away(*NOT_UP)
    answer = _ask(f"{url}/readyz", "Start it: `uvicorn web.app:app`, or set RECOURSE_PUBLIC_URL to where it is.")
    if answer.status_code != httpx.codes.OK:
        raise Ailing(f"{url} is not ready: {answer.text.strip()[:200]}", "Look at its log, and at the database above.")
    if _is_past_the_proxy(answer):
        raise Ailing(
            f"{url} is told in X-Forwarded-For who its clients are, by an address that it does not trust",
            "If that is your proxy, add it to RECOURSE_TRUSTED_PROXIES: all who come through it count as one when "
            "sign-ins fail. The log names it: forwarded_by_untrusted. If it is not, let nobody past the proxy.",
        )
    return url


def _is_past_the_proxy(answer: httpx.Response) -> bool:
    try:
        told = answer.json()
    except ValueError:  # it is not ours
        return False
    return isinstance(told, dict) and "proxy" in told


def _flower(url: str | None) -> str:
    if url is None:
        raise Away(*NOT_UP)
    start = "Start it: `celery -A worker flower --conf=config/flower.py`, or set RECOURSE_FLOWER_URL to where it is."
    _ask(f"{url}/healthcheck", start)
    password = settings().flower_password
    if password is None:
        return f"{url}, without a look inside: RECOURSE_FLOWER_PASSWORD is not set here"
    sign_in = (settings().flower_user, password.get_secret_value())
    answer = _ask(f"{url}/api/task/types", start, sign_in)
    if answer.status_code != httpx.codes.OK:
        raise Ailing(
            f"{url} refuses the sign-in ({answer.status_code})",
            "Give Flower and this command the same RECOURSE_FLOWER_USER and RECOURSE_FLOWER_PASSWORD.",
        )
    return url


def _ask(url: str, remedy: str, sign_in: tuple[str, str] | None = None) -> httpx.Response:
    try:
        return httpx.get(url, auth=sign_in, timeout=PATIENCE, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Away(f"{url} does not answer: {error or type(error).__name__}", remedy) from None


def _files() -> str:
    """Write a file, read it back and delete it: what the storage is for."""
    key, content = f"doctor/{uuid4()}", b"Can be deleted at any time."
    where = settings().storage_url or str(settings().home.absolute() / "files")
    if settings().storage_url is None and not settings().home.exists():
        raise Ailing(f"{where} does not exist yet", NOT_UP[1])
    remedy = "Check RECOURSE_STORAGE_URL and the other RECOURSE_STORAGE_… settings, and that this may write there."
    try:
        storage.write(key, [content])
        same = b"".join(storage.read(key) or ()) == content
        failed = storage.remove([key])
    except StorageFull:
        raise Ailing(f"{where} takes no more: its disk is full", "Free some space there.") from None
    except (StorageUnavailable, OSError) as error:
        raise Ailing(f"{where} cannot be used: {error.__cause__ or error}", remedy) from None
    if not same or failed:
        raise Ailing(f"{where} does not give back or delete what it was given", remedy)
    return where


def _mail() -> str:
    """Sign in to the mail server, and send nothing."""
    if settings().smtp_host is None:
        return "no mail server is set: alerts go to the inbox alone"
    try:
        with MailServer() as server:
            server.ready()
    except MailServerAwayError as error:
        raise Ailing(
            f"{settings().smtp_host} does not let us in: {error}",
            "Check the RECOURSE_SMTP_… settings and the server. What waits is kept, and sent then.",
        ) from None
    return f"{settings().smtp_host}, as {settings().mail_from}"


def _start(what: str, setting: str) -> str:
    return f"Start {what}, or check RECOURSE_{setting.upper()}. `recourse up` starts one of its own where none is set."
