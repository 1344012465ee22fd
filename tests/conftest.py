"""Fixtures: servers for the tests, and a database with real commits for each test."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
import redis
from alembic import command
from alembic.config import Config
from playwright.sync_api import Browser, sync_playwright

from cli.local import LocalServers, LocalUrls, remove
from config.settings import settings
from models.session import forget_engine
from tasks.app import app
from tests.post import Post
from tests.web import serving
from tests.workers import CELERY, Worker

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # root's Chromium has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The tests start hundreds of programs. Without bytecode files, each would compile all its imports, for 3 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# All connections are to loopback. Loading all public certificates would cost each httpx client 25 ms; the client of the
# S3 storage refuses to start with none.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("one_authority.pem"))

# Creating a database takes less than half as long with these. No test cuts the power.
CHEAP = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}

PROJECT = Path(__file__).parents[1]
SECRET = "a secret that is long enough for the tests to sign with"


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()  # runs after monkeypatch has put the environment back


@pytest.fixture(scope="session")
def servers(_started: tuple[LocalServers, LocalUrls]) -> LocalUrls:
    """A PostgreSQL with a migrated template database, and a Redis. If one cannot start, tests fail."""
    return _started[1]


@pytest.fixture
def own_servers(_started: tuple[LocalServers, LocalUrls]) -> LocalServers:
    """The servers themselves, for tests that end one: `start` starts it again."""
    return _started[0]


@pytest.fixture(scope="session")
def _started() -> Iterator[tuple[LocalServers, LocalUrls]]:
    # Not pytest's tmp_path: the servers of root run as another user, who may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="recourse-test-"))
    folder.chmod(0o755)
    # pytest inspects what a test module imports, and inspecting a task makes Celery read its settings.
    assert not app.configured, "a test module imports a task itself; use app.tasks[name]"
    own = LocalServers(folder / "home")
    try:
        urls = own.start()
        with pytest.MonkeyPatch.context() as environment:
            _point_at(urls, environment)
            command.upgrade(alembic_config(), "head")
            forget_engine()
        _administer(urls, "ALTER DATABASE recourse RENAME TO template_for_tests")
        for name, value in CHEAP.items():
            _administer(urls, f"ALTER SYSTEM SET {name} = '{value}'")
        own.stop()
        own.start()
        _administer(urls, "DROP DATABASE recourse")  # the restart created it again
        settings.cache_clear()
        yield own, urls
    finally:
        own.stop()
        remove(folder / "home")
        shutil.rmtree(folder)


@pytest.fixture
def database(servers: LocalUrls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Return the libpq URL of a freshly migrated database. The broker and the storage are empty, and the settings point
    at all three.

    The database always has the same name, because Celery reads its configuration only once.
    """
    _point_at(servers, monkeypatch)
    monkeypatch.setenv("RECOURSE_STORAGE_URL", (tmp_path / "files").as_uri())
    monkeypatch.setenv("RECOURSE_SPOOL_FOLDER", str(tmp_path / "spool"))
    assert app.conf.broker_url == servers.broker, "another test has already configured Celery for another broker"
    _administer(servers, "CREATE DATABASE recourse TEMPLATE template_for_tests STRATEGY FILE_COPY")
    broker(servers).flushall()
    yield libpq(servers.database)
    forget_engine()
    _administer(servers, "DROP DATABASE recourse WITH (FORCE)")


@pytest.fixture
def post(database: str) -> Iterator[Post]:
    """The messages in the broker, for the test to deliver."""
    with Post() as box:
        yield box


@pytest.fixture
def served(database: str) -> Iterator[str]:
    """Run the web app on the test's database and broker, in a thread. Returns its base URL."""
    with serving() as base:
        yield base


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the machine's own Chromium, which `make test` installs where it can.

    Playwright allows one per process, and while it runs, no other event loop does: so it ends with the module.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, f"These tests need one of {', '.join(PROGRAMS)}. Install it: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def redis_server(servers: LocalUrls, database: str) -> redis.Redis:
    return broker(servers)


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change settings for one test: `set_up(slices_in_flight=2)`."""

    def change(**values: object) -> None:
        for setting, value in values.items():
            monkeypatch.setenv(f"RECOURSE_{setting.upper()}", str(value))
        settings.cache_clear()
        forget_engine()

    return change


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut slices of 25 learners from 201 on, in this process."""
    monkeypatch.setattr("tasks.reset.window.FEWEST_IN_A_SLICE", 25)
    monkeypatch.setattr("tasks.reset.window.SLICES_AIMED_AT", 40)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each learner of a small course cleared by their own message, in this process."""
    monkeypatch.setattr("tasks.reset.clear_learners.take_along", lambda *_: [])


@pytest.fixture
def start_worker(database: str, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start real Celery workers. They stop after the test; if it failed, pytest shows the end of their logs."""
    started: list[Worker] = []

    def start(
        *,
        beat: bool = True,
        queues: str = "interactive,bulk,notify",
        project: Path = PROJECT,
        celery: Sequence[str] = CELERY,
        **environment: object,
    ) -> Worker:
        folder = tmp_path / f"worker-{len(started)}"
        worker = Worker(project, folder, beat=beat, queues=queues, environment=environment, celery=celery)
        started.append(worker)
        worker.wait_until_ready()
        return worker

    yield start
    for worker in started:
        worker.ask_to_stop()
    for worker in started:
        worker.stop()
        print(worker.last_lines())  # noqa: T201 - pytest shows it when the test failed


def alembic_config() -> Config:
    return Config(toml_file=PROJECT / "pyproject.toml")


def broker(urls: LocalUrls) -> redis.Redis:
    return redis.Redis(unix_socket_path=urls.broker.removeprefix("redis+socket://").partition("?")[0])


def libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def _point_at(urls: LocalUrls, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RECOURSE_DATABASE_URL", urls.database)
    environment.setenv("RECOURSE_BROKER_URL", urls.broker)
    environment.setenv("RECOURSE_SECRET_KEY", SECRET)
    settings.cache_clear()


def _administer(urls: LocalUrls, statement: str) -> None:
    with psycopg.connect(libpq(urls.database), dbname="postgres", autocommit=True) as connection:
        connection.execute(statement.encode())
