"""What is known: people, courses, what learners leave in them, and the resets with their ledger.

`metadata` holds every table; those of a team's own record kinds once `records.record_kinds()` was called.
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
    people,
    preferences,
    records,
    resets,
    retraining,
    sign_in,
    tallies,
    tokens,
    training,
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
    "people",
    "preferences",
    "records",
    "resets",
    "retraining",
    "sign_in",
    "tallies",
    "tokens",
    "training",
    "webhooks",
]

metadata = Base.metadata
