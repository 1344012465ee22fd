"""What is wrong, what follows from it and what to do, in words: for pages, the command line and `recourse doctor`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from config.languages import gettext, ngettext, translatable
from tasks.troubles import Kind, Trouble

OUTBOXES = {
    "mail": translatable("E-mails"),
    "webhook": translatable("Webhooks"),
    "certificate": translatable("Certificates"),
    "announcement": translatable("Chat messages"),
    "file_deletion": translatable("File deletions"),
    "participant": translatable("Requests to participants"),
    "evidence": translatable("Evidence"),
}


@dataclass(frozen=True)
class TroubleWords:
    """A trouble in the language spoken."""

    wrong: str  # a sentence; of a pause, with a colon, and its reason follows
    follows: str = ""
    advice: str = ""
    command: str = ""  # that the advice ends with
    reason: str = ""  # of a pause, as a person gave it

    def __str__(self) -> str:
        """Returns everything, for the command line."""
        return " ".join(filter(None, (self.wrong, self.reason, self.follows, self.advice, self.command)))


def words_of(
    trouble: Trouble,
    moment: Callable[[datetime], str] = "{:%Y-%m-%d %H:%M:%S %Z}".format,
    name: Callable[[str], str] = str,
) -> TroubleWords:
    """Returns the words for a trouble.

    `moment` and `name` show a time and the name of a queue, for pages with markup: `wrong` has nothing else that is not
    ours.
    """
    since = moment(trouble.since) if trouble.since else ""
    queue = name(trouble.what)
    match trouble.kind:
        case Kind.BEAT:
            never = gettext("Beat has never run.")
            wrong = gettext("Beat has not ticked since {since}.", since=since) if since else never
            advice = gettext("An operator can start it, once in the whole installation, with:")
            return TroubleWords(wrong, _nothing_ticks(), advice, "celery -A worker beat")
        case Kind.TICKS:
            wrong = gettext(
                "Ticks of beat have not been carried out since {since}: the broker or a worker for {queue} is missing "
                "or overloaded.",
                since=since,
                queue=queue,
            )
            return TroubleWords(wrong, _nothing_ticks(), *_look())
        case Kind.QUEUE:
            wrong = gettext("No worker for {queue} has been running since {since}.", queue=queue, since=since)
            follows = gettext("Waiting work is kept, and done once a worker runs.")
            advice = gettext("An operator can start one with:")
            return TroubleWords(wrong, follows, advice, f"celery -A worker worker -Q {trouble.what}")
        case Kind.EVERYTHING_PAUSED:
            wrong = gettext("Everything has been paused since {since}:", since=since)
            follows, advice = gettext("No resets or rules start."), gettext("An operator must resume it.")
            return TroubleWords(wrong, follows, advice, reason=trouble.what)
        case Kind.ORGANIZATION_PAUSED:
            wrong = gettext("All resets have been paused since {since}:", since=since)
            return TroubleWords(wrong, reason=trouble.what)
    return _of_outbox(trouble, since)


def _of_outbox(trouble: Trouble, since: str) -> TroubleWords:
    items, count = gettext(OUTBOXES[trouble.what]), trouble.count
    goes_on = gettext("Attempts continue.")
    if trouble.kind == Kind.OVERDUE:
        wrong = gettext("{items}: overdue since {since}.", items=items, since=since)
        return TroubleWords(wrong, goes_on, *_look())
    if trouble.kind == Kind.FAILING:
        wrong = ngettext(
            "{items}: {count:,} attempt failed.", "{items}: {count:,} attempts failed.", count, items=items
        )
        return TroubleWords(wrong, goes_on, *_look())
    wrong = gettext("{items}: more than {count:,} given up in the last hour.", items=items, count=count)
    return TroubleWords(wrong, gettext("No more attempts follow."), *_look())


def _nothing_ticks() -> str:
    return gettext("Planned resets and rules do not start, and lost messages are not sent again.")


def _look() -> tuple[str, str]:
    return gettext("An operator can find out why with:"), "recourse doctor"
