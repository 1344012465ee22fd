"""Seconds between attempts: every backoff of the outboxes. The resulting due times are in the database."""

OVER_A_DAY = tuple(minutes * 60 for minutes in (1, 5, 15, 60, 180, 360, 840))
OVER_THREE_DAYS = tuple(minutes * 60 for minutes in (1, 5, 30, 120, 300, 600, 840, 1200, 1260))
EVER_MORE_RARELY = tuple(minutes * 60 for minutes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 360))
