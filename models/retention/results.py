"""Old results of Celery tasks, in Celery's own table."""

from sqlalchemy import DateTime, any_, column, delete, func, select, table
from sqlalchemy.orm import Session

from models.arrays import array_of
from models.retention.by_age import Before
from models.session import changed_rows

_results = table("celery_taskmeta", column("id"), column("date_done", DateTime(timezone=False)))

OLDEST_RESULT = select(func.timezone("UTC", _results.c.date_done)).order_by(_results.c.id).limit(1)


def delete_results(session: Session, before: Before, most: int) -> int:
    """Delete old results, and return how many. The table has no index on time, but ids grow nearly in order of time."""
    if session.scalar(select(func.to_regclass("celery_taskmeta"))) is None:  # Celery creates it with its first result
        return 0
    first = select(_results.c.id).order_by(_results.c.id).limit(most)
    old = _results.c.date_done < func.timezone("UTC", before)
    return changed_rows(session, delete(_results).where(_results.c.id == any_(array_of(first)), old))
