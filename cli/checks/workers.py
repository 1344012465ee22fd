"""The workers: together they consume every queue."""

from collections import Counter

from cli.checks.finding import AwayError, Places, found_and_remedy
from config.celery import QUEUES, name_on_the_broker
from tasks.app import app
from tasks.broker import broker_errors
from tasks.troubles import Kind, Trouble

ROLL_CALL = 2.0  # seconds to collect answers; always waited for, as the number of workers is unknown


def check(_: Places) -> str:
    with broker_errors():
        found = app.control.inspect(timeout=ROLL_CALL).active_queues() or {}
    consumers = Counter(queue["name"] for queues in found.values() for queue in queues)
    if missing := [queue for queue in QUEUES if not consumers[name_on_the_broker(queue)]]:
        who = f"none of {len(found)} workers" if found else "no worker"
        raise AwayError(
            f"{who} consumes the {'queue' if len(missing) == 1 else 'queues'} {', '.join(missing)}",
            found_and_remedy(Trouble(Kind.QUEUE, ",".join(missing)))[1],
        )
    return ", ".join(f"{consumers[name_on_the_broker(queue)]} for {queue}" for queue in QUEUES)
