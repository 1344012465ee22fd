"""Moodle with the plug-in local_recompletion: resets a user in a course, with whatever the plug-in is set to clear.

By Moodle's REST protocol for web services. The service needs the functions in `FUNCTIONS`, and the token's user the
capability `local/recompletion:resetcompletion`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from config.languages.stored import stored
from tasks.participants.protocol import End, Learner, NotNowError, Outcome, Question, Request
from tasks.participants.ready.one_by_one import BEGUN_ANEW, one_by_one

FUNCTIONS = (
    "core_user_get_users_by_field",
    "core_course_get_courses_by_field",
    "core_completion_get_activities_completion_status",
    "local_recompletion_reset_course",
)
USER_FIELDS = ("email", "id", "idnumber", "username")
KIND = "activity completions"
SECONDS = 15.0  # for a call
ANSWERED = stored("Moodle answered {status}")
NO_REASON = stored("Moodle gave no reason")
NO_ANSWER = stored("Moodle does not answer: {error}")
REFUSED = stored("Moodle refused {function}: {answer}")


class Moodle:
    """Options: `url` of the site, `token` of its web service; `course`, the short name there, if it is not the course
    code; `user_field`, of a Moodle user: `email`, or one that has our external ids (`id`, `idnumber`, `username`);
    `at_once`."""

    def __init__(self, url: str, token: str, course: str = "", user_field: str = "email", at_once: str = "2") -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError("url must begin with https://")
        if user_field not in USER_FIELDS:
            raise ValueError(f"user_field must be one of {', '.join(USER_FIELDS)}")
        self._address = f"{url.rstrip('/')}/webservice/rest/server.php"
        self._token, self._course, self._user_field, self._at_once = token, course, user_field, int(at_once)

    def preview(self, question: Question) -> Mapping[str, int]:
        """Returns how many activities the learners have completed. Raises `NotNowError`."""
        with httpx.Client(timeout=SECONDS) as client:
            course = self._course_id(client, question.course.code)

            def look(learner: Learner) -> Outcome:
                user = self._user_id(client, learner)
                done = [] if user is None else self._completed(client, course, user)
                return Outcome(learner.enrolment, End.DONE, {KIND: len(done)})

            found = one_by_one(question.learners, look, self._at_once)
        if failed := next((outcome.why for outcome in found if outcome.end == End.RETRY), None):
            raise NotNowError(failed)
        return {KIND: sum(outcome.removed[KIND] for outcome in found)}

    def clear(self, request: Request) -> Sequence[Outcome]:
        """Reset each learner. Raises `NotNowError` if the course cannot be looked up."""
        with httpx.Client(timeout=SECONDS) as client:
            course = self._course_id(client, request.course.code)
            return one_by_one(request.learners, lambda learner: self._clear(client, course, learner), self._at_once)

    def _clear(self, client: httpx.Client, course: int, learner: Learner) -> Outcome:
        user = self._user_id(client, learner)
        if user is None:
            return Outcome(learner.enrolment, End.NOTHING)
        # Also after an answer that was lost: then there is nothing left, or what is new.
        completed = self._completed(client, course, user)
        if any(moment > learner.cleared_at.timestamp() for moment in completed):
            return Outcome(learner.enrolment, End.FAILED, why=BEGUN_ANEW)
        done = self._call(client, "local_recompletion_reset_course", courseid=course, userid=user)
        if not done.get("status"):
            return Outcome(learner.enrolment, End.FAILED, why=str(done.get("errors") or NO_REASON)[:500])
        if not completed:
            return Outcome(learner.enrolment, End.NOTHING)
        return Outcome(learner.enrolment, End.DONE, {KIND: len(completed)})

    def _course_id(self, client: httpx.Client, code: str) -> int:
        name = self._course or code
        found = self._call(client, "core_course_get_courses_by_field", field="shortname", value=name)
        if not found.get("courses"):
            raise NotNowError(stored("Moodle has no course with the short name {name}").format(name=name))
        return int(found["courses"][0]["id"])

    def _user_id(self, client: httpx.Client, learner: Learner) -> int | None:
        value = learner.email if self._user_field == "email" else learner.external_id
        if value is None:
            raise NotNowError(stored("the user has no external id; import it first"))
        found = self._call(client, "core_user_get_users_by_field", field=self._user_field, **{"values[0]": value})
        return int(found[0]["id"]) if found else None

    def _completed(self, client: httpx.Client, course: int, user: int) -> list[int]:
        """Returns when the user completed each activity that is completed, in seconds since 1970."""
        function = "core_completion_get_activities_completion_status"
        statuses = self._call(client, function, courseid=course, userid=user)["statuses"]
        return [int(one["timecompleted"]) for one in statuses if one["state"]]

    def _call(self, client: httpx.Client, function: str, **arguments: str | int) -> Any:
        """Returns the function's answer. Moodle reports errors with status 200."""
        fixed = {"wstoken": self._token, "wsfunction": function, "moodlewsrestformat": "json"}
        try:
            answer = client.post(self._address, data=fixed | arguments)
            answer.raise_for_status()
            said = answer.json()
        except httpx.HTTPStatusError as error:
            raise NotNowError(ANSWERED.format(status=error.response.status_code), unsure=True) from None
        except (httpx.HTTPError, ValueError) as error:
            raise NotNowError(NO_ANSWER.format(error=type(error).__name__), unsure=True) from None
        if isinstance(said, dict) and "exception" in said:
            raise NotNowError(REFUSED.format(function=function, answer=said.get("message") or said["exception"]))
        return said
