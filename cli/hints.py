"""What the command line adds to a refusal: the command or option that helps."""

from models.refusals.base import Refused

HINTS = {
    "already-settled": "`recourse show RESET` shows its result.",
    "confirm-mismatch": "Use --confirm COURSE, or leave it out in a terminal to be asked.",
    "course-unknown": "`recourse analytics` lists the courses.",
    "event-source-unknown": "`recourse events sources list` lists the event sources.",
    "evidence-key-unreadable": "`recourse evidence key renew` makes a new one.",
    "evidence-off": "`recourse evidence store set URL` turns it on.",
    "forbidden": "--as EMAIL acts as another user; without it you act as the operator.",
    "group-unknown": "`recourse groups list` lists the groups.",
    "import-removes-too-much": "--most-removed 25 allows a quarter.",
    "nothing-to-retry": "`recourse show RESET` shows its result.",
    "only-at-command-line": "`recourse user permissions EMAIL --permission operations` does, without --as.",
    "organization-unknown": "`recourse organization list` lists the organizations.",
    "pause-reason-missing": "Use --reason TEXT.",
    "paused-more-widely": "`recourse resume --organization SLUG` or `--everything` does.",
    "participant-unknown": "`recourse participants list` lists the participants.",
    "passwords-off": "`recourse sign-on passwords on` turns them on again.",
    "reason-missing": "Use --reason TEXT.",
    "reset-ambiguous": "`recourse resets` lists the resets.",
    "reset-unknown": "`recourse resets` lists the resets.",
    "rule-ambiguous": "`recourse rules list` lists the rules.",
    "rule-state-conflict": "`recourse rules show RULE` shows its state.",
    "rule-unknown": "`recourse rules list` lists the rules.",
    "sign-on-unknown": "`recourse sign-on set` sets it up.",
    "storage-full": "`recourse doctor --part files` checks the storage.",
    "storage-unavailable": "`recourse doctor --part files` checks the storage.",
    "token-unknown": "`recourse token list` lists the tokens.",
    "webhook-disabled": "`recourse webhook enable ID` continues it.",
    "webhook-unknown": "`recourse webhook list` lists the webhooks.",
}
"""By the refusal's code."""


def with_hint(refusal: Refused) -> str:
    """Returns the refusal's message, with a hint if there is one for its code."""
    hint = HINTS.get(refusal.code)
    return f"{refusal} {hint}" if hint else str(refusal)
