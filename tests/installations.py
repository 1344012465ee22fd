"""A whole installation around one scene: a mail server, a receiver of webhooks, learners who write, and the books."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from models.learning import post
from models.refusals.training import StaleRegistration
from models.session import DBAPIError, transaction
from models.training import Activity, ActivityKind, Enrolment
from models.webhooks import WebhookEvent, open_endpoint
from tests.ledger_checker import WRITTEN, Books, Verdict
from tests.mail_server import LoopbackMailServer
from tests.receiver import Receiver
from tests.scenes import Scene, ask, make_scene, run
from tests.workers import until

DEADLY = '["deadly"]'  # the record kinds of a worker that kills itself: see `tests/faults/in_the_worker/deadly.py`


@dataclass
class Installation:
    """The installation. What it resets, it writes down."""

    scene: Scene
    mails: LoopbackMailServer
    webhooks: Receiver
    books: Books = field(init=False)

    def __post_init__(self) -> None:
        self.books = Books(self.scene)

    def reset(self, users: Iterable[int] | None = None) -> UUID:
        """Request a reset of these users, or of everyone."""
        named = None if users is None else sorted(users)
        options: dict[str, Any] = {} if named is None else {"audience": "users", "users": named}
        return self.books.note(self.scene.request(**options), named)

    def settled(self) -> int:
        """Returns how many learners have an outcome, over all resets."""
        return int(ask("SELECT coalesce(sum(cleared + unchanged + skipped + failed), 0) FROM reset_slice"))

    def wait_for(self, share: float, limit: float = 120) -> None:
        """Wait until this share of all learners has an outcome."""
        until(lambda: self.settled() >= share * sum(map(len, self.books.audiences.values())), limit)

    def wait_for_the_end(self, limit: float = 120) -> None:
        """Wait until all resets have their results, and all that they send is sent."""
        until(self._is_done, limit)

    def assert_nothing_is_lost(self, *, failing: Iterable[int] = (), outside: bool = True, limit: float = 120) -> None:
        """Wait for the end, and check everything; what leaves it only if `outside`."""
        self.wait_for_the_end(limit) if outside else until(resets_are_done, limit)
        sent = {"mails": self.mails, "webhooks": self.webhooks} if outside else {}
        assert self.books.verdict(failing=failing, **sent) == Verdict()  # type: ignore[arg-type]

    def _is_done(self) -> bool:
        # Only the waits of minutes are cut short: those after an attempt whose process was killed, or a failed one.
        run(
            "UPDATE mail SET next_try_at = now() WHERE state = 'pending' AND attempts > 0 "
            "AND next_try_at > now() AND (begun_at IS NULL OR begun_at < now() - interval '3 s')"
        )
        run(
            "UPDATE webhook_delivery SET next_try_at = now() WHERE state = 'pending' AND attempts > 0 "
            "AND next_try_at > now() AND tried_at < now() - interval '3 s'"
        )
        still = (
            "SELECT (SELECT count(*) FROM mail WHERE state = 'pending') + (SELECT count(*) FROM webhook_delivery {})"
        )
        return resets_are_done() and not ask(still.format("WHERE state = 'pending'"))


def resets_are_done() -> bool:
    """Returns whether every reset has its result and its alerts."""
    return not ask(
        "SELECT (SELECT count(*) FROM reset WHERE reported_at IS NULL) "
        "+ (SELECT count(*) FROM reset_slice WHERE alerts_due) "
        "+ (SELECT count(*) FROM notification WHERE state = 'pending')"
    )


def install(
    set_up: Callable[..., None], mails: LoopbackMailServer, webhooks: Receiver, *, learners: int, **scene: Any
) -> Installation:
    """Set up the installation with a course of so many learners. All have begun it, and one in twenty gets e-mails."""
    set_up(
        webhook_allow_private=True,
        webhooks_at_once_each=10,
        smtp_host="127.0.0.1",
        smtp_port=mails.port,
        smtp_security="none",
        mail_from="training@acme.example",
        mail_per_second=100_000,
        mail_gather_seconds=0,
    )
    made = make_scene(learners=learners, **{"completed": 50, "begun": 100} | scene)
    run("UPDATE \"user\" SET mail_on = substring(email FROM '[0-9]+')::int % 20 = 1 WHERE email LIKE 'learner-%'")
    with transaction() as session:
        open_endpoint(session, made.organization.id, f"http://127.0.0.1:{webhooks.port}/", list(WebhookEvent))
    return Installation(made, mails, webhooks)


class Writing:
    """Learners who post all the time, as a context manager. Each notes in the books what was acknowledged."""

    def __init__(self, installation: Installation, learners: int, threads: int = 5) -> None:
        self.refused = 0
        self._books = installation.books
        with transaction() as session:
            which = (Activity.course_id == installation.scene.course.id) & (Activity.kind == ActivityKind.DISCUSSION)
            self._activity: int = session.scalars(select(Activity.id).where(which)).one()
        writers = installation.scene.enrolments()
        self._writers = [one.id for one in writers[:: max(1, len(writers) // learners)]][:learners]
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(self._writers[number::threads],)) for number in range(threads)
        ]

    def __enter__(self) -> "Writing":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writers: list[int]) -> None:
        while not self._over.is_set():
            for writer in writers:
                self._post(writer)
                if self._over.wait(0.02):
                    return

    def _post(self, writer: int) -> None:
        body = f"{WRITTEN}{uuid4()}"
        try:
            with transaction() as session:
                registration = session.get_one(Enrolment, writer).registration
            with transaction() as session:
                post(session, registration, self._activity, body)
        except StaleRegistration:
            self.refused += 1
            return
        except DBAPIError:
            # It may be committed all the same: whoever writes asks.
            with suppress(DBAPIError):
                if not _waits_for_answer(body):
                    return
        self._books.written[body] = registration


def _waits_for_answer(body: str) -> bool:
    found: list[bool] = []

    def asked() -> bool:
        with suppress(DBAPIError):
            found.append(bool(ask("SELECT count(*) FROM discussion_post WHERE body = :body", body=body)))
        return bool(found)

    until(asked, 60)
    return found[0]
