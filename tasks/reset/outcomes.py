"""What people are told of a reset and its learners: one word for one state, on every page, at the command line, in
e-mails and in Flower. The API has its own names for them, which never change."""

from dataclasses import dataclass

from models.resets import SETTLED, Audience, ItemState, Reset, ResetState
from tasks.report import Progress

AUDIENCES = {
    Audience.ASSIGNED: "everyone assigned",
    Audience.COMPLETED: "everyone who had completed it",
    Audience.USERS: "named users",
    Audience.GROUP: "the members of a group",
}
LEARNERS = {
    ItemState.CLEARED: "reset",
    ItemState.UNCHANGED: "nothing to reset",
    ItemState.SKIPPED: "skipped",
    ItemState.FAILED: "failed",
    ItemState.PENDING: "still to do",
}
ENDED = {
    ResetState.SUCCEEDED: "Reset done",
    ResetState.PARTLY_FAILED: "Reset partly failed",
    ResetState.FAILED: "Reset failed",
    ResetState.CANCELLED: "Reset cancelled",
}
UNDER_WAY = "Reset being tried again"  # of one that had ended before


@dataclass(frozen=True)
class Share:
    """How many learners of a reset have one outcome."""

    outcome: ItemState
    label: str
    learners: int


def shares_of(progress: Progress) -> list[Share]:
    """The learners of a reset by outcome; together they are all of them."""
    counts = {
        ItemState.CLEARED: progress.cleared,
        ItemState.UNCHANGED: progress.unchanged,
        ItemState.SKIPPED: progress.skipped,
        ItemState.FAILED: progress.failed,
        ItemState.PENDING: progress.total - progress.settled,
    }
    return [Share(outcome, LEARNERS[outcome], counts[outcome]) for outcome in LEARNERS]


def counted(progress: Progress) -> str:
    """The shares that there are, in a line: `61 reset, 12 skipped`."""
    return ", ".join(f"{share.learners:,} {share.label}" for share in shares_of(progress) if share.learners)


def state_in_words(reset: Reset) -> str:
    """Where a reset stands."""
    if reset.state in SETTLED:
        return reset.state.value.replace("_", " ")
    if reset.cancel_requested_at:
        return "stopping"
    return "planned" if is_planned(reset) else reset.state.value


def is_planned(reset: Reset) -> bool:
    """Whether it was asked for later, and has not begun."""
    later = reset.start_at > reset.requested_at
    return reset.state == ResetState.REQUESTED and later and not reset.cancel_requested_at


def note_on(reset: Reset) -> str:
    """What is to be said of it beside its state, while it is so; nothing of most."""
    if reset.state not in SETTLED:
        if reset.cancel_requested_at:
            return "It is being stopped. Whoever has been reset stays reset; nobody further is touched."
        return "The failed learners are being tried again." if reset.task_id != reset.id else ""
    if reset.cancel_requested_at and reset.state != ResetState.CANCELLED:
        return "It was asked to stop when nobody was left to be kept from it."
    return ""


def end_in_words(reset: Reset, progress: Progress) -> str:
    """What came of a reset that is settled."""
    if progress.total:
        return progress.outcome
    if reset.state == ResetState.CANCELLED:
        return "Nobody was reset: it was cancelled before it began"
    return progress.outcome if reset.state == ResetState.FAILED else "Nobody was in it"


def ended_as(state: ResetState) -> str:
    """The title of the alert that a reset has ended, as it is now."""
    return ENDED.get(state, UNDER_WAY)
