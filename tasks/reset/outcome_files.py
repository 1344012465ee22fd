"""What became of a reset, as files: each learner's outcome as CSV, a report of one page as PDF, and both with a
signature as a bundle. Each is made piece by piece, and no transaction is open while a piece is sent."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from config.languages import SOURCE, gettext, language_spoken
from models.evidence import as_sums
from models.people import Organization
from models.refusals.evidence import EvidenceKeyUnreadable
from models.resets import Reset
from models.sealing import SecretUnreadableError
from models.session import transaction
from tasks.csv_text import csv_text
from tasks.evidence.bundle import Bundle
from tasks.evidence.keys import Signer, signer
from tasks.report import progress_of, removed_by, removed_in_words
from tasks.reset.lookup import ItemLine, causes_of, items_of, line_of
from tasks.reset.outcomes import AUDIENCES, end_in_words, shares_of, state_in_words
from tasks.reset.reasons import reason_in_words
from tasks.reset.report_facts import Facts

LEARNERS, REPORT = "learners.csv", "report.pdf"
HEAD = ("user_id", "name", "email", "outcome", "reason")
AT_ONCE = 1000  # learners


def learners_as_csv(reset_id: UUID) -> Iterator[bytes]:
    """Yields the table of the reset's learners, with the outcome of each. Raises `DetailsDeleted`, with the first
    piece."""
    head, after = csv_text([HEAD]), 0
    while True:
        with transaction() as session:
            found = items_of(session, session.get_one(Reset, reset_id), after=after, limit=AT_ONCE)
        yield (head + csv_text(cells(one) for one in found)).encode()
        if len(found) < AT_ONCE:
            return
        head, after = "", found[-1].enrolment_id


def cells(one: ItemLine) -> tuple[object, ...]:
    """Returns the line of a learner, under `HEAD`."""
    return (one.user_id, one.name, one.email, one.state.value, one.reason)


def report_as_pdf(reset_id: UUID) -> bytes:
    """Returns the report as PDF, with the checksum and the signature of the table. Raises `DetailsDeleted`,
    `EvidenceKeyUnreadable`."""
    checksum = hashlib.sha256()
    for piece in learners_as_csv(reset_id):
        checksum.update(piece)
    return _report(reset_id, checksum.hexdigest(), _signer())


def signed_bundle(reset_id: UUID) -> Iterator[bytes]:
    """Yields a bundle with the table and the report. Raises as `report_as_pdf`."""
    key, sent = _signer(), _Pieces()
    bundle = Bundle(sent, key)  # type: ignore[arg-type]
    checksum = hashlib.sha256()

    def table() -> Iterator[bytes]:
        for piece in learners_as_csv(reset_id):
            checksum.update(piece)
            yield piece

    for _ in bundle.adding(LEARNERS, table()):
        yield sent.taken()
    bundle.add(REPORT, [_report(reset_id, checksum.hexdigest(), key)])
    with transaction() as session:
        reset = session.get_one(Reset, reset_id)
        line, progress = line_of(session, reset), progress_of(session, reset_id)
        about = {
            "reset": str(reset.id),
            "organization": session.get_one(Organization, reset.organization_id).slug,
            "course": {"code": line.course_code, "title": line.course_title},
            "state": reset.state.value,
            "learners": progress.total,
        }
    bundle.close(kind="outcome", **about)
    yield sent.taken()


def _signer() -> Signer:
    try:
        return signer()
    except SecretUnreadableError:
        raise EvidenceKeyUnreadable from None


class _Pieces:
    """A file that cannot be read or rewound: what is written is taken out in pieces."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, content: bytes) -> int:
        self._written += content
        return len(content)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """Returns what was written since the last time."""
        piece = bytes(self._written)
        self._written.clear()
        return piece


def _report(reset_id: UUID, checksum: str, key: Signer) -> bytes:
    from tasks.reset.report_page import report_page  # takes 0.3 s to load, and few processes make one

    with transaction() as session:
        facts = _facts(session, session.get_one(Reset, reset_id))
    signature = base64.b64encode(key.sign(as_sums([(checksum, LEARNERS)]).encode())).decode()
    return report_page(facts, table=LEARNERS, checksum=checksum, signature=signature, key=key)


def _facts(session: Session, reset: Reset) -> Facts:
    line, progress = line_of(session, reset), progress_of(session, reset.id)
    return Facts(
        reset=reset,
        organization=session.get_one(Organization, reset.organization_id).name,
        course=f"{line.course_title} ({line.course_code})",
        requester=line.requester,
        audience=gettext(AUDIENCES[reset.audience]),
        state=gettext(state_in_words(reset)),
        result=end_in_words(reset, progress),
        learners=progress.total,
        outcomes={gettext(share.label): share.learners for share in shares_of(progress)},
        removed=_labelled(removed_by(session, reset.id)),
        shown=_labelled((reset.shown or {}).get("removed", {})),
        causes=[(reason_in_words(cause.reason), cause.learners) for cause in causes_of(session, reset)],
    )


def _labelled(removed: Mapping[str, int]) -> dict[str, int]:
    labelled = {gettext(label): count for label, count in removed_in_words(removed).items() if count}
    # Within a sentence, English has its nouns in lower case.
    return {label.lower(): count for label, count in labelled.items()} if language_spoken() == SOURCE else labelled
