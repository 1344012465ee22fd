"""xAPI statements, one a line (NDJSON) or as one JSON array: who completed, passed, progressed in or began a course.

    actor       `mbox` is the user's address; `account.name` is the user's external id, or else an address
    verb        completed, passed: a completion, with `result.score.scaled`; progressed: the progress in percent of an
                extension of `result` whose name ends in `/progress`, as cmi5 has it; initialized: the course is begun
    object      its id is the course's external id, or is mapped to a course code
    timestamp   when it happened

Of several completions of a course the last counts, and so does the last progress. Other verbs, and objects that are no
course, are ignored and counted: a course's statements come with those of its parts. Voided statements do not count.
`context.registration` is not read: which run of the course a statement belongs to follows from its timestamp.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from tasks.imports.history import write_enrolments
from tasks.imports.lines import LONGEST_LINE, Errors
from tasks.imports.stage import Imported, Stage
from tasks.imports.values import WrongError, is_storable, moment
from tasks.imports.values import email as checked_email

COMPLETED, PROGRESSED, INITIALIZED, VOIDED = "completed", "progressed", "initialized", "voided"
VERBS = {
    "http://adlnet.gov/expapi/verbs/completed": COMPLETED,
    "http://adlnet.gov/expapi/verbs/passed": COMPLETED,
    "http://adlnet.gov/expapi/verbs/progressed": PROGRESSED,
    "http://adlnet.gov/expapi/verbs/initialized": INITIALIZED,
    "http://adlnet.gov/expapi/verbs/voided": VOIDED,
}
STAGED = {
    "statement": "text",
    "verb": "text",
    "email": "text",
    "user_external_id": "text",
    "course": "text",
    "course_external_id": "text",
    "at": "timestamptz",
    "progress": "smallint",
    "score": "numeric(5, 2)",
}
BLOCK = 64 * 1024

FOUND = """
SELECT l.*, coalesce(by_id.id, by_address.id) AS user_id, coalesce(by_code.id, course.id) AS course_id
FROM import_line l
LEFT JOIN "user" by_id ON by_id.organization_id = :organization AND by_id.external_id = l.user_external_id
LEFT JOIN "user" by_address ON by_address.organization_id = :organization AND lower(by_address.email) = lower(l.email)
LEFT JOIN course by_code ON by_code.organization_id = :organization AND by_code.code = l.course
LEFT JOIN course ON course.organization_id = :organization AND course.external_id = l.course_external_id
WHERE l.verb <> 'voided'
  AND NOT EXISTS (SELECT FROM import_line v WHERE v.verb = 'voided' AND v.course_external_id = l.statement)
"""
NO_COURSE = """
SELECT line, 'object: it is mapped to ' || course || ', but there is no such course' AS wrong
FROM import_statement WHERE course_id IS NULL AND course IS NOT NULL
"""
NO_USER = """
SELECT line, 'actor: there is no user ' || coalesce(email, 'with the external_id ' || user_external_id) AS wrong
FROM import_statement WHERE course_id IS NOT NULL AND user_id IS NULL
"""
ENROLMENTS = """
SELECT coalesce(done.line, last.line) AS line, course_id, user_id, NULL::timestamptz AS due_at,
       NULL::boolean AS assigned, last.progress, last.at AS progress_at, done.at AS completed_at, done.score
FROM (SELECT DISTINCT ON (course_id, user_id) course_id, user_id, line, at, score FROM import_statement
      WHERE course_id IS NOT NULL AND verb = 'completed'
      ORDER BY course_id, user_id, at DESC, score DESC NULLS LAST, line) done
FULL JOIN (SELECT DISTINCT ON (course_id, user_id) course_id, user_id, line, at, progress FROM import_statement
           WHERE course_id IS NOT NULL AND verb <> 'completed'
           ORDER BY course_id, user_id, verb = 'progressed' DESC, at DESC, line DESC) last
USING (course_id, user_id)
"""
OTHER_OBJECTS = "SELECT count(*) FROM import_statement WHERE course_id IS NULL"


def import_xapi(session: Session, actor: Actor, file: BinaryIO, courses: Mapping[str, str] | None = None) -> Imported:
    """Bring the history that the statements tell of. `courses` maps ids of objects to course codes.

    Raises `Forbidden`, `ImportInvalid`.
    """
    actor.must_have(Permission.COURSES)
    errors = Errors()
    reader = _Reader(errors, courses or {})
    stage = Stage(session, actor, STAGED, errors)
    stage.fill(reader.rows(file))
    stage.wait_for_others()
    stage.prepare("import_statement", FOUND)
    stage.check(NO_COURSE)
    stage.check(NO_USER)
    stage.refuse_what_is_wrong()
    stage.prepare("import_enrolment", ENROLMENTS, by="user_id, course_id")
    ignored = {"other_verbs": reader.other_verbs, "other_objects": stage.ask(OTHER_OBJECTS)}
    seen = {reason: count for reason, count in ignored.items() if count}
    return write_enrolments(stage, lines=reader.statements, ignored=seen)


class _Reader:
    """Reads statements, and counts them."""

    def __init__(self, errors: Errors, courses: Mapping[str, str]) -> None:
        self.statements = self.other_verbs = 0
        self._errors, self._courses = errors, courses

    def rows(self, file: BinaryIO) -> Iterator[tuple[Any, ...]]:
        """Yields what is to be staged of each statement that counts."""
        for line, found in statements_of(file, self._errors):
            self.statements += 1
            try:
                verb = VERBS.get(_iri(found, "verb"))
                if verb is None:
                    self.other_verbs += 1
                else:
                    yield line, *self._row(found, verb)
            except WrongError as wrong:
                self._errors.add(line, str(wrong))

    def _row(self, statement: Mapping[str, Any], verb: str) -> tuple[Any, ...]:
        identity = statement.get("id")
        identity = identity.lower() if isinstance(identity, str) and is_storable(identity) else None
        activity = _iri(statement, "object")
        if verb == VOIDED:
            return identity, verb, None, None, None, activity.lower(), None, None, None
        address, name = _actor(statement.get("actor"))
        code = self._courses.get(activity)
        result = statement.get("result")
        result = result if isinstance(result, dict) else {}
        share = _progress(result) if verb == PROGRESSED else 0 if verb == INITIALIZED else None
        scored = _score(result) if verb == COMPLETED else None
        at = _moment(statement.get("timestamp") or statement.get("stored"))
        known = PROGRESSED if verb == PROGRESSED and share is not None else INITIALIZED
        kind = COMPLETED if verb == COMPLETED else known
        share = 0 if kind == INITIALIZED else share
        return identity, kind, address, name, code, None if code else activity, at, share, scored


def _iri(statement: Mapping[str, Any], member: str) -> str:
    found = statement.get(member)
    iri = found.get("id") if isinstance(found, dict) else None
    if not isinstance(iri, str) or not iri or not is_storable(iri):
        raise WrongError(f"{member}: must be an object with an id")
    return iri


def _actor(actor: Any) -> tuple[str | None, str | None]:
    """Returns the actor's address and external id; an account's name may be either."""
    found = actor if isinstance(actor, dict) else {}
    mbox, account = found.get("mbox"), found.get("account")
    if isinstance(mbox, str) and mbox.lower().startswith("mailto:"):
        try:
            return checked_email(mbox[len("mailto:") :].strip()), None
        except WrongError as wrong:
            raise WrongError(f"actor.mbox: {wrong}") from None
    name = account.get("name") if isinstance(account, dict) else None
    if not isinstance(name, str) or not name.strip() or not is_storable(name):
        raise WrongError("actor: must have an mbox, or an account with a name")
    name = name.strip()
    return name if "@" in name else None, name


def _progress(result: Mapping[str, Any]) -> int | None:
    extensions = result.get("extensions")
    for name, value in (extensions if isinstance(extensions, dict) else {}).items():
        if name.endswith("/progress"):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
                raise WrongError("result.extensions: the progress must be a number from 0 to 100")
            return int(value)
    return None


def _score(result: Mapping[str, Any]) -> Decimal | None:
    score = result.get("score")
    scaled = score.get("scaled") if isinstance(score, dict) else None
    if scaled is None:
        return None
    if isinstance(scaled, bool) or not isinstance(scaled, int | float) or not -1 <= scaled <= 1:
        raise WrongError("result.score.scaled: must be a number from -1 to 1")
    return round(Decimal(str(max(scaled, 0))) * 100, 2)


def _moment(value: Any) -> datetime:
    try:
        return moment(value if isinstance(value, str) else "")
    except WrongError as wrong:
        raise WrongError(f"timestamp: {wrong}") from None


# The statements of a file, one after the other

_SPACE = re.compile(r"\s*")


def statements_of(file: BinaryIO, errors: Errors) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields each statement with the line on which it begins, from NDJSON or from one JSON array.

    Holds one statement at a time, of up to a million characters.
    """
    text = _Text(file)
    try:
        if not text.skip_space():
            errors.add(1, "the file is empty")
            return
        in_array = text.next() == "["
        text.pass_over(1 if in_array else 0)
        if in_array and text.skip_space() and text.next() == "]":
            text.pass_over(1)
            in_array = False
        while text.skip_space():
            line = text.line
            found = text.value()
            if isinstance(found, dict):
                yield line, found
            else:
                errors.add(line, "the statement is not a JSON object")
            if in_array:
                in_array = text.goes_on()
        if in_array:
            errors.add(text.line, "the array does not end")
    except UnicodeDecodeError:
        errors.add(text.line, "the text is not UTF-8; the rest of the file was not read")
    except (ValueError, RecursionError):
        errors.add(text.line, "this is not JSON; the rest of the file was not read")


class _Text:
    """The part of a file that is being read, and its line."""

    def __init__(self, file: BinaryIO) -> None:
        self.line = 1
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text, self._at, self._ended = "", 0, False

    def next(self) -> str:
        return self._text[self._at]

    def pass_over(self, characters: int) -> None:
        self.line += self._text.count("\n", self._at, self._at + characters)
        self._at += characters

    def skip_space(self) -> bool:
        """Pass over white space. Returns whether anything follows."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space
            self.pass_over(space.end() - self._at)
            if self._at < len(self._text):
                return True
            if not self._more():
                return False

    def goes_on(self) -> bool:
        """Pass over what follows an element of an array. Returns whether another element does. Raises `ValueError`."""
        if not self.skip_space():
            raise ValueError("the array does not end")
        mark = self.next()
        if mark not in ",]":
            raise ValueError("no comma")
        self.pass_over(1)
        if mark == "," and (not self.skip_space() or self.next() == "]"):
            raise ValueError("no element after the comma")
        if mark == "]" and self.skip_space():
            raise ValueError("text after the array")
        return mark == ","

    def value(self) -> Any:
        """Returns the value that begins here. Raises `ValueError`, `RecursionError`."""
        while True:
            try:
                found, end = self._json.raw_decode(self._text, self._at)
            except ValueError:
                # As a rule it goes on in the next block.
                if len(self._text) - self._at > LONGEST_LINE or not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():  # a number could go on
                continue
            self.pass_over(end - self._at)
            return found

    def _more(self) -> bool:
        if self._ended:
            return False
        block = self._file.read(BLOCK)
        self._ended = not block
        self._text = self._text[self._at :] + self._decoder.decode(block, final=self._ended)
        self._at = 0
        return bool(block)
