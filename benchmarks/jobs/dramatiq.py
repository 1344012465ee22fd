"""An actor of Dramatiq, with Redis as broker."""

import os

import dramatiq
from dramatiq import Broker
from dramatiq.brokers.redis import RedisBroker

from benchmarks.jobs.learner import clear_learner, own_connection

broker: Broker = RedisBroker(url=f"unix://{os.environ['REDIS_SOCKET']}")
dramatiq.set_broker(broker)


@dramatiq.actor
def clear_user(reset_id: str, course_id: int, user_id: int) -> None:
    """Reset one user."""
    clear_learner(own_connection(), reset_id, course_id, user_id)
