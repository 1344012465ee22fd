"""The checker of all fault tests: nothing lost, nothing duplicated, nothing unexpected.

It works as Jepsen's total-queue checker does: what had to happen is compared with what happened, item by item. What had
to happen is noted by the test, outside the product, or follows from the ledger once that is proven right.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from models.records import record_kinds
from tests.mail_server import LoopbackMailServer
from tests.receiver import Receiver
from tests.scenes import Scene, count_new_registrations, fingerprint, rows

WRITTEN = "written: "  # what posts begin with that a test writes while resets run
EXAMPLES = 5
STATES = ("cleared", "unchanged", "skipped", "failed")


@dataclass
class Verdict:
    """What is wrong. Each entry says what it is about, how many there are, and some of them."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def compare(self, what: str, wanted: Iterable[object], found: Iterable[object]) -> None:
        """Compare what had to happen with what happened; mappings count."""
        wanted, found = Counter(wanted), Counter(found)
        more = found - wanted
        for wrong, items in (
            (self.lost, wanted - found),
            (self.duplicated, {item: count for item, count in more.items() if item in wanted}),
            (self.unexpected, {item: count for item, count in more.items() if item not in wanted}),
        ):
            if items:
                wrong.append(f"{what}: {sum(items.values())}, such as {list(map(str, items))[:EXAMPLES]}")


class Books:
    """What had to happen to the learners of a scene's first course, kept outside of the product."""

    def __init__(self, scene: Scene) -> None:
        """Note how everything is before the first reset."""
        count_new_registrations()
        self.scene = scene
        self.audiences: dict[UUID, set[int]] = {}
        self.written: dict[str, UUID] = {}  # posts that were acknowledged, with the registration they were made under
        self._before = dict(rows("SELECT id, registration FROM enrolment WHERE course_id = :c", c=scene.course.id))
        self._records = self._records_now()
        self._others = fingerprint([scene.other_course])

    def note(self, reset: UUID, users: Iterable[int] | None = None) -> UUID:
        """Note a reset of these users, or of everyone."""
        ids = list(self._before) if users is None else self._enrolments_of(users)
        self.audiences[reset] = set(ids)
        return reset

    def verdict(
        self,
        *,
        failing: Iterable[int] = (),
        mails: LoopbackMailServer | None = None,
        webhooks: Receiver | None = None,
    ) -> Verdict:
        """Compare everything, once all resets have ended. `failing` are the enrolments that have to fail."""
        verdict = Verdict()
        self._check_ledger(verdict, set(failing))
        self._check_registrations(verdict)
        self._check_records(verdict)
        self._check_audit_and_results(verdict)
        self._check_alerts(verdict)
        if mails:
            self._check_mails(verdict, mails)
        if webhooks:
            self._check_webhooks(verdict, webhooks)
        verdict.compare("other courses", self._others.items(), fingerprint([self.scene.other_course]).items())
        return verdict

    def _check_ledger(self, verdict: Verdict, failing: set[int]) -> None:
        for reset, audience in self.audiences.items():
            items = dict(rows("SELECT enrolment_id, state FROM reset_item WHERE reset_id = :id", id=reset))
            verdict.compare("ledger", audience, list(items))
            failed = [enrolment for enrolment, state in items.items() if state == "failed"]
            verdict.compare("failed learners", failing & audience, failed)
            sums = ", ".join(f"coalesce(sum({state}), 0)::int" for state in STATES)
            [counted] = rows(f"SELECT {sums} FROM reset_slice WHERE reset_id = :id", id=reset)
            verdict.compare("counts", items.values(), +Counter(dict(zip(STATES, counted, strict=True))))
            members = rows("SELECT unnest(members) FROM reset_slice WHERE reset_id = :id", id=reset)
            verdict.compare("members of slices", audience, [member for (member,) in members])

    def _check_registrations(self, verdict: Verdict) -> None:
        ended = [enrolment for _, enrolment, _, _ in self._reset()]
        mine = (
            "SELECT enrolment_id FROM new_registration n JOIN enrolment e ON e.id = enrolment_id WHERE course_id = :c"
        )
        verdict.compare("registrations", ended, [enrolment for (enrolment,) in rows(mine, c=self.scene.course.id)])
        now = dict(rows("SELECT id, registration FROM enrolment WHERE course_id = :c", c=self.scene.course.id))
        changed = [enrolment for enrolment, registration in now.items() if registration != self._before[enrolment]]
        verdict.compare("learners with a new registration", set(ended), changed)

    def _check_records(self, verdict: Verdict) -> None:
        current = {registration for (registration,) in rows("SELECT registration FROM enrolment")}
        kept = {(kind, of): count for (kind, of), count in self._records.items() if of in current}
        verdict.compare("records", kept, self._records_now())
        posts = rows("SELECT body FROM discussion_post WHERE body LIKE :mark", mark=f"{WRITTEN}%")
        verdict.compare(
            "learners' writes",
            [body for body, of in self.written.items() if of in current],
            [body for (body,) in posts],
        )

    def _check_audit_and_results(self, verdict: Verdict) -> None:
        ends = rows(
            "SELECT id::text, task_id::text, state, cancel_requested_at IS NOT NULL FROM reset WHERE id = ANY(:ids)",
            ids=list(self.audiences),
        )
        acts = [(reset, "reset.requested") for reset, *_ in ends] + [
            (reset, f"reset.{end}") for reset, _, end, _ in ends
        ]
        acts += [(reset, "reset.cancelled") for reset, _, _, cancelled in ends if cancelled]
        verdict.compare(
            "audit",
            acts,
            rows("SELECT subject, action FROM audit WHERE subject = ANY(:ids)", ids=[end[0] for end in ends]),
        )
        results = {"succeeded": "SUCCESS", "cancelled": "REVOKED"}
        verdict.compare(
            "results",
            [(task, results.get(end, "FAILURE")) for _, task, end, _ in ends],
            rows("SELECT task_id, status FROM celery_taskmeta"),
        )

    def _check_alerts(self, verdict: Verdict) -> None:
        verdict.compare(
            "alerts",
            self._alerts_wanted(),
            rows("SELECT reset_id, user_id, kind FROM notification WHERE state = 'sent' AND reset_id IS NOT NULL"),
        )

    def _check_mails(self, verdict: Verdict, server: LoopbackMailServer) -> None:
        carried = rows(
            "SELECT n.reset_id, n.user_id, n.kind FROM mail_alert a JOIN mail m ON m.id = a.mail_id "
            "JOIN notification n ON n.id = a.notification_id WHERE m.state = 'sent'"
        )
        on = {user for (user,) in rows('SELECT id FROM "user" WHERE mail_on')}
        verdict.compare("alerts in e-mails", [alert for alert in self._alerts_wanted() if alert[1] in on], carried)
        sent = {str(mail): unsure for mail, unsure in rows("SELECT id, unsure FROM mail WHERE state = 'sent'")}
        got = Counter(one.id.strip("<>").partition("@")[0] for one in server.delivered)
        # Where the answer of the mail server was lost, one repeat with the same Message-ID is possible, and reported.
        verdict.compare("e-mails", list(sent), {mail: max(1, count - sent.get(mail, 0)) for mail, count in got.items()})

    def _check_webhooks(self, verdict: Verdict, receiver: Receiver) -> None:
        bodies: dict[str, bytes] = {}
        for request in receiver.received:  # the id of a message tells its repeats
            bodies.setdefault(request.headers["webhook-id"], request.body)
        told = [json.loads(body) for body in bodies.values()]
        ended = {"succeeded": "reset.completed"}
        wanted = []
        for reset, state in rows("SELECT id::text, state FROM reset WHERE id = ANY(:ids)", ids=list(self.audiences)):
            wanted += [("reset.started", reset), (ended.get(state, "reset.failed"), reset)]
        found = [(one["type"], one["data"]["reset"]) for one in told if one["type"] != "learner.reset"]
        verdict.compare("webhooks", wanted, found)
        learners = [
            (one["data"]["reset"], learner["user"], learner["outcome"])
            for one in told if one["type"] == "learner.reset" for learner in one["data"]["learners"]
        ]  # fmt: skip
        reset = [(str(reset), user, state) for reset, _, user, state in self._reset()]
        verdict.compare("learners in webhooks", reset, learners)

    def _reset(self) -> list[tuple[UUID, int, int, str]]:
        """Returns reset, enrolment, user and state of everyone who got a new registration by the ledger."""
        return list(
            rows(
                "SELECT reset_id, enrolment_id, user_id, i.state FROM reset_item i JOIN enrolment e "
                "ON e.id = enrolment_id WHERE reset_id = ANY(:ids) AND i.state IN ('cleared', 'unchanged')",
                ids=list(self.audiences),
            )
        )

    def _alerts_wanted(self) -> list[tuple[UUID, int, str]]:
        on = {user for (user,) in rows('SELECT id FROM "user" WHERE notifications_on')}
        learners = [
            (reset, user, "course_assigned")
            for reset, _, user, state in self._reset()
            if state == "cleared" and user in on
        ]
        return learners + [(reset, self.scene.admin.user_id or 0, "reset_digest") for reset in self.audiences]

    def _records_now(self) -> Mapping[tuple[str, UUID], int]:
        found = {}
        for kind in (kind.kind() for kind in record_kinds()):
            ours = "e.id IS NULL OR e.course_id = :c"
            ours = f"({ours}) AND body NOT LIKE '{WRITTEN}%'" if kind == "discussion_post" else ours
            query = f"SELECT k.registration, count(*) FROM {kind} k LEFT JOIN enrolment e USING (registration) "
            for registration, count in rows(f"{query} WHERE {ours} GROUP BY 1", c=self.scene.course.id):
                found[kind, registration] = count
        return found

    def _enrolments_of(self, users: Iterable[int]) -> list[int]:
        query = "SELECT id FROM enrolment WHERE course_id = :c AND user_id = ANY(:users)"
        return [enrolment for (enrolment,) in rows(query, c=self.scene.course.id, users=list(users))]
