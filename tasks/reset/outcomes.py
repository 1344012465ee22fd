"""The words for resets and their learners: one word per state, on every page, at the command line, in e-mails and in
Flower. The API has names of its own, which never change."""

from dataclasses import dataclass

from models.pauses import Paused, PauseScope
from models.resets import SETTLED, Audience, ItemState, Reset, ResetState
from tasks.report import Progress

AUDIENCES = {
    Audience.ASSIGNED: "everyone assigned",
    Audience.COMPLETED: "everyone who had completed it",
    Audience.USERS: "named users",
    Audience.GROUP: "members of a group",
    Audience.LIST: "a list of users",
}
LEARNERS = {
    ItemState.CLEARED: "reset",
    ItemState.UNCHANGED: "nothing to reset",
    ItemState.SKIPPED: "skipped",
    ItemState.FAILED: "failed",
    ItemState.WAITING: "reset here, not yet elsewhere",
    ItemState.PENDING: "pending",
}
ENDED = {
    ResetState.SUCCEEDED: "Reset done",
    ResetState.PARTLY_FAILED: "Reset partly failed",
    ResetState.FAILED: "Reset failed",
    ResetState.CANCELLED: "Reset cancelled",
}
UNDER_WAY = "Reset being retried"  # one that had ended before


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
    return ", ".join(f"{share.learners:,} {share.label}" for share in shares_of(progress) if share.learners)


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
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending} in the queue of its organization"


def is_planned(reset: Reset) -> bool:
    """Returns whether the reset has a later start and has not begun."""
    later = reset.start_at > reset.requested_at
    return reset.state == ResetState.REQUESTED and later and not reset.cancel_requested_at


def what_is_paused(paused: Paused) -> str:
    """Returns what a pause holds."""
    return {
        PauseScope.EVERYTHING: "Everything is paused",
        PauseScope.ORGANIZATION: "All resets of the organization are paused",
        PauseScope.RESET: "This reset is paused",
    }[paused.scope]


def note_on(reset: Reset, paused: Paused | None = None, place: int | None = None) -> str:
    """Returns what to show beside the state; empty for most resets."""
    if reset.state not in SETTLED:
        if reset.cancel_requested_at:
            return "Stopping. Learners who have been reset stay reset; no others are reset."
        if paused:
            return f"{what_is_paused(paused)}: {paused.reason}"
        if place:
            return f"{place_in_words(place).capitalize()}. It begins when others have ended."
        return "Retrying the failed learners." if reset.task_id != reset.id else ""
    if reset.cancel_requested_at and reset.state != ResetState.CANCELLED:
        return "It was cancelled when all learners were done already."
    return ""


def end_in_words(reset: Reset, progress: Progress) -> str:
    """Returns the result of a settled reset."""
    if progress.total:
        return progress.outcome
    if reset.state == ResetState.CANCELLED:
        return "No one was reset: it was cancelled before it began"
    return progress.outcome if reset.state == ResetState.FAILED else "There were no learners to reset"


def ended_as(state: ResetState) -> str:
    """Returns the title of the alert that reports the end of a reset."""
    return ENDED.get(state, UNDER_WAY)
