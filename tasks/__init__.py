"""The job, in its order:

    preview      what a reset would remove, and a signed plan                          (a function)
    request      the one door: a plan, the typed course code, a reason -> a Reset row  (a function)
    reset_course the coordinator: writes the ledger, sends the first slices, settles   (Celery)
    clear_learners   one slice of learners, cleared in one transaction                 (Celery)
    notify       the alerts in the outbox                                              (Celery)

What comes of it is worked off from outboxes in the database, after the commit and at its own pace, and changes nothing
about the reset: `mail` (e-mails, by `letters` and `smtp`), `webhooks`, `announce`, `files` (what is to be deleted from
the storage); and, for those who complete a course, `certificates`. All are of one pattern, `outbox`. `due` says whether
something is due.

Without a click: `rules` (made once, with a confirmation), `occurrences` (when they are due), `retrain` (the tick that
begins them, through the same door) and `report_event`. Other applications ask by message, `asked_by_message`.

At any time: `cancel` and `retry_failed`; and every few seconds `recover`, which sends again what the ledger says is
open and nobody is working on. `tidy` deletes what has served its time, and `people/erase` a person. `journal` keeps in
the storage what `restored` does again after a restore. Shared by these: `audience` (who is in a reset),
`window` (which slices are in the queue), `report` (how far a reset is), `lookup` (resets as people look at them), `app`
and `base` (Celery).

Postgres is the truth and Redis a doorbell: any message may be lost, doubled, late or out of order.
"""
