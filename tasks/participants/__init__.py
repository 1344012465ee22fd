"""Participants: systems with records of their own, asked to clear a reset's learners too.

protocol    what a participant is asked and answers, as Python and as JSON
callers     how each kind is asked: `http`, `celery_task`, `plugin`
ask         the outbox of requests
settle      an answer into the ledger, and what a cancelled reset withdraws
report      an answer that comes later, by API or message
commands    add, disable, enable, remove
lookup      queries
"""
