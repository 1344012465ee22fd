"""Users: `email`, `name`, and optionally `active`, `notifications_on`, `locale`, `time_zone`.

The address identifies a user, ignoring case. Files have no permissions: people who may import users must not be able to
give themselves more of them.
"""

from typing import BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import Count, Imported, Stage
from tasks.imports.values import Column, email, locale, text, time_zone, yes_or_no

COLUMNS = {
    "email": Column(email, required=True),
    "name": Column(text(200)),
    "active": Column(yes_or_no),
    "notifications_on": Column(yes_or_no),
    "locale": Column(locale),
    "time_zone": Column(time_zone),
}

KNOWN = """FROM import_line l JOIN "user" u ON u.organization_id = :organization AND lower(u.email) = lower(l.email)"""

TWICE = """
SELECT line, 'email: line ' || first || ' has the same address' AS wrong
FROM (SELECT line, min(line) OVER (PARTITION BY lower(email)) AS first FROM import_line) same WHERE line > first
"""
NAMELESS = """
SELECT l.line, 'name: must not be empty for a new user' AS wrong
FROM import_line l LEFT JOIN "user" u ON u.organization_id = :organization AND lower(u.email) = lower(l.email)
WHERE u.id IS NULL AND l.name IS NULL
"""
ONESELF = (
    f"SELECT l.line, 'active: you cannot deactivate yourself' AS wrong {KNOWN} WHERE u.id = :actor AND NOT l.active"
)

# In the order of the unique index here, and of ids below, so that concurrent imports do not deadlock.
ADD = """
INSERT INTO "user" (organization_id, email, name, active, notifications_on, locale, time_zone)
SELECT :organization, email, name, coalesce(active, true), coalesce(notifications_on, true), coalesce(locale, 'en'),
       coalesce(time_zone, 'UTC')
FROM import_line l
WHERE name IS NOT NULL
  AND NOT EXISTS (SELECT FROM "user" u WHERE u.organization_id = :organization AND lower(u.email) = lower(l.email))
ORDER BY lower(email)
ON CONFLICT (organization_id, lower(email)) DO NOTHING
"""
CHANGE = f"""
WITH differing AS (
    SELECT u.id, coalesce(l.name, u.name) AS name, coalesce(l.active, u.active) AS active,
           coalesce(l.notifications_on, u.notifications_on) AS notifications_on,
           coalesce(l.locale, u.locale) AS locale, coalesce(l.time_zone, u.time_zone) AS time_zone
    {KNOWN}
    WHERE (coalesce(l.name, u.name), coalesce(l.active, u.active),
           coalesce(l.notifications_on, u.notifications_on), coalesce(l.locale, u.locale),
           coalesce(l.time_zone, u.time_zone))
          IS DISTINCT FROM (u.name, u.active, u.notifications_on, u.locale, u.time_zone)
    ORDER BY u.id FOR NO KEY UPDATE OF u
)
UPDATE "user" u
SET name = d.name, active = d.active, notifications_on = d.notifications_on, locale = d.locale, time_zone = d.time_zone
FROM differing d WHERE u.id = d.id
"""


def import_users(session: Session, actor: Actor, file: BinaryIO, form: Form) -> Imported:
    """Add the users in the file, and change existing ones. Raises `Forbidden`, `ImportInvalid`."""
    actor.must_have(Permission.USERS)
    errors = Errors()
    kinds = {"email": "text", "name": "text", "active": "boolean", "notifications_on": "boolean"}
    stage = Stage(session, actor, kinds | {"locale": "text", "time_zone": "text"}, errors)
    stage.fill((line, *values.values()) for line, values in read(file, form, COLUMNS, errors))
    for query in (TWICE, NAMELESS, ONESELF):
        stage.check(query)
    stage.refuse_what_is_wrong()
    users = Count(stage.ask("SELECT count(*) FROM import_line"), new=stage.write(ADD), changed=stage.write(CHANGE))
    return stage.done("users", {"users": users})
