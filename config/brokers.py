"""What differs between the brokers: Redis (or Valkey), and RabbitMQ. The scheme of `broker_url` says which."""

from typing import Any

from config.database import without_password
from config.settings import required

CONNECT_SECONDS = 3
HEARTBEAT_SECONDS = 20  # RabbitMQ and a worker give each other up after two
MOST_RETURNS = 20


def is_rabbitmq() -> bool:
    """Returns whether the broker is RabbitMQ."""
    return required("broker_url").partition(":")[0] in ("amqp", "amqps", "pyamqp")


def broker_name() -> str:
    """Returns the broker's product name."""
    return "RabbitMQ" if is_rabbitmq() else "Redis"


def broker_for_people() -> str:
    """Returns the broker's address without its password; of a cluster, those of its nodes."""
    return ";".join(map(without_password, required("broker_url").split(";")))


def queue_arguments() -> dict[str, str | int]:
    """Returns the arguments of our queues on the broker."""
    if not is_rabbitmq():
        return {}
    # Replicated on a cluster, and on disk: they survive the loss of a node. A message that came back so often is
    # dropped, as RabbitMQ does by itself from 4.0 on; before, one that kills its worker would come back for ever.
    return {"x-queue-type": "quorum", "x-delivery-limit": MOST_RETURNS}


def reconnects_to_publish() -> bool:
    """Returns whether a message is published again, once, if the connection turns out to be lost."""
    # RabbitMQ's client notices it only then. Redis's connects again by itself.
    return is_rabbitmq()


def transport_options(prefix: str, longest_task: int) -> dict[str, Any]:
    """Returns kombu's options. `prefix` is that of all names on the broker, `longest_task` is in seconds."""
    # People wait while a request is sent; the defaults add four seconds if the broker is away.
    usual = {"max_retries": 1, "interval_start": 0.1}
    if is_rabbitmq():
        return usual | {"connect_timeout": CONNECT_SECONDS, "write_timeout": 30}
    return usual | {
        # Messages that workers have taken. If two applications shared these keys, each would restore the other's
        # messages after its own timeout. (`global_keyprefix` would cut us off from applications without it.)
        "unacked_key": f"{prefix}unacked",
        "unacked_index_key": f"{prefix}unacked_index",
        "unacked_mutex_key": f"{prefix}unacked_mutex",
        "visibility_timeout": 2 * longest_task + 60,  # otherwise, a slow task is delivered again while it runs
        # How often to look for messages of killed workers that are older than the visibility timeout. Slices do
        # not depend on it: `recover` sends them again from the ledger.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": CONNECT_SECONDS,
        # Between tasks, a worker waits for one answer after the other; with several dead connections, for each so long.
        "socket_timeout": 5,
        "socket_keepalive": True,
        # A connection that is open but dead, such as through a gateway that lost it, is given up after twice this time.
        "health_check_interval": 10,
    }
