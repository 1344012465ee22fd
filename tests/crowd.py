"""A database filled with years of data, and the query plans of statements on it.

Each statement of the program is explained just before it runs, with its own values.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import event

from models.session import engine
from tests.scenes import Scene

LARGE = frozenset(
    {
        "reset",
        "reset_item",
        "reset_slice",
        "notification",
        "mail",
        "mail_alert",
        "occurrence",
        "webhook_message",
        "webhook_delivery",
        "audit",
        "celery_taskmeta",
        "training_event",
        "stored_answer",
    }
)
"""Tables that grow over the years: no periodic task may scan one in full."""

THE_YEARS = """
-- Finished resets of one course over three years. What retention deletes by age is gone.
CREATE TEMP TABLE n AS
SELECT g AS n, uuidv7(-(:resets - g) * interval '1095 days' / :resets) AS id,
       now() - (:resets - g) * interval '1095 days' / :resets AS at
FROM generate_series(1, :resets) g;
INSERT INTO reset (id, organization_id, course_id, audience, planned_at, notify, reason, requester, requested_at,
                   start_at, state, task_id, finished_at, reported_at, counted)
SELECT id, :organization, :course, 'assigned', at, true, 'yearly', 'user:1', at, at,
       CASE WHEN n % 50 = 0 THEN 'partly_failed' ELSE 'succeeded' END, id, at + interval '1 minute', at,
       n < :resets - 20
FROM n;
INSERT INTO reset_slice (reset_id, number, first, last, learners, position, published_at, settled_at, cleared, removed)
SELECT id, s, s, s, 1, s, at, at, 1, '{"completion": 1}' FROM n, generate_series(1, greatest(1, :each / 10)) s;
INSERT INTO reset_item (reset_id, enrolment_id, state)
SELECT id, e.enrolment, 'cleared'
FROM n,
     LATERAL (SELECT :first_enrolment + 2 * ((n.n * :each + g) % :people) FROM generate_series(1, :each) g)
     e(enrolment);
INSERT INTO notification (reset_id, user_id, course_id, state, created_at, sent_at, read_at)
SELECT id, u.person, :course, 'sent', at, at, CASE WHEN n % 10 > 0 THEN at END
FROM n, LATERAL (SELECT :first_user + (n.n * :each + g) % :people FROM generate_series(1, :each) g) u(person);
INSERT INTO mail (organization_id, user_id, kind, bundle, state, created_at, next_try_at, sent_at)
SELECT :organization, user_id, kind, 'b' || id, 'sent', created_at, created_at, created_at
FROM notification WHERE id % 10 = 0;
INSERT INTO mail_alert (notification_id, mail_id) SELECT substr(bundle, 2)::bigint, id FROM mail;
INSERT INTO occurrence (rule_id, due_at, enrolment_id, state, reset_id, learners, begun_at, created_at)
SELECT :rule, at, :first_enrolment, 'settled', id, 1, at, at FROM n;
INSERT INTO webhook_message (organization_id, event, reset_id, data, created_at)
SELECT :organization, 'reset.completed', id, '{}', at FROM n;
INSERT INTO webhook_delivery (message_id, endpoint_id, state, attempts, next_try_at, delivered_at)
SELECT id, :endpoint, 'delivered', 1, created_at, created_at FROM webhook_message;
INSERT INTO audit (at, organization_id, actor, action, subject, details)
SELECT at, :organization, 'user:1', 'reset.requested', id::text, '{"reason": "yearly"}' FROM n;
INSERT INTO celery_taskmeta (id, task_id, status, date_done)
SELECT nextval('task_id_sequence'), id::text, 'SUCCESS', at FROM n;
INSERT INTO training_event (organization_id, course_id, kind, reason, reporter, key, reported_at)
SELECT :organization, :course, 'incident', 'case', 'user:1', n::text, at FROM n;
INSERT INTO stored_answer (user_id, key, fingerprint, status, headers, body, created_at)
SELECT :first_user, n::text, '', 202, '{}', '{}', at FROM n;
DROP TABLE n;
"""

INDEXES_OF_MOST = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid IN ('reset_item'::regclass, 'notification'::regclass)
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


def fill(scene: Scene, rule: object, endpoint: int, *, resets: int, each: int) -> None:
    """Insert finished resets of `each` learners with all their traces. Foreign keys are not checked."""
    values = {
        "organization": scene.organization.id,
        "course": scene.other_course.id,
        "first_enrolment": scene.enrolments(scene.other_course)[0].id,
        "first_user": scene.users()[0].id,
        "rule": f"'{rule}'",
        "endpoint": endpoint,
        "resets": resets,
        "each": each,
        "people": len(scene.users()),
    }
    statements = THE_YEARS
    for name, value in values.items():
        statements = statements.replace(f":{name}", str(value))
    connection = engine().raw_connection()
    try:
        cursor = connection.driver_connection.cursor()  # type: ignore[union-attr]
        cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
        cursor.execute(INDEXES_OF_MOST)
        indexes = cursor.fetchall()
        for name, _ in indexes:  # building them afterwards is much faster
            cursor.execute(f"DROP INDEX {name}")
        for statement in (*statements.split(";\n"), *(made for _, made in indexes)):
            if statement.strip():
                cursor.execute(statement)
                connection.commit()
    finally:
        connection.invalidate()
        connection.close()
    vacuum()


def vacuum() -> None:
    """Vacuum and analyze, as autovacuum does over the years."""
    connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql("VACUUM ANALYZE")
    connection.invalidate()
    connection.close()


@dataclass
class Looked:
    """A statement and what it read."""

    during: str
    statement: str
    milliseconds: float
    rows: Counter[str] = field(default_factory=Counter)  # by table, including rows that were filtered out
    from_end_to_end: set[str] = field(default_factory=set)
    pages: int = 0  # 8 KiB each

    @property
    def most(self) -> int:
        """Return the highest number of rows read from one large table."""
        return max((rows for table, rows in self.rows.items() if table in LARGE), default=0)

    def __str__(self) -> str:
        words = " ".join(self.statement.split())
        whole = f" · reads all of {', '.join(sorted(self.from_end_to_end))}" if self.from_end_to_end else ""
        return f"{self.during:<16} {self.milliseconds:9.2f} ms {self.most:9,} rows{whole} · {words[:160]}"


class Looking:
    """Explains the statements of this process."""

    def __init__(self) -> None:
        self.during = ""
        self.seen: list[Looked] = []

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        """Attribute the statements in this scope to `what`."""
        self.during = what
        yield
        self.during = ""

    def look(self, connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        """Explain a statement before it runs, by running it and rolling back."""
        if not self.during or many or "advisory" in statement or connection.connection.driver_connection.autocommit:
            return
        if not statement.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            return
        during = self.during
        # Values inside the statement, so that its plan is that of the statement itself.
        cursor = psycopg.ClientCursor(connection.connection.driver_connection)
        cursor.execute("SAVEPOINT looking")
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, parameters or None)
        plan = cursor.fetchone()[0][0]  # type: ignore[index]
        cursor.execute("ROLLBACK TO SAVEPOINT looking")
        cursor.execute("RELEASE SAVEPOINT looking")
        looked = Looked(during, statement, plan["Execution Time"] + plan["Planning Time"])
        looked.pages = plan["Plan"].get("Shared Hit Blocks", 0) + plan["Plan"].get("Shared Read Blocks", 0)
        _note(plan["Plan"], looked)
        self.seen.append(looked)


@contextmanager
def looking() -> Iterator[Looking]:
    """Explain the statements in this scope that `Looking.at` attributes to something."""
    found = Looking()
    event.listen(engine(), "before_cursor_execute", found.look)
    try:
        yield found
    finally:
        event.remove(engine(), "before_cursor_execute", found.look)


def _note(node: dict[str, Any], looked: Looked) -> None:
    table = node.get("Relation Name")
    if table is not None and node["Node Type"] != "ModifyTable":
        thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        looked.rows[table] += round((node["Actual Rows"] + thrown_away) * node["Actual Loops"])
        if node["Node Type"] == "Seq Scan" and table in LARGE and node["Actual Loops"]:
            looked.from_end_to_end.add(table)
    for part in node.get("Plans", []):
        _note(part, looked)
