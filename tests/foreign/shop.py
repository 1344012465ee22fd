"""A shop's Celery application: queues with the names that anybody would give them, and Celery's defaults otherwise."""

import os

from celery import Celery

app = Celery("shop", broker=os.environ["SHOP_BROKER_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="shop.take_order")
def take_order(number: int) -> None:
    """What its workers do all day."""
    print(f"order {number} is taken", flush=True)  # noqa: T201 - the test reads it


@app.task(name="shop.hear")
def hear(answer: dict[str, object]) -> None:
    """Where it is told what became of what it asked for."""
    print(f"heard {sorted(answer.items())}", flush=True)  # noqa: T201
