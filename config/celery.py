"""Celery's configuration, with the reason for each setting that differs from the default."""

from typing import Any

from config.brokers import HEARTBEAT_SECONDS, queue_arguments, reconnects_to_publish, transport_options
from config.database import app_connection
from config.settings import required, settings

# The queues, as our code and `celery worker -Q` name them. On the broker, their names have the prefix.
INTERACTIVE = "interactive"  # someone is waiting for the result
BULK = "bulk"
NOTIFY = "notify"
QUEUES = (INTERACTIVE, BULK, NOTIFY)


def name_on_the_broker(name: str) -> str:
    """Returns the name of one of our queues, exchanges or keys on the broker, with the prefix."""
    return settings().broker_prefix + name


def _queue(name: str) -> dict[str, Any]:
    full = name_on_the_broker(name)
    arguments = {"queue_arguments": queue_arguments()} if queue_arguments() else {}
    return {"exchange": full, "exchange_type": "direct", "routing_key": full, "alias": name} | arguments


def celery_settings() -> dict[str, Any]:
    """Returns Celery's configuration. Raises `MissingSettingError` if the broker or the database is not set."""
    hard_limit = settings().task_time_limit_seconds
    return {
        "broker_url": required("broker_url"),
        "result_backend": "db+" + required("database_url"),  # results survive the loss of the broker
        "database_create_tables_at_setup": False,  # a migration creates them; processes start without a database
        "database_engine_options": {"connect_args": app_connection()},
        "database_engine_callback": "models.poolers:fit_for_poolers",
        "result_extended": True,
        "result_expires": None,  # `tidy` deletes old results in batches; Celery would use one statement
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "enable_utc": True,
        "task_queues": {name_on_the_broker(name): _queue(name) for name in QUEUES},
        "task_default_queue": name_on_the_broker(BULK),
        "task_create_missing_queues": False,  # no worker would ever read a misspelled queue
        # Otherwise, every Celery application on this broker would answer our commands and receive our events.
        "control_exchange": name_on_the_broker("control"),
        "event_exchange": name_on_the_broker("events"),
        "event_queue_prefix": name_on_the_broker("events"),
        "task_ignore_result": True,  # results are in the ledger; only the coordinator stores one
        # No "task_track_started": if a message arrives twice, STARTED would overwrite the stored failure of its run.
        # And a task would need the database before its own code can handle an outage. Flower gets an event instead.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,  # task_acks_late alone acknowledges the message of a killed child process
        "task_time_limit": hard_limit,
        "task_soft_time_limit": hard_limit - 5,
        "worker_consumer": "worker.consumer:Consumer",
        "worker_prefetch_multiplier": 1,  # the first free worker takes the next slice
        "worker_send_task_events": True,  # Flower needs them
        "worker_hijack_root_logger": False,
        # After SIGTERM, running slices may finish; the rest go back to the queue.
        "worker_soft_shutdown_timeout": settings().soft_shutdown_seconds,
        "worker_cancel_long_running_tasks_on_connection_loss": True,  # redelivered; see the ledger
        "worker_max_memory_per_child": 512_000,  # KiB
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # retry forever
        "broker_heartbeat": HEARTBEAT_SECONDS,  # by the default, RabbitMQ would keep a lost host's messages for minutes
        # `recover` is the retry; a request must not wait for a missing broker.
        "task_publish_retry": reconnects_to_publish(),
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0},
        "broker_transport_options": transport_options(name_on_the_broker(""), hard_limit),
    }
