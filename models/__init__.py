"""The tables, their constraints, and the queries.

`metadata` holds every table. Those of a team's own record kinds join it once `records.record_kinds()` is called.
"""

from models import (
    access,
    announcements,
    audit,
    certificates,
    events,
    first_start,
    groups,
    heartbeat,
    idempotency,
    journal,
    leases,
    mail,
    notifications,
    participants,
    people,
    preferences,
    records,
    resets,
    retraining,
    sign_in,
    sign_in_failures,
    sign_on,
    tallies,
    tokens,
    training,
    web_sessions,
    webhook_messages,
    webhooks,
)
from models.base import Base
from models.files import deletions, files

__all__ = [
    "access",
    "announcements",
    "audit",
    "certificates",
    "deletions",
    "events",
    "files",
    "first_start",
    "groups",
    "heartbeat",
    "idempotency",
    "journal",
    "leases",
    "mail",
    "metadata",
    "notifications",
    "participants",
    "people",
    "preferences",
    "records",
    "resets",
    "retraining",
    "sign_in",
    "sign_in_failures",
    "sign_on",
    "tallies",
    "tokens",
    "training",
    "web_sessions",
    "webhook_messages",
    "webhooks",
]

metadata = Base.metadata
