"""Days in a time zone."""

from datetime import datetime, time, tzinfo


def end_of_day(text: str, zone: tzinfo) -> datetime:
    """Returns the end of the day that a date names, such as 2027-03-31. Raises `ValueError` for anything else."""
    day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - the zone comes next
    return datetime.combine(day, time(23, 59, 59), zone)
