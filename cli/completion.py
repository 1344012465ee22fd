"""What the shell completes besides commands and options: ids of resets, and course codes.

Asks only a database that is running. Whatever goes wrong, there are no suggestions, and nothing is printed.
"""

import os
from collections.abc import Callable
from typing import Any

LISTED = 50


def reset_ids(incomplete: str) -> list[tuple[str, str]]:
    """Returns the ends of the latest resets' ids that begin like this, each with its course and state."""

    def find(session: Any) -> list[tuple[str, str]]:
        from models.people import every_organization
        from models.short_ids import short
        from tasks.reset.lookup import latest_resets
        from tasks.reset.outcomes import state_in_words

        lines = latest_resets(session, [one.id for one in every_organization(session)], LISTED)
        ids = short([line.reset.id for line in lines])
        return [
            (ids[line.reset.id], f"{line.course_code} {state_in_words(line.reset)} {line.reset.requested_at:%Y-%m-%d}")
            for line in lines
            if ids[line.reset.id].startswith(incomplete.lower())
        ]

    return _asked(find)


def course_codes(incomplete: str) -> list[tuple[str, str]]:
    """Returns the courses whose codes begin like this, each with its title."""

    def find(session: Any) -> list[tuple[str, str]]:
        from models.directory import courses_beginning

        return courses_beginning(session, incomplete, limit=LISTED)

    return _asked(find)


def _asked(find: Callable[[Any], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    # What is imported here takes half a second, and is needed only when the Tab key is pressed.
    try:
        from cli.local import where
        from config.settings import settings
        from models.session import transaction

        if settings().database_url is None:
            os.environ["RECOURSE_DATABASE_URL"] = where(settings().home).database
            settings.cache_clear()
        with transaction() as session:
            return find(session)
    except Exception:
        return []
