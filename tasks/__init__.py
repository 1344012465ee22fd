"""Every command of the product: it checks the permission, writes, and audits.

    reset.plan, reset.impact    a preview: what a reset would remove, as a signed plan           (functions)
    reset.request               the one door: plan, typed course code, reason -> a Reset row     (function)
    reset.reset_course          the coordinator: writes the ledger, sends slices, settles        (Celery)
    reset.clear_learners        clears one slice of learners in one transaction                  (Celery)
    alerts.notify               puts the alerts into the inboxes                                 (Celery)
    outbox.run                  sends what leaves the house: mail, webhooks, files, documents    (Celery)
    rules.retrain               the tick that starts what is due by rule, through the same door  (Celery)
    recover                     the tick that sends again what is open and nobody works on       (Celery)

The rooms:

    reset/         the job: plan, request, ledger, slices, end; cancel, retry, look up
    rules/         retraining rules: terms, due times, brakes, events
    alerts/        alerts, and the e-mails and chat messages that carry them
    webhooks/      endpoints, their secrets, and deliveries
    certificates/  certificates as PDF
    files/         learners' files that are to be deleted
    outbox/        the one pattern of all outboxes: take next, try, settle, back off
    imports/       users, courses, enrolments and records from files
    people/        users, passwords, tokens, groups, sign-in, what learners write, erasure
    retention/     what goes by age; what a restored backup must not bring back

Beside the rooms: `app`, `base`, `messages`, `delivery`, `tracing` and `at_start` are how Celery is used;
`signed_messages` is the door for other applications; `report` says how far a reset is; `links` are addresses of pages;
`formats` writes dates and numbers.

Postgres is the truth and Redis a doorbell: any message may be lost, doubled, late or out of order.
"""
