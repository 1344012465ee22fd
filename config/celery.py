"""What Celery is told. Each line that is not its default says why."""

from typing import Any

from config.database import app_connection
from config.settings import required, settings

# The queues as our own code, `celery worker -Q` and people name them. On the broker each has the prefix before it.
INTERACTIVE = "interactive"  # one person waits for it
BULK = "bulk"
NOTIFY = "notify"
QUEUES = (INTERACTIVE, BULK, NOTIFY)


def name_on_the_broker(name: str) -> str:
    """What a queue, an exchange or a key of ours is called where other applications have theirs."""
    return settings().broker_prefix + name


def _queue(name: str) -> dict[str, str]:
    full = name_on_the_broker(name)
    return {"exchange": full, "exchange_type": "direct", "routing_key": full, "alias": name}


def celery_settings() -> dict[str, Any]:
    """Celery's settings for this installation. Raises `MissingSettingError` without a broker or a database."""
    hard_limit = settings().task_time_limit_seconds
    return {
        "broker_url": required("broker_url"),
        "result_backend": "db+" + required("database_url"),  # outlives Redis, like everything that matters here
        # Where there is no database yet, a process could not even start.
        "database_create_tables_at_setup": False,
        "database_engine_options": {"connect_args": app_connection()},  # its tables are made by a migration of ours
        "result_extended": True,
        "result_expires": None,  # `tidy` deletes them, in batches: Celery would in one statement
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "enable_utc": True,
        "task_queues": {name_on_the_broker(name): _queue(name) for name in QUEUES},
        "task_default_queue": name_on_the_broker(BULK),
        "task_create_missing_queues": False,  # a queue that is misspelt would be one that nobody ever takes
        # Or every Celery application on this broker would answer our questions, and hear what ours do.
        "control_exchange": name_on_the_broker("control"),
        "event_exchange": name_on_the_broker("events"),
        "event_queue_prefix": name_on_the_broker("events"),
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
        "broker_connection_max_retries": None,  # for as long as it takes
        "task_publish_retry": False,  # `recover` is the retry; a request must not hang on a broker that is away
        "broker_transport_options": {
            # What workers have in hand. In one pile with another application's, each would give back the other's after
            # its own time-out. (Not `global_keyprefix`: nobody without it could send us anything, nor we to them.)
            "unacked_key": name_on_the_broker("unacked"),
            "unacked_index_key": name_on_the_broker("unacked_index"),
            "unacked_mutex_key": name_on_the_broker("unacked_mutex"),
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
