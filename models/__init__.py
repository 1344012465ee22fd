"""What is known: people, courses, what learners leave in them, and the resets with their ledger.

`metadata` holds every table; those of a team's own record kinds once `records.record_kinds()` was called.
"""

from models import (
    access,
    audit,
    events,
    groups,
    idempotency,
    notifications,
    people,
    records,
    resets,
    retraining,
    sign_in,
    tokens,
    training,
)
from models.base import Base

__all__ = [
    "access",
    "audit",
    "events",
    "groups",
    "idempotency",
    "metadata",
    "notifications",
    "people",
    "records",
    "resets",
    "retraining",
    "sign_in",
    "tokens",
    "training",
]

metadata = Base.metadata
