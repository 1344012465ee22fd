"""What is known: people, courses, what learners leave in them, and the resets with their ledger.

`metadata` holds every table; those of a team's own record kinds once `records.record_kinds()` was called.
"""

from models import access, audit, notifications, people, records, resets, training
from models.base import Base

__all__ = ["access", "audit", "metadata", "notifications", "people", "records", "resets", "training"]

metadata = Base.metadata
