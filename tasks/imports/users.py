"""Users: `external_id`, `email`, `name`, and optionally `active`, `notifications_on`, `locale`, `time_zone`.

The `external_id`, the id that the file's platform knows a user by, identifies them for good; a changed address is the
same person. Without one, the address does, ignoring case; a user whom an import finds by address is adopted, and has
the external id from then on. Files have no permissions: people who may import users must not be able to give themselves
more of them. So a full file does not take users away who have permissions, nor let them in again unless it says so.
"""

from typing import BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from tasks.imports.contradictions import again
from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import Count, Full, Imported, Stage
from tasks.imports.values import Column, email, external_id, locale, text, time_zone, yes_or_no

COLUMNS = {
    "external_id": Column(external_id),
    "email": Column(email),
    "name": Column(text(200)),
    "active": Column(yes_or_no),
    "notifications_on": Column(yes_or_no),
    "locale": Column(locale),
    "time_zone": Column(time_zone),
}
STAGED = {
    "external_id": "text",
    "email": "text",
    "name": "text",
    "active": "boolean",
    "notifications_on": "boolean",
    "locale": "text",
    "time_zone": "text",
}

FOUND = """
SELECT l.line, coalesce(known.id, adopted.id) AS user_id, l.external_id, l.email, l.name,
       coalesce(l.active, CASE WHEN :full AND coalesce(known.permissions, adopted.permissions, '{}') = '{}'
                               THEN true END) AS active,
       l.notifications_on, l.locale, l.time_zone
FROM import_line l
LEFT JOIN "user" known ON known.organization_id = :organization AND known.external_id = l.external_id
LEFT JOIN "user" adopted ON adopted.organization_id = :organization AND lower(adopted.email) = lower(l.email)
                         AND known.id IS NULL AND (l.external_id IS NULL OR adopted.external_id IS NULL)
"""

TWICE = again("email", "address", "import_line", "lower(email)")
TWICE_BY_ID = again("external_id", "one", "import_line", "external_id")
SAME = again("email", "user, by external_id and by address", "import_user", "user_id")
WITHOUT_ADDRESS = """
SELECT line, 'email: must not be empty for a new user; nobody has the external_id ' || external_id AS wrong
FROM import_user WHERE user_id IS NULL AND email IS NULL
"""
NAMELESS = """
SELECT line, 'name: must not be empty for a new user' AS wrong FROM import_user WHERE user_id IS NULL AND name IS NULL
"""
# Unless that user gets another address by the same file.
TAKEN = """
SELECT f.line, 'email: another user has this address' || coalesce(', with the external_id ' || other.external_id, '')
               AS wrong
FROM import_user f
JOIN "user" other ON other.organization_id = :organization AND lower(other.email) = lower(f.email)
                  AND other.id IS DISTINCT FROM f.user_id
WHERE NOT EXISTS (SELECT FROM import_user g WHERE g.user_id = other.id AND lower(g.email) <> lower(other.email))
"""
ONESELF = (
    "SELECT line, 'active: you cannot deactivate yourself' AS wrong FROM import_user "
    "WHERE user_id = :actor AND NOT active"
)
# Whoever gives a user another address, or the id of another account, could become that user; and nobody locks out, or
# lets in again, who may do more than they may.
ABOVE = """
SELECT f.line, CASE WHEN lower(f.email) <> lower(u.email) THEN 'email'
                    WHEN f.external_id IS NOT NULL AND u.external_id IS NULL THEN 'external_id'
                    ELSE 'active' END
               || ': cannot change; this user has a permission that you do not have' AS wrong
FROM import_user f JOIN "user" u ON u.id = f.user_id
WHERE (lower(f.email) <> lower(u.email) OR (f.external_id IS NOT NULL AND u.external_id IS NULL)
       OR f.active <> u.active)
  AND NOT u.permissions <@ CAST(:permissions AS text[])
"""

# Whom a full file can remove.
WITHOUT_PERMISSIONS = """u.organization_id = :organization AND u.active AND u.permissions = '{}'
  AND u.id IS DISTINCT FROM :actor"""
THERE = f'SELECT count(*) FROM "user" u WHERE {WITHOUT_PERMISSIONS}'
LEFT_OUT = f"""
SELECT count(*) FROM "user" u
WHERE :full AND {WITHOUT_PERMISSIONS} AND NOT EXISTS (SELECT FROM import_user f WHERE f.user_id = u.id)
"""

# All in one statement and in the order of ids, so that nobody who does the same ever waits in a circle.
_VALUES = """coalesce(f.external_id, u.external_id) AS external_id,
       CASE WHEN lower(f.email) <> lower(u.email) THEN f.email ELSE u.email END AS email,
       coalesce(f.name, u.name) AS name,
       CASE WHEN f.line IS NULL THEN false ELSE coalesce(f.active, u.active) END AS active,
       coalesce(f.notifications_on, u.notifications_on) AS notifications_on,
       coalesce(f.locale, u.locale) AS locale, coalesce(f.time_zone, u.time_zone) AS time_zone"""
_DIFFERS = """(coalesce(f.external_id, u.external_id), coalesce(lower(f.email), lower(u.email)),
       coalesce(f.name, u.name), coalesce(f.active, u.active), coalesce(f.notifications_on, u.notifications_on),
       coalesce(f.locale, u.locale), coalesce(f.time_zone, u.time_zone))
      IS DISTINCT FROM (u.external_id, lower(u.email), u.name, u.active, u.notifications_on, u.locale, u.time_zone)"""
DIFFERING = f"""
SELECT u.id, false AS gone, {_VALUES} FROM import_user f JOIN "user" u ON u.id = f.user_id
WHERE {_DIFFERS} ORDER BY u.id FOR NO KEY UPDATE OF u
"""
DIFFERING_IN_FULL = f"""
SELECT u.id, f.line IS NULL AS gone, {_VALUES} FROM "user" u LEFT JOIN import_user f ON f.user_id = u.id
WHERE u.organization_id = :organization
  AND CASE WHEN f.line IS NULL THEN {WITHOUT_PERMISSIONS} ELSE {_DIFFERS} END
ORDER BY u.id FOR NO KEY UPDATE OF u
"""
# Addresses that others get: the index sees one row after the other, and two users may swap theirs.
PARK = """
UPDATE "user" u SET email = 'moving-' || u.id || '@import.invalid'
FROM import_differing d
WHERE d.id = u.id AND lower(d.email) <> lower(u.email)
  AND EXISTS (SELECT FROM import_user f WHERE lower(f.email) = lower(u.email) AND f.user_id IS DISTINCT FROM u.id)
"""
CHANGE = """
UPDATE "user" u
SET external_id = d.external_id, email = d.email, name = d.name, active = d.active,
    notifications_on = d.notifications_on, locale = d.locale, time_zone = d.time_zone
FROM import_differing d WHERE u.id = d.id
"""
NEW = "SELECT count(*) FROM import_user WHERE user_id IS NULL"
ADD = """
INSERT INTO "user" (organization_id, external_id, email, name, active, notifications_on, locale, time_zone)
SELECT :organization, external_id, email, name, coalesce(active, true), coalesce(notifications_on, true),
       coalesce(locale, 'en'), coalesce(time_zone, 'UTC')
FROM import_user WHERE user_id IS NULL
ORDER BY lower(email)
ON CONFLICT DO NOTHING
"""
# For the journal: an older backup may not know that they came back.
RETURNED = """
INSERT INTO journal_entry (said)
SELECT jsonb_build_object('returned', jsonb_build_array(u.id, u.created_at, clock_timestamp()))
FROM import_differing d JOIN "user" u ON u.id = d.id
WHERE d.active AND u.removed_at IS NOT NULL
"""
SIGN_OUT = "DELETE FROM web_session s USING import_differing d WHERE s.user_id = d.id AND NOT d.active"
UNASSIGN = """
WITH ending AS (
    SELECT e.id FROM enrolment e JOIN import_differing d ON d.id = e.user_id
    WHERE d.gone AND e.organization_id = :organization AND e.unassigned_at IS NULL
    ORDER BY e.id FOR NO KEY UPDATE OF e
)
UPDATE enrolment e SET unassigned_at = clock_timestamp() FROM ending WHERE e.id = ending.id
"""


def import_users(session: Session, actor: Actor, file: BinaryIO, form: Form, full: Full | None = None) -> Imported:
    """Add the users in the file, and change existing ones; with `full`, deactivate and unassign all others.

    Raises `Forbidden`, `ImportInvalid`, `ImportRemovesTooMuch`, `ImportCrossed`.
    """
    actor.must_have(Permission.USERS)
    errors = Errors()
    stage = Stage(session, actor, STAGED, errors, full=full)
    lines = read(file, form, COLUMNS, errors, either=[("email", "external_id")])
    stage.fill((line, *values.values()) for line, values in lines)
    return write_users(stage)


def write_users(stage: Stage) -> Imported:
    """Check the staged lines, and write them. Raises `ImportInvalid`, `ImportRemovesTooMuch`, `ImportCrossed`."""
    stage.wait_for_others()
    stage.prepare("import_user", FOUND, by="user_id")
    for query in (TWICE, TWICE_BY_ID, WITHOUT_ADDRESS, NAMELESS, ONESELF, ABOVE):
        stage.check(query)
    stage.check_next(SAME)
    stage.check_next(TAKEN)
    stage.refuse_what_is_wrong()
    removed = stage.ask(LEFT_OUT)
    stage.brake("users", removed, THERE)
    changed = 0
    if stage.prepare("import_differing", DIFFERING_IN_FULL if stage.full else DIFFERING, by="id"):
        stage.write(RETURNED)
        stage.write(PARK)
        stage.write(CHANGE)
        stage.write(SIGN_OUT)
        removed = stage.ask("SELECT count(*) FROM import_differing WHERE gone")
        changed = stage.ask("SELECT count(*) FROM import_differing WHERE NOT gone")
    new = stage.add(ADD, expected) if (expected := stage.ask(NEW)) else 0
    gone = {"users": removed}
    if stage.full:
        gone["enrolments"] = stage.write(UNASSIGN) if removed else 0
    users = Count(stage.ask("SELECT count(*) FROM import_line"), new=new, changed=changed)
    return stage.done("users", {"users": users}, removed=gone if stage.full else None)
