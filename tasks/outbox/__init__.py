"""Outboxes: everything that leaves the application, sent after the commit of its cause, at the receiver's pace.

    answers     the result of an attempt: taken, not now, never, unwanted
    handler     the part that differs: mail, webhooks, certificates, announcements and file deletions each have one
    turns       who is next: organizations take turns, each with its limits; a failing receiver rests
    lane        take the next item, attempt it, settle it, repeat
    total_time  a hard time limit for one attempt
    run         all outboxes side by side in one process, for some seconds                           (Celery)

All state of an item is in its row: its attempts, its next due time, its result. The next due time is committed before
an attempt and the result after it; no connection and no lock is held in between.
See `docs/decisions/0050-one-process-for-all-outboxes.md`.
"""
