"""Why learners of a reset were skipped or failed: kept in English, and told in the language spoken."""

import re

from config.languages.stored import told
from tasks.participants.commands import CODE
from tasks.reset.exclusions import completed_lately_in_words, completed_lately_words

DAYS = re.compile(r"\d[\d,]{0,5}")
NEXT = re.compile(f"; (?={CODE.pattern}: )")  # before another participant's reason; see `end_learners`
OF_PARTICIPANT = re.compile(f"({CODE.pattern}): (.+)", re.DOTALL)


def reason_in_words(reason: str) -> str:
    """Returns a reason, as a reset has kept it, in the language spoken; what came from outside as it is."""
    if found := DAYS.search(reason):
        days = int(found[0].replace(",", ""))
        if reason == completed_lately_words(days):
            return completed_lately_in_words(days)
    whole = told(reason)
    return whole if whole != reason else "; ".join(map(_of_participant, NEXT.split(reason)))


def _of_participant(reason: str) -> str:
    found = OF_PARTICIPANT.fullmatch(reason)
    return f"{found[1]}: {told(found[2])}" if found else reason
