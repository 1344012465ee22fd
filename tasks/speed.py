"""How fast a reset goes, and how long it will still take: one rule for pages, the API and the command line."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.languages import gettext, ngettext
from models.resets import Reset, ResetSlice, ResetState

MEASURED_OVER = 30.0  # seconds
MEASURED_AT_LEAST = 2.0
IN_MINUTES_UP_TO = 90


@dataclass(frozen=True)
class Speed:
    """How fast a reset goes; `None` what cannot be known."""

    learners_per_second: float | None = None
    seconds_left: float | None = None


def speed_of(session: Session, reset: Reset, *, left: int, slices_in_flight: int) -> Speed:
    """Returns how many learners a second were settled lately, and how long those `left` here take at this speed.

    Neither is known unless learners are being cleared. How long is not known either if that depends on something else:
    on participants, who answer when they do, or on evidence to be stored first. The caller knows about pauses.
    """
    if reset.state != ResetState.RUNNING or reset.cancel_requested_at or not slices_in_flight:
        return Speed()
    since = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, MEASURED_OVER)
    lately = func.coalesce(ResetSlice.settled_at, ResetSlice.begun_at) > since
    sent_at = func.min(ResetSlice.published_at).filter(lately)  # perhaps again, after a pause
    settled, sent, seconds, held = session.execute(
        select(
            func.sum(ResetSlice.counted).filter(lately),
            sent_at,
            func.extract("epoch", func.now() - func.greatest(sent_at, since)),
            func.count().filter(ResetSlice.held, ResetSlice.settled_at.is_(None)),
        ).where(ResetSlice.reset_id == reset.id, ResetSlice.position > 0)
    ).one()
    if not settled or sent is None or seconds < MEASURED_AT_LEAST:
        return Speed()
    speed = float(settled) / float(seconds)
    known = left > 0 and not held and not reset.participants
    return Speed(round(speed, 1), round(left / speed, 1) if known else None)


def left_in_words(seconds: float) -> str:
    """Returns a time left as people say it, in the language spoken: `about 2 minutes left`."""
    if seconds < 60:
        return gettext("less than a minute left")
    minutes = round(seconds / 60)
    if minutes <= IN_MINUTES_UP_TO:
        return ngettext("about {count:,} minute left", "about {count:,} minutes left", minutes)
    return ngettext("about {count:,} hour left", "about {count:,} hours left", round(minutes / 60))
