-- A course reset as a database administrator would script it: one transaction, one statement a table, no ledger.

BEGIN;

CREATE TEMPORARY TABLE who ON COMMIT DROP AS
    SELECT id, user_id, registration FROM enrolment
    WHERE course_id = %(course)s AND unassigned_at IS NULL ORDER BY id FOR UPDATE;
ANALYZE who;

DELETE FROM lesson_progress r USING who WHERE r.registration = who.registration;
DELETE FROM practical_assessment r USING who WHERE r.registration = who.registration;
DELETE FROM discussion_post r USING who WHERE r.registration = who.registration;
DELETE FROM assignment_submission r USING who WHERE r.registration = who.registration;
DELETE FROM completion r USING who WHERE r.registration = who.registration;
DELETE FROM certificate r USING who WHERE r.registration = who.registration;

UPDATE enrolment e
SET state = 'assigned', progress = 0, completed_at = NULL, registration = uuidv7(),
    due_at = CASE WHEN due_at > now() THEN due_at END
FROM who WHERE e.id = who.id;

INSERT INTO notification (reset_id, user_id, course_id, state, sent_at)
SELECT %(reset)s, u.id, %(course)s, 'sent', now()
FROM who JOIN "user" u ON u.id = who.user_id WHERE u.notifications_on AND u.active;

UPDATE reset SET state = 'succeeded', finished_at = clock_timestamp() WHERE id = %(reset)s;

COMMIT;
