"""Groups: each line is a membership, or without a user says something about the group alone.

`group` is the group's code, `name` its name, `external_id` the id that the file's platform knows it by, which
identifies it for good: a changed code is the same group. The user is `email` or `user_external_id`; `member` false ends
the membership.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from tasks.imports.contradictions import again, another_value
from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import Count, Full, Imported, Stage
from tasks.imports.values import Column, email, external_id, group_code, text, yes_or_no

COLUMNS = {
    "group": Column(group_code, required=True),
    "name": Column(text(200)),
    "external_id": Column(external_id),
    "email": Column(email),
    "user_external_id": Column(external_id),
    "member": Column(yes_or_no),
}
STAGED = {
    "code": "text",
    "name": "text",
    "external_id": "text",
    "email": "text",
    "user_external_id": "text",
    "member": "boolean",
}

FOUND = """
SELECT f.line, coalesce(known.id, adopted.id) AS group_id, f.code, f.name, f.external_id
FROM (SELECT code, min(line) AS line, max(name) AS name, max(external_id) AS external_id
      FROM import_line GROUP BY code) f
LEFT JOIN user_group known ON known.organization_id = :organization AND known.external_id = f.external_id
LEFT JOIN user_group adopted ON adopted.organization_id = :organization AND adopted.code = f.code
                             AND known.id IS NULL AND (f.external_id IS NULL OR adopted.external_id IS NULL)
"""
MEMBERS = """
SELECT l.line, l.code, coalesce(u.id, x.id) AS user_id, coalesce(l.member, true) AS member
FROM import_line l
LEFT JOIN "user" u ON u.organization_id = :organization AND lower(u.email) = lower(l.email)
LEFT JOIN "user" x ON x.organization_id = :organization AND x.external_id = l.user_external_id
WHERE l.email IS NOT NULL OR l.user_external_id IS NOT NULL
"""

NAMES_AT_ODDS = another_value("name", of="group")
IDS_AT_ODDS = another_value("external_id", of="group")
TWICE_BY_ID = again("external_id", "one, with another group", "import_group", "external_id")
SAME = again("group", "group, by external_id and by code", "import_group", "group_id")
# Unless that group gets another code by the same file.
TAKEN = """
SELECT f.line, 'group: another group has the code ' || f.code
               || coalesce(', with the external_id ' || other.external_id, '') AS wrong
FROM import_group f
JOIN user_group other ON other.organization_id = :organization AND other.code = f.code
                      AND other.id IS DISTINCT FROM f.group_id
WHERE NOT EXISTS (SELECT FROM import_group g WHERE g.group_id = other.id AND g.code <> other.code)
"""
NAMELESS = """
SELECT line, 'name: must not be empty for a new group' AS wrong
FROM import_group WHERE group_id IS NULL AND name IS NULL
"""
NO_USER = """
SELECT line, coalesce('email: there is no user ' || email,
                      'user_external_id: there is no user with the id ' || user_external_id) AS wrong
FROM import_member JOIN import_line USING (line) WHERE user_id IS NULL
"""
# Removed users join no group until they are active again.
OF_REMOVED_USERS = """
DELETE FROM import_member f USING "user" u WHERE u.id = f.user_id AND u.removed_at IS NOT NULL
"""
TWICE = """
SELECT line, CASE WHEN l.email IS NULL THEN 'user_external_id' ELSE 'email' END
             || ': line ' || first || ' has the same group and user' AS wrong
FROM (SELECT line, min(line) OVER (PARTITION BY code, user_id) AS first
      FROM import_member WHERE user_id IS NOT NULL) same
JOIN import_line l USING (line) WHERE line > first
"""
WITHOUT_USER = """
SELECT line, 'member: must be empty without a user' AS wrong
FROM import_line WHERE member IS NOT NULL AND email IS NULL AND user_external_id IS NULL
"""

DIFFERING = """
SELECT g.id, f.code, coalesce(f.name, g.name) AS name, coalesce(f.external_id, g.external_id) AS external_id
FROM import_group f JOIN user_group g ON g.id = f.group_id
WHERE (f.code, coalesce(f.name, g.name), coalesce(f.external_id, g.external_id))
      IS DISTINCT FROM (g.code, g.name, g.external_id)
ORDER BY g.id FOR NO KEY UPDATE OF g
"""
# Codes that others get: the index sees one row after the other, and two groups may swap theirs.
PARK = """
UPDATE user_group g SET code = 'moving/' || g.id
FROM import_differing d
WHERE d.id = g.id AND d.code <> g.code
  AND EXISTS (SELECT FROM import_group f WHERE f.code = g.code AND f.group_id IS DISTINCT FROM g.id)
"""
# The code only where it changes: it is a key, and other rows that refer to the group would be waited for.
CHANGE_CODES = "UPDATE user_group g SET code = d.code FROM import_differing d WHERE g.id = d.id AND g.code <> d.code"
CHANGE = """
UPDATE user_group g SET name = d.name, external_id = d.external_id FROM import_differing d WHERE g.id = d.id
"""
NEW = "SELECT count(*) FROM import_group WHERE group_id IS NULL"
ADD = """
INSERT INTO user_group (organization_id, code, name, external_id)
SELECT :organization, code, name, external_id FROM import_group WHERE group_id IS NULL
ORDER BY code
ON CONFLICT DO NOTHING
"""

MEMBERSHIPS = """
SELECT g.id AS group_id, m.user_id, m.member
FROM import_member m JOIN user_group g ON g.organization_id = :organization AND g.code = m.code
"""
THERE = "SELECT count(*) FROM group_member WHERE organization_id = :organization"
LEFT_OUT = """
SELECT count(*) FROM group_member m
WHERE :full AND m.organization_id = :organization
  AND NOT EXISTS (SELECT FROM import_membership f WHERE f.group_id = m.group_id AND f.user_id = m.user_id)
"""
JOIN = """
INSERT INTO group_member (group_id, user_id, organization_id)
SELECT f.group_id, f.user_id, :organization FROM import_membership f
WHERE f.member AND NOT EXISTS (SELECT FROM group_member m WHERE m.group_id = f.group_id AND m.user_id = f.user_id)
ORDER BY f.group_id, f.user_id
ON CONFLICT DO NOTHING
"""
ENDING = """
SELECT m.group_id, m.user_id, f.user_id IS NOT NULL AS named
FROM group_member m
LEFT JOIN import_membership f ON f.group_id = m.group_id AND f.user_id = m.user_id
WHERE m.organization_id = :organization AND CASE WHEN f.user_id IS NULL THEN :full ELSE NOT f.member END
ORDER BY m.group_id, m.user_id FOR UPDATE OF m
"""
LEAVE = "DELETE FROM group_member m USING import_ending d WHERE m.group_id = d.group_id AND m.user_id = d.user_id"


def import_groups(session: Session, actor: Actor, file: BinaryIO, form: Form, full: Full | None = None) -> Imported:
    """Add and rename groups, and have users join and leave them; with `full`, end all other memberships.

    Raises `Forbidden`, `ImportInvalid`, `ImportRemovesTooMuch`, `ImportCrossed`.
    """
    actor.must_have(Permission.USERS)
    errors = Errors()
    stage = Stage(session, actor, STAGED, errors, full=full)
    stage.fill(_rows(file, form, errors))
    stage.wait_for_others()
    stage.prepare("import_group", FOUND)
    stage.prepare("import_member", MEMBERS)
    for query in (NAMES_AT_ODDS, IDS_AT_ODDS, TWICE_BY_ID, NAMELESS, WITHOUT_USER, NO_USER, TWICE):
        stage.check(query)
    stage.check_next(SAME)
    stage.check_next(TAKEN)
    stage.refuse_what_is_wrong()
    in_file, of_removed = stage.ask("SELECT count(*) FROM import_member"), stage.write(OF_REMOVED_USERS)
    groups = _write_groups(stage)
    stage.prepare("import_membership", MEMBERSHIPS, by="group_id, user_id")
    stage.brake("memberships", stage.ask(LEFT_OUT), THERE)
    # First: it locks users, against the foreign key, and an erasure locks a user before their memberships.
    joined, left, removed = stage.write(JOIN), 0, 0
    if stage.prepare("import_ending", ENDING):
        left = stage.ask("SELECT count(*) FROM import_ending WHERE named")
        removed = stage.ask("SELECT count(*) FROM import_ending WHERE NOT named")
        stage.write(LEAVE)
    members = Count(in_file, new=joined, changed=left)
    gone = {"members": removed} if stage.full else None
    ignored = {"removed_users": of_removed} if of_removed else None
    return stage.done("groups", {"groups": groups, "members": members}, removed=gone, ignored=ignored)


def _write_groups(stage: Stage) -> Count:
    if changed := stage.prepare("import_differing", DIFFERING):
        stage.write(PARK)
        stage.write(CHANGE_CODES)
        stage.write(CHANGE)
    new = stage.add(ADD, expected) if (expected := stage.ask(NEW)) else 0
    return Count(stage.ask("SELECT count(*) FROM import_group"), new=new, changed=changed)


def _rows(file: BinaryIO, form: Form, errors: Errors) -> Iterator[tuple[Any, ...]]:
    for line, values in read(file, form, COLUMNS, errors):
        if values["email"] is not None and values["user_external_id"] is not None:
            errors.add(line, "user_external_id: must be empty if email is given")
        else:
            yield line, *values.values()
