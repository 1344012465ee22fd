"""The outboxes: what leaves the house, after the commit of what it is about and at the pace of who takes it.

    answers     what comes of a try: taken, not now, never, unwanted
    hands       what an outbox does with an item; mail, webhooks, certificates, announcements, deletions are such
    turns       who is next: organizations in turn, each with its limits, and what rests after a failure
    lane        take the next, try, settle: one after the other
    total_time  the most that a try may take, whatever the other side does
    run         all of them side by side in one process, for some seconds                            (Celery)

Everything about an item is in its row: how often it was tried, when it is due again, what came of it. The next try's
moment is committed before a try is made, and its outcome after it; in between no connection and no lock is held.
See `docs/decisions/0050-one-process-for-all-outboxes.md`.
"""
