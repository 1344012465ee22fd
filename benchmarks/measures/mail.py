"""E-mails: Recourse's outbox against a plain loop over smtplib, with as many connections, to the same mail server."""

import os
import smtplib
import threading
import time
from collections.abc import Iterator
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
from benchmarks.target import WARM_UP, Target
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
LONGEST = 600.0  # seconds, at full size: then the e-mails so far are compared
WARM_UP_LIMIT = 120.0


def measure(bench: Bench) -> None:
    """Add the factor of each pair: e-mails a second of Recourse by those of the loop."""
    mails = bench.learners(KEY)
    learners = round(mails / ALERTED)
    target = Target(learners, courses=2)
    with bench.stage.filled([target]):
        for _ in range(bench.pairs):
            with mail_server() as server:
                bench.stage.say(f"Recourse, {mails:,} e-mails")
                _by_recourse(bench, server, target)
                ours, sent, connections = server.per_second, server.taken, server.connections
                bench.advance()
                bench.stage.say(f"a loop, {sent:,} e-mails, {connections} connections")
                _by_loop(server, sent, connections)
                theirs = server.per_second
                bench.advance()
            bench.results.runs["recourse_mail", mails].append(at_once(mails / ours))
            bench.results.runs["smtplib_loop", mails].append(at_once(mails / theirs))
            bench.results.figures[KEY].append(ours / theirs)


def _by_recourse(bench: Bench, server: MailServer, target: Target) -> None:
    """Reset the target with a mail server in the settings, and wait until it has all e-mails, or for a time."""
    with bench.stage.clone(), _set_up(server), recourse.worker() as worker:
        alerts = [
            value(recourse.EXPECTED, organization=one.organization, course=one.course) for one in (WARM_UP, target)
        ]
        recourse.reset(worker, WARM_UP)
        if not _all_taken(server, alerts[0], worker, WARM_UP_LIMIT):
            raise RunError(f"No e-mails were sent. The worker's log:\n{worker.last_lines()}")
        server.start_over()
        bench.stage.checkpoint()
        recourse.reset(worker, target)
        _all_taken(server, alerts[1], worker, LONGEST * bench.share)
        server.stop_counting()


def _by_loop(server: MailServer, mails: int, connections: int) -> None:
    """Send as many e-mails of the same text, over as many connections."""
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


def _all_taken(server: MailServer, mails: int, worker: Program, limit: float) -> bool:
    """Wait until the server has taken all e-mails, or for `limit` seconds. Returns whether it has."""
    end = time.monotonic() + limit
    while server.taken < mails and time.monotonic() < end:
        worker.check()
        time.sleep(0.1)
    if server.taken > mails:
        raise RunError(f"Recourse sent {server.taken:,} e-mails in place of {mails:,}.")
    return server.taken == mails


MEASURE = Measure((KEY,), measure, lambda bench: 2 * bench.pairs)
