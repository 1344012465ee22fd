"""Old resets: first their ledgers are deleted, then the resets themselves. Their totals stay correct throughout."""

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import delete, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.settings import settings
from models.announcements import Announcement
from models.audience_lists import AudienceList, delete_rows_of
from models.evidence import EvidencePart
from models.files.deletions import FileDeletion
from models.mail import mails_of
from models.notifications import Notification, NotificationKind, NotificationState
from models.participants import ParticipantItem
from models.resets import Reset, ResetItem, ResetSlice
from models.retention.by_age import Before
from models.retraining import Occurrence
from models.session import changed_rows
from models.webhooks import WebhookMessage


def delete_ledgers(session: Session, before: Before, most: int) -> int:
    """Delete the ledger rows of the resets that ended first. With a reset's last row, its slices become one, which
    holds their totals. Returns how many rows were deleted."""
    gone = 0
    while gone < most:
        reset = session.scalar(
            select(Reset)
            .where(Reset.finished_at < before, Reset.details_deleted_at.is_(None))
            .order_by(Reset.finished_at)
            .limit(1)
            .with_for_update(key_share=True, skip_locked=True)
        )
        if reset is None:
            break
        if reset.figures is None:
            _keep_figures_of(session, reset)
        some = select(ResetItem.enrolment_id).where(ResetItem.reset_id == reset.id).limit(most - gone).cte("some")
        gone += changed_rows(
            session,
            delete(ResetItem).where(ResetItem.reset_id == reset.id, ResetItem.enrolment_id == some.c.enrolment_id),
        )
        if gone < most:
            of_participants = delete(ParticipantItem).where(ParticipantItem.reset_id == reset.id)
            gone += changed_rows(session, of_participants)
            gone += changed_rows(session, delete(EvidencePart).where(EvidencePart.reset_id == reset.id))
            if reset.list_id is not None and (rows := delete_rows_of(session, reset.list_id, most)):
                gone += rows
                continue  # with the rest of the list, if this was not all of it
            gone += _merge_slices(session, reset)
            reset.details_deleted_at = session.scalars(select(func.now())).one()
            session.flush()
    return gone


def _merge_slices(session: Session, reset: Reset) -> int:
    """Replace the reset's slices by one with their totals. Returns by how many rows that is fewer."""
    mine = ResetSlice.reset_id == reset.id
    kinds = func.jsonb_each_text(ResetSlice.removed).table_valued("key", "value").lateral()
    rows = (
        select(kinds.c.key.label("kind"), func.sum(kinds.c.value.cast(ResetSlice.learners.type)).label("rows"))
        .select_from(ResetSlice)
        .join(kinds, true())
        .where(mine)
        .group_by(kinds.c.key)
        .subquery()
    )
    removed = session.scalar(select(func.jsonb_object_agg(rows.c.kind, rows.c.rows))) or {}
    counts = ("learners", "cleared", "unchanged", "skipped", "failed")
    columns = [getattr(ResetSlice, name) for name in counts]
    slices, number, settled_at, *sums = session.execute(
        select(
            func.count(), func.min(ResetSlice.number), func.max(ResetSlice.settled_at), *map(func.sum, columns)
        ).where(mine)
    ).one()
    if slices < 2:
        return 0
    session.execute(delete(ResetSlice).where(mine).execution_options(synchronize_session=False))
    figures = {name: int(figure) for name, figure in zip(counts, sums, strict=True)}
    one = {"reset_id": reset.id, "number": number, "first": 0, "last": 0, "position": 0, "settled_at": settled_at}
    session.execute(insert(ResetSlice).values(**one, **figures, removed=removed))
    return int(slices) - 1


def keep_figures(session: Session, most: int) -> int:
    """Store on resets how many alerts and e-mails they sent, before the first of those rows is deleted.

    Returns for how many resets, up to `most`. From then on, their failed learners cannot be retried.
    """
    periods = (settings().keep_ledger_days, settings().keep_alerts_days, settings().keep_mails_days)
    shortest = min((days for days in periods if days), default=None)
    if shortest is None:
        return 0
    resets = session.scalars(
        select(Reset)
        .where(Reset.finished_at < func.now() - timedelta(days=shortest), Reset.figures.is_(None))
        .order_by(Reset.finished_at)
        .limit(most)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for reset in resets:
        _keep_figures_of(session, reset)
    session.flush()
    return len(resets)


def _keep_figures_of(session: Session, reset: Reset) -> None:
    notified = select(func.count()).where(
        Notification.reset_id == reset.id,
        Notification.kind == NotificationKind.COURSE_ASSIGNED,
        Notification.state == NotificationState.SENT,
    )
    reset.figures = {"notified": session.scalars(notified).one(), "mails": asdict(mails_of(session, reset.id))}


def delete_resets(session: Session, before: Before, most: int) -> int:
    """Delete resets whose ledger is gone and that nothing refers to. Returns how many."""
    nothing_left = [
        ~select(kind).where(kind.reset_id == Reset.id).exists()
        for kind in (Notification, WebhookMessage, Occurrence, FileDeletion, Announcement)
    ]
    some = session.scalars(
        select(Reset)
        .where(Reset.finished_at < before, Reset.details_deleted_at.is_not(None), Reset.counted, *nothing_left)
        .order_by(Reset.finished_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    for reset in some:
        session.delete(reset)
    session.flush()
    if lists := [reset.list_id for reset in some if reset.list_id is not None]:
        session.execute(delete(AudienceList).where(AudienceList.id.in_(lists)))
    return len(some)


def delete_lists(session: Session, before: Before, most: int) -> int:
    """Delete audience lists that no reset came of. Returns how many rows were deleted, with those of their learners."""
    gone = 0
    while gone < most:
        found = session.scalar(
            select(AudienceList)
            .where(AudienceList.created_at < before, AudienceList.confirmed_at.is_(None))
            .order_by(AudienceList.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if found is None:
            break
        gone += delete_rows_of(session, found.id, most - gone)
        if gone < most:
            session.delete(found)
            session.flush()
            gone += 1
    return gone
