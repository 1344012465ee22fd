"""Write enrolments with their history: what is dated before a learner's last reset stays gone.

Works on the temporary table `import_enrolment`, a row for each course and user, whatever file it comes from: `line`,
`course_id`, `user_id`, `due_at`, `assigned`, `progress`, `progress_at`, `completed_at`, `score`.

A newer completion replaces an older one, never the other way round. Progress never goes down, and only a completion
makes it 100 %. See `docs/decisions/0093-imports-bring-history.md`.

Locks are taken as a reset takes them: all enrolments that change in one statement, in the order of their ids. Where it
had to wait, PostgreSQL decides again by the row as it is then, so a reset that came first has already given the learner
a new registration and a new `reset_at`. A reset that comes second waits for the commit, and clears what was written.
"""

from models.training import ENDED_AT
from tasks.imports.stage import Count, Imported, Stage

AHEAD = "interval '5 minutes'"  # clocks differ

IN_THE_FUTURE = " UNION ALL ".join(
    f"SELECT line, '{column}: must not be in the future' AS wrong FROM import_enrolment "
    f"WHERE {column} > clock_timestamp() + {AHEAD}"
    for column in ("completed_at", "progress_at")
)

# Removed users get no courses and no history until they are active again.
OF_REMOVED_USERS = """
DELETE FROM import_enrolment f USING "user" u WHERE u.id = f.user_id AND u.removed_at IS NOT NULL
"""

THERE = "SELECT count(*) FROM enrolment WHERE organization_id = :organization AND unassigned_at IS NULL"
LEFT_OUT = """
SELECT count(*) FROM enrolment e
WHERE :full AND e.organization_id = :organization AND e.unassigned_at IS NULL
  AND NOT EXISTS (SELECT FROM import_enrolment f WHERE f.user_id = e.user_id AND f.course_id = e.course_id)
"""

# `clock_timestamp()`: the transaction may have begun before a plan that did not see these rows.
ADD = """
INSERT INTO enrolment (organization_id, user_id, course_id, due_at, assigned_at, state, progress, completed_at)
SELECT :organization, f.user_id, f.course_id, f.due_at, clock_timestamp(),
       CASE WHEN f.completed_at IS NOT NULL THEN 'completed'
            WHEN f.progress > 0 OR (f.progress = 0 AND f.progress_at IS NOT NULL) THEN 'in_progress'
            ELSE 'assigned' END,
       CASE WHEN f.completed_at IS NOT NULL THEN 100 ELSE least(coalesce(f.progress, 0), 99) END,
       f.completed_at
FROM import_enrolment f
WHERE f.assigned IS NOT false AND NOT EXISTS (SELECT FROM enrolment e WHERE e.user_id = f.user_id
                                              AND e.course_id = f.course_id AND e.organization_id = :organization)
ORDER BY f.user_id, f.course_id
ON CONFLICT (user_id, organization_id, course_id) DO NOTHING
"""
NEW_ONES = f"""
WITH new AS ({ADD} RETURNING registration, user_id, course_id, completed_at)
INSERT INTO import_new (registration, user_id, course_id, completed_at) SELECT * FROM new
"""
COMPLETE_NEW_ONES = """
INSERT INTO completion (registration, completed_at, score)
SELECT n.registration, n.completed_at, f.score
FROM import_new n JOIN import_enrolment f USING (user_id, course_id)
WHERE n.completed_at IS NOT NULL ORDER BY n.registration
"""

WANTED = "CASE WHEN f.line IS NULL THEN false ELSE f.assigned END"
ASSIGNED = f"coalesce({WANTED}, e.unassigned_at IS NULL)"
DUE = "CASE WHEN f.due_at <= e.reset_at THEN e.due_at ELSE coalesce(f.due_at, e.due_at) END"
COMPLETES = f"""coalesce({ASSIGNED} AND f.completed_at > coalesce(greatest(e.completed_at, e.reset_at), '-infinity'),
                false)"""
# Without `IS NOT NULL`, `least` would be 99 for a line without progress.
MOVES = f"""coalesce({ASSIGNED} AND f.progress IS NOT NULL AND e.completed_at IS NULL
                AND (e.reset_at IS NULL OR f.progress_at > e.reset_at)
                AND (least(f.progress, 99) > e.progress
                     OR (e.state = 'assigned' AND f.progress_at IS NOT NULL)), false)"""
SCORED = f"coalesce({ASSIGNED} AND f.completed_at = e.completed_at AND f.score IS DISTINCT FROM c.score, false)"
SCORE_GIVEN = f"(f.score IS NOT NULL AND {SCORED})"
TOUCHES = f"""(({DUE}) IS DISTINCT FROM e.due_at OR ({WANTED}) <> (e.unassigned_at IS NULL)
        OR {COMPLETES} OR {MOVES})"""
DIFFERING = f"""
SELECT e.id, e.registration, f.line IS NULL AS gone, {DUE} AS due_at,
       CASE {WANTED} WHEN true THEN NULL WHEN false THEN {ENDED_AT}
       ELSE e.unassigned_at END AS unassigned_at,
       CASE WHEN {WANTED} AND e.unassigned_at IS NOT NULL THEN clock_timestamp() ELSE e.assigned_at END AS assigned_at,
       {COMPLETES} AS completes, e.completed_at IS NOT NULL AS again, {MOVES} AS moves, {{scored}} AS scored,
       {TOUCHES} AS touched, f.completed_at, f.progress, f.score
FROM {{enrolments}} {{completions}}
WHERE e.organization_id = :organization AND CASE WHEN f.line IS NULL THEN e.unassigned_at IS NULL
                                            ELSE {TOUCHES} OR {{scored}} END
ORDER BY e.id FOR NO KEY UPDATE OF e
"""
NAMED = "import_enrolment f JOIN enrolment e ON e.user_id = f.user_id AND e.course_id = f.course_id"
ALL = "enrolment e LEFT JOIN import_enrolment f ON f.user_id = e.user_id AND f.course_id = e.course_id"
WITH_SCORES = "LEFT JOIN completion c ON c.registration = e.registration"

CHANGE = """
UPDATE enrolment e
SET due_at = d.due_at, unassigned_at = d.unassigned_at, assigned_at = d.assigned_at,
    state = CASE WHEN d.completes THEN 'completed' WHEN d.moves THEN 'in_progress' ELSE e.state END,
    progress = CASE WHEN d.completes THEN 100 WHEN d.moves THEN greatest(e.progress, least(d.progress, 99))
               ELSE e.progress END,
    completed_at = CASE WHEN d.completes THEN d.completed_at ELSE e.completed_at END
FROM import_differing d WHERE e.id = d.id AND d.touched
"""
COMPLETE = """
INSERT INTO completion (registration, completed_at, score)
SELECT registration, completed_at, score FROM import_differing WHERE completes ORDER BY registration
ON CONFLICT (registration) DO UPDATE SET completed_at = excluded.completed_at, score = excluded.score
"""
SCORE = """
UPDATE completion c SET score = d.score
FROM import_differing d WHERE d.scored AND NOT d.completes AND c.registration = d.registration
"""
COUNTS = """
SELECT count(*) FILTER (WHERE NOT gone AND touched) AS changed, count(*) FILTER (WHERE gone) AS gone,
       count(*) FILTER (WHERE completes AND NOT again) AS completed,
       count(*) FILTER (WHERE (completes AND again) OR (scored AND NOT completes)) AS recompleted
FROM import_differing
"""

HISTORY = "SELECT count(*) FROM import_enrolment WHERE completed_at IS NOT NULL OR progress IS NOT NULL"
COMPLETIONS = "SELECT count(completed_at) FROM import_enrolment"
# By the rows as they are now.
IGNORED = """
SELECT count(*) FILTER (WHERE ended AND (f.completed_at IS NOT NULL OR f.progress > 0)) AS not_assigned,
       count(*) FILTER (WHERE NOT ended AND before_reset) AS completions_before_reset,
       count(*) FILTER (WHERE NOT ended AND NOT before_reset AND f.completed_at < e.completed_at) AS older_completions,
       count(*) FILTER (WHERE NOT ended AND NOT before_reset AND f.completed_at IS NULL AND e.completed_at IS NULL
                        AND f.progress IS NOT NULL AND least(f.progress, 99) > e.progress) AS progress_before_reset
FROM import_enrolment f
LEFT JOIN enrolment e ON e.user_id = f.user_id AND e.course_id = f.course_id AND e.organization_id = :organization
CROSS JOIN LATERAL (
    SELECT e.id IS NULL OR e.unassigned_at IS NOT NULL AS ended,
           coalesce(f.completed_at <= e.reset_at AND f.completed_at IS DISTINCT FROM e.completed_at, false)
           AS before_reset) is_now
WHERE f.completed_at IS NOT NULL OR f.progress IS NOT NULL
"""


def write_enrolments(stage: Stage, *, lines: int | None = None, ignored: dict[str, int] | None = None) -> Imported:
    """Write the rows of `import_enrolment`. `lines` and `ignored` add to the result what its reader counted.

    Raises `ImportInvalid`, `ImportRemovesTooMuch`.
    """
    stage.check(IN_THE_FUTURE)
    stage.refuse_what_is_wrong()
    in_file, of_removed = stage.ask("SELECT count(*) FROM import_enrolment"), stage.write(OF_REMOVED_USERS)
    stage.brake("enrolments", stage.ask(LEFT_OUT), THERE)
    # First: it locks users, against the foreign keys, and an erasure locks a user before their enrolments.
    new, completed = _add(stage)
    found = _change(stage)
    counts = {"enrolments": Count(in_file, new=new, changed=found.get("changed", 0))}
    if completions := stage.ask(COMPLETIONS):
        done = completed + found.get("completed", 0)
        counts["completions"] = Count(completions, new=done, changed=found.get("recompleted", 0))
    left = stage.ask_each(IGNORED) if stage.ask(HISTORY) else {}
    left |= {"removed_users": of_removed} if of_removed else {}
    removed = {"enrolments": found.get("gone", 0)} if stage.full else None
    return stage.done("enrolments", counts, removed=removed, ignored=left | (ignored or {}), lines=lines)


def _add(stage: Stage) -> tuple[int, int]:
    """Returns how many enrolments were added, and how many of them are completed."""
    columns = "registration uuid, user_id bigint, course_id bigint, completed_at timestamptz"
    stage.make("import_new", columns)
    new = stage.write(NEW_ONES)
    return new, stage.write(COMPLETE_NEW_ONES) if new else 0


def _change(stage: Stage) -> dict[str, int]:
    """Returns the counts of what was changed."""
    scores = stage.ask("SELECT count(score) FROM import_enrolment")
    query = DIFFERING.format(
        enrolments=ALL if stage.full else NAMED,
        completions=WITH_SCORES if scores else "",
        scored=SCORE_GIVEN if scores else "false",
    )
    if not stage.prepare("import_differing", query):
        return {}
    counts = stage.ask_each(COUNTS)
    stage.write(CHANGE)
    if counts.get("completed") or counts.get("recompleted"):
        stage.write(COMPLETE)
        stage.write(SCORE)
    return counts
