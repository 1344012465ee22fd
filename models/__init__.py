"""What is known: people, courses, what learners leave in them, and the resets with their ledger.

`metadata` holds every table, a team's own record kinds included.
"""

from importlib import import_module

from config.settings import settings
from models import access, audit, notifications, people, records, resets, training
from models.base import Base

__all__ = ["access", "audit", "metadata", "notifications", "people", "records", "resets", "training"]

for module in settings().record_kinds:
    import_module(module)

metadata = Base.metadata
