"""E-mails: Recourse's outbox against a plain loop over smtplib, with as many connections, to the same mail server."""

import os
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default

from benchmarks.asked import value
from benchmarks.bench import Bench
from benchmarks.contenders import recourse
from benchmarks.contenders.contender import at_once
from benchmarks.mail_server import HOST, MailServer, mail_server
from benchmarks.measures.measure import Measure
from benchmarks.programs import Program, RunError
from benchmarks.target import WARM_UP, Target, target_of
from config.settings import settings

KEY = "mail_factor"
ALERTED = 0.9  # of the learners; the others have notifications off
SETTINGS = {
    "RECOURSE_SMTP_HOST": HOST,
    "RECOURSE_SMTP_SECURITY": "none",
    "RECOURSE_MAIL_FROM": "Training <training@example.com>",
    "RECOURSE_MAIL_PER_SECOND": "1000000",  # as fast as it can
    "RECOURSE_MAIL_GATHER_SECONDS": "0",
}
LIMIT = 3600.0


def measure(bench: Bench) -> None:
    """Add the factor of each pair: e-mails a second of Recourse by those of the loop."""
    mails = bench.learners(KEY)
    learners = round(mails / ALERTED)
    target = Target(learners, target_of(learners).courses)
    with bench.stage.filled([target]):
        for _ in range(bench.pairs):
            with mail_server() as server:
                bench.stage.say(f"Recourse, {mails:,} e-mails")
                ours, sent = _by_recourse(bench, server, target)
                connections = server.connections
                bench.advance()
                bench.stage.say(f"a loop, {sent:,} e-mails, {connections} connections")
                theirs = _by_loop(server, sent, connections)
                bench.advance()
                bench.results.runs["recourse_mail", sent].append(at_once(sent / ours))
                bench.results.runs["smtplib_loop", sent].append(at_once(sent / theirs))
                bench.results.figures[KEY].append(ours / theirs)


def _by_recourse(bench: Bench, server: MailServer, target: Target) -> tuple[float, int]:
    """Returns the e-mails a second, and how many there were."""
    with bench.stage.clone(), _set_up(server), recourse.worker() as worker:
        alerts = [
            value(recourse.EXPECTED, organization=one.organization, course=one.course) for one in (WARM_UP, target)
        ]
        recourse.reset(worker, WARM_UP)
        _wait(server, alerts[0], worker)
        server.start_over()
        bench.stage.checkpoint()
        recourse.reset(worker, target)
        _wait(server, alerts[1], worker)
        return server.per_second, alerts[1]


def _by_loop(server: MailServer, mails: int, connections: int) -> float:
    """Send as many e-mails of the same text. Returns how many a second."""
    text = server.first_message()
    server.start_over()

    def send(count: int) -> None:
        message = message_from_bytes(text, policy=default)
        with smtplib.SMTP(HOST, server.port, local_hostname="localhost") as smtp:
            for number in range(count):
                message.replace_header("To", f"learner-{number}@loop.example")
                smtp.send_message(message)

    shares = [mails // connections + (number < mails % connections) for number in range(connections)]
    threads = [threading.Thread(target=send, args=(share,), daemon=True) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if server.taken != mails:
        raise RunError(f"The loop sent {server.taken:,} of {mails:,} e-mails.")
    return server.per_second


@contextmanager
def _set_up(server: MailServer) -> Iterator[None]:
    """Let the settings name the mail server within the scope."""
    os.environ |= SETTINGS | {"RECOURSE_SMTP_PORT": str(server.port)}
    settings.cache_clear()
    try:
        yield
    finally:
        for name in (*SETTINGS, "RECOURSE_SMTP_PORT"):
            del os.environ[name]
        settings.cache_clear()


def _wait(server: MailServer, mails: int, worker: Program) -> None:
    _until(lambda: server.taken >= mails, worker)
    if server.taken > mails:
        raise RunError(f"Recourse sent {server.taken:,} e-mails in place of {mails:,}.")


def _until(done: Callable[[], bool], worker: Program) -> None:
    end = time.monotonic() + LIMIT
    while not done():
        worker.check()
        if time.monotonic() > end:
            raise RunError(f"The e-mails were not sent. The worker's log:\n{worker.last_lines()}")
        time.sleep(0.1)


MEASURE = Measure((KEY,), measure, lambda bench: 2 * bench.pairs)
