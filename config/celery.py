"""What Celery is told. Each line that is not its default says why."""

from typing import Any

from config.database import app_connection
from config.settings import required, settings

INTERACTIVE = "interactive"  # one person waits for it
BULK = "bulk"
NOTIFY = "notify"
QUEUES = (INTERACTIVE, BULK, NOTIFY)


def celery_settings() -> dict[str, Any]:
    """Celery's settings for this installation. Raises `MissingSettingError` without a broker or a database."""
    hard_limit = settings().task_time_limit_seconds
    return {
        "broker_url": required("broker_url"),
        "result_backend": "db+" + required("database_url"),  # outlives Redis, like everything that matters here
        "database_engine_options": {"connect_args": app_connection()},  # its tables are made by a migration of ours
        "result_extended": True,
        "result_expires": 30 * 24 * 3600,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "enable_utc": True,
        "task_default_queue": BULK,
        "task_ignore_result": True,  # the ledger has the results; the coordinator's is the exception
        # Not "task_track_started": STARTED would be written over the stored failure of a run whose message comes twice,
        # and a task would depend on the database before its own code can say what to do without one. Flower learns of
        # the start by its event.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,  # acks_late alone acknowledges the message of a killed child
        "task_time_limit": hard_limit,
        "task_soft_time_limit": hard_limit - 5,
        "worker_prefetch_multiplier": 1,  # a slice waits for whoever is free first
        "worker_send_task_events": True,  # what Flower shows
        "worker_hijack_root_logger": False,
        # On SIGTERM, slices under way may end; the rest goes back to the queue.
        "worker_soft_shutdown_timeout": settings().soft_shutdown_seconds,
        "worker_cancel_long_running_tasks_on_connection_loss": True,  # they come again, and the ledger decides
        "worker_max_memory_per_child": 512_000,  # KiB
        "broker_connection_retry_on_startup": True,
        "task_publish_retry": False,  # `recover` is the retry; a request must not hang on a broker that is away
        "broker_transport_options": {
            "visibility_timeout": 2 * hard_limit + 60,  # or a slow task is delivered again while it runs
            # How often it looks for messages of killed workers that are older than the visibility timeout. Slices
            # need not wait for that: `recover` sends them again from the ledger.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            # Somebody waits while a request is sent; without these, four seconds longer for a broker that is away.
            "max_retries": 1,
            "interval_start": 0.1,
            "socket_connect_timeout": 3,
            "socket_timeout": 30,
            "socket_keepalive": True,
        },
    }
