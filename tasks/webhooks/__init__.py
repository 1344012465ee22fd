"""Webhooks: `commands` (open, enable, disable, delete, send again), `lookup`, and `deliver`, the outbox."""

from tasks.webhooks.commands import (
    checked_address,
    delete_endpoint,
    disable,
    enable,
    open_endpoint,
    renew_endpoint_secret,
    send_again,
    show_endpoint_secret,
)
from tasks.webhooks.lookup import deliveries, endpoints, find_endpoint, waiting_for

__all__ = [
    "checked_address",
    "delete_endpoint",
    "deliveries",
    "disable",
    "enable",
    "endpoints",
    "find_endpoint",
    "open_endpoint",
    "renew_endpoint_secret",
    "send_again",
    "show_endpoint_secret",
    "waiting_for",
]
