"""The words for resets and their learners: one word per state, on every page, at the command line, in e-mails and in
Flower. The API has names of its own, which never change."""

from dataclasses import dataclass

from config.languages import gettext, translatable
from models.pauses import Paused, PauseScope
from models.resets import SETTLED, Audience, ItemState, Reset, ResetState
from tasks.report import Progress

AUDIENCES = {
    Audience.ASSIGNED: translatable("everyone assigned"),
    Audience.COMPLETED: translatable("everyone who had completed it"),
    Audience.USERS: translatable("named users"),
    Audience.GROUP: translatable("members of a group"),
    Audience.LIST: translatable("a list of users"),
}
LEARNERS = {
    ItemState.CLEARED: translatable("reset"),
    ItemState.UNCHANGED: translatable("nothing to reset"),
    ItemState.SKIPPED: translatable("skipped"),
    ItemState.FAILED: translatable("failed"),
    ItemState.WAITING: translatable("reset here, not yet elsewhere"),
    ItemState.PENDING: translatable("pending"),
}
ENDED = {
    ResetState.SUCCEEDED: translatable("Reset done"),
    ResetState.PARTLY_FAILED: translatable("Reset partly failed"),
    ResetState.FAILED: translatable("Reset failed"),
    ResetState.CANCELLED: translatable("Reset cancelled"),
}
ORDINAL = translatable("{place:,}th")
ORDINALS = {1: translatable("{place:,}st"), 2: translatable("{place:,}nd"), 3: translatable("{place:,}rd")}
PAUSED = {
    PauseScope.EVERYTHING: translatable("Everything is paused"),
    PauseScope.ORGANIZATION: translatable("All resets of the organization are paused"),
    PauseScope.RESET: translatable("This reset is paused"),
}
UNDER_WAY = translatable("Reset being retried")  # one that had ended before


@dataclass(frozen=True)
class Share:
    """How many learners of a reset have one outcome."""

    outcome: ItemState
    label: str
    learners: int


def shares_of(progress: Progress) -> list[Share]:
    """Returns all learners of a reset, by outcome."""
    counts = {
        ItemState.CLEARED: progress.cleared,
        ItemState.UNCHANGED: progress.unchanged,
        ItemState.SKIPPED: progress.skipped,
        ItemState.FAILED: progress.failed,
        ItemState.WAITING: progress.waiting,
        ItemState.PENDING: progress.left,
    }
    return [Share(outcome, LEARNERS[outcome], counts[outcome]) for outcome in LEARNERS]


def counted(progress: Progress) -> str:
    """Returns the shares that are not empty, in one line: `61 reset, 12 skipped`."""
    shares = (share for share in shares_of(progress) if share.learners)
    return ", ".join(gettext("{count:,} {outcome}", count=one.learners, outcome=one.label) for one in shares)


def state_in_words(reset: Reset, paused: Paused | None = None, place: int | None = None) -> str:
    """Returns the state of a reset, with its pause and its place in the queue of its organization, if it has one."""
    if reset.state in SETTLED:
        return reset.state.value.replace("_", " ")
    if reset.cancel_requested_at:
        return "stopping"
    if paused:
        return "paused"
    if place:
        return "queued"
    return "planned" if is_planned(reset) else reset.state.value


def place_in_words(place: int) -> str:
    """Returns a place in the queue: `2nd in the queue of its organization`."""
    ordinal = ORDINAL if place % 100 in (11, 12, 13) else ORDINALS.get(place % 10, ORDINAL)
    return gettext("{ordinal} in the queue of its organization", ordinal=gettext(ordinal, place=place))


def is_planned(reset: Reset) -> bool:
    """Returns whether the reset has a later start and has not begun."""
    later = reset.start_at > reset.requested_at
    return reset.state == ResetState.REQUESTED and later and not reset.cancel_requested_at


def what_is_paused(paused: Paused) -> str:
    """Returns what a pause holds."""
    return gettext(PAUSED[paused.scope])


def note_on(reset: Reset, paused: Paused | None = None, place: int | None = None) -> str:
    """Returns what to show beside the state; empty for most resets."""
    if reset.state not in SETTLED:
        if reset.cancel_requested_at:
            return gettext("Stopping. Learners who have been reset stay reset; no others are reset.")
        if paused:
            return gettext("{what}: {reason}", what=what_is_paused(paused), reason=paused.reason)
        if place:
            where = place_in_words(place)
            return gettext("{place}. It begins when others have ended.", place=where[:1].upper() + where[1:])
        return gettext("Retrying the failed learners.") if reset.task_id != reset.id else ""
    if reset.cancel_requested_at and reset.state != ResetState.CANCELLED:
        return gettext("It was cancelled when all learners were done already.")
    return ""


def end_in_words(reset: Reset, progress: Progress) -> str:
    """Returns the result of a settled reset."""
    if progress.total:
        return progress.outcome
    if reset.state == ResetState.CANCELLED:
        return gettext("No one was reset: it was cancelled before it began")
    return progress.outcome if reset.state == ResetState.FAILED else gettext("There were no learners to reset")


def ended_as(state: ResetState) -> str:
    """Returns the title of the alert that reports the end of a reset."""
    return ENDED.get(state, UNDER_WAY)
