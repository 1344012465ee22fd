"""E-mails through a mail server that drops, defers and rejects, from workers that get killed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from models.mail import mails_of
from models.session import transaction
from tests.mail_server import DROP, TAKE_AND_DROP, TAKEN, LoopbackMailServer
from tests.scenes import Scene, ask, make_scene, report_of, run, state_of
from tests.workers import Worker, until

REJECTED = "550 5.1.1 no such user here"
DEFERRED = "450 4.2.0 come back later"


@pytest.fixture
def mail_server() -> Iterator[LoopbackMailServer]:
    with LoopbackMailServer() as server:
        yield server


class Nasty:
    """Rejects every 100th address, defers one try in ten, and drops one connection in fifty before or after accepting
    the e-mail. Counts the e-mails it accepted without confirming."""

    def __init__(self) -> None:
        self._chance = random.Random(20261124)
        self.unsaid: Counter[str] = Counter()

    def on_recipient(self, to: str) -> str:
        if self.rejects(to):
            return REJECTED
        if self._chance.random() < 0.10:
            return DEFERRED
        return DROP if self._chance.random() < 0.01 else TAKEN

    def on_message(self, to: str) -> str:
        if self._chance.random() < 0.01:
            self.unsaid[to] += 1
            return TAKE_AND_DROP
        return TAKEN

    @staticmethod
    def rejects(to: str) -> bool:
        number = to.partition("@")[0].removeprefix("learner-")
        return number.isdecimal() and int(number) % 100 == 7


def through_the_night(
    server: LoopbackMailServer,
    start_worker: Callable[..., Worker],
    set_up: Callable[..., None],
    *,
    learners: int,
    kills: int,
) -> tuple[Scene, UUID, Nasty, float]:
    """Reset a course and send its e-mails, killing the worker `kills` times meanwhile."""
    nasty = Nasty()
    server.handler.on_recipient, server.handler.on_message = nasty.on_recipient, nasty.on_message
    set_up(
        smtp_host="127.0.0.1",
        smtp_port=server.port,
        smtp_security="none",
        mail_from="training@acme.example",
        mail_per_second=100_000,
        mail_gather_seconds=0,
    )
    scene = make_scene(learners=learners, completed=100, begun=100)
    run('UPDATE "user" SET notifications_on = true')
    worker = start_worker()
    began = time.monotonic()
    reset = scene.request()
    for kill in range(1, kills + 1):
        until(lambda kill=kill: len(server.delivered) >= learners * kill / (kills + 1) or open_mails() == 0, 300)
        worker.kill()
        worker = start_worker()

    def all_settled() -> bool:
        # Only the waits of minutes and hours are cut short.
        run(
            "UPDATE mail SET next_try_at = now() WHERE state = 'pending' AND attempts > 0 "
            "AND (begun_at IS NULL OR begun_at < now() - interval '3 s')"
        )
        return bool(report_of(reset)["done"]) and open_mails() == 0

    until(all_settled, 600)
    return scene, reset, nasty, time.monotonic() - began


def open_mails() -> int:
    return int(ask("SELECT count(*) FROM mail WHERE state = 'pending'")) + int(ask("SELECT count(*) = 0 FROM mail"))


def assert_each_got_one(server: LoopbackMailServer, scene: Scene, reset: UUID, nasty: Nasty, kills: int) -> str:
    """Each deliverable address got one message; a repeat has the same Message-ID and is reported as possible."""
    wanted = {user.email for user in scene.users()} | {"admin@acme.example"}
    got = Counter(one.to for one in server.delivered)
    assert set(got) == {to for to in wanted if not nasty.rejects(to)}
    ids: dict[str, set[str]] = {}
    for one in server.delivered:
        ids.setdefault(one.to, set()).add(one.id)
    assert {len(of) for of in ids.values()} == {1}, "a repeat has the Message-ID of the first"
    with transaction() as session:
        seen = mails_of(session, reset)
    repeats = sum(got.values()) - len(got)
    # A repeat is where the server could not say that it had taken it, or where a kill fell between its OK and the
    # commit; and the report counts at least those.
    assert repeats <= sum(nasty.unsaid.values()) + kills
    assert seen.maybe_repeated >= sum(count > 1 for count in got.values())
    assert seen.maybe_repeated <= sum(nasty.unsaid.values()) + kills
    assert (seen.pending, seen.suppressed) == (0, 0)
    assert seen.failed == sum(nasty.rejects(to) for to in wanted)
    assert seen.sent == len(got)
    assert max(server.handler.seen[to] for to in wanted if nasty.rejects(to)) == 1, "never is never"
    assert state_of(reset) == "succeeded"
    return (
        f"{seen.sent:,} sent and {seen.failed:,} rejected of {len(wanted):,}; {sum(got.values()):,} accepted, "
        f"{repeats} repeats with the same Message-ID, {seen.maybe_repeated} reported as possible; "
        f"{server.handler.connections} connections"
    )


def test_each_address_gets_one_message_whatever_the_server_does_and_whoever_is_killed(
    mail_server: LoopbackMailServer, start_worker: Callable[..., Worker], set_up: Callable[..., None]
) -> None:
    scene, reset, nasty, _ = through_the_night(mail_server, start_worker, set_up, learners=300, kills=2)
    assert_each_got_one(mail_server, scene, reset, nasty, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_ten_thousand_addresses_get_one_message_each_despite_five_kills(
    mail_server: LoopbackMailServer,
    start_worker: Callable[..., Worker],
    set_up: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene, reset, nasty, seconds = through_the_night(mail_server, start_worker, set_up, learners=10_000, kills=5)
    said = assert_each_got_one(mail_server, scene, reset, nasty, kills=5)
    with capsys.disabled():
        print(f"\n{said}; {seconds:.0f} s")  # noqa: T201
