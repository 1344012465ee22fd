"""The commands of Recourse. Each checks the permission, writes, and audits.

How a reset runs (* is a Celery task):

    reset.plan              count what a reset would remove, and sign the preview as a plan
    reset.request           the only way to start: plan, typed course code and reason become a `Reset` row
    reset.reset_course    * write the ledger, send the first slices; called again, settle the reset
    reset.clear_learners  * clear one slice of learners in one transaction, and send the next slice
    alerts.notify         * put the alerts into inboxes, and queue the e-mails
    outbox.run            * send what is queued: e-mails, webhooks, announcements, certificates, file deletions

What keeps it going, every few seconds:

    rules.retrain         * start the resets that retraining rules make due, also through `reset.request`
    recover               * send again what the ledger says is open and no one is working on

PostgreSQL is the truth, Redis a doorbell: any message may be lost, repeated, late or out of order.

The rooms:

    reset/         plan, request, ledger, slices, cancel, retry, look up
    rules/         retraining rules: terms, due times, brakes, events
    alerts/        alerts, and the e-mails and chat messages that carry them
    webhooks/      endpoints, their secrets, and deliveries
    certificates/  certificates as PDF
    files/         deletion of learners' files from the storage
    outbox/        the pattern that everything leaving the installation shares: take next, try, settle, back off
    imports/       users, courses, enrolments and records from files
    people/        users, groups, passwords, tokens, sign-in, learners' own work, erasure
    sign_on/       single sign-on with an organization's OpenID Connect provider
    retention/     deletion by age, the journal, and the work after a restored backup

Around Celery: `app` and `base` define it, `messages` sends, `signed_messages` and `door` accept requests from other
applications, `delivery` and `tracing` are what workers add, and `at_start` checks before anything runs. `report` says
how far a reset is. `formats` writes dates and numbers. `sample` makes up data for demo, tests and benchmarks.
"""
