"""Webhooks: `commands` (open, change, enable, disable, delete, send again), `ping`, `lookup`, and `deliver`, the
outbox."""

from tasks.webhooks.commands import (
    change_endpoint,
    checked_address,
    delete_endpoint,
    disable,
    enable,
    open_endpoint,
    renew_endpoint_secret,
    send_again,
    send_failed_again,
    show_endpoint_secret,
)
from tasks.webhooks.lookup import deliveries, endpoints, facts_of, failed_since, find_endpoint, waiting_for
from tasks.webhooks.ping import Pinged, ping_endpoint

__all__ = [
    "Pinged",
    "change_endpoint",
    "checked_address",
    "delete_endpoint",
    "deliveries",
    "disable",
    "enable",
    "endpoints",
    "facts_of",
    "failed_since",
    "find_endpoint",
    "open_endpoint",
    "ping_endpoint",
    "renew_endpoint_secret",
    "send_again",
    "send_failed_again",
    "show_endpoint_secret",
    "waiting_for",
]
