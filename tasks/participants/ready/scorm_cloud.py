"""SCORM Cloud: resets the registrations of the courses that are played there.

By Rustici's client for their API, version 2: `DELETE /registrations/{registrationId}/progress`, which deletes the
launch history and the progress of a registration, and keeps the registration.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import urllib3
from rustici_software_cloud_v2 import ApiClient, Configuration, RegistrationApi, RegistrationSchema
from rustici_software_cloud_v2.rest import ApiException

from config.languages.stored import stored
from tasks.participants.protocol import End, Learner, NotNowError, Outcome, Question, Request
from tasks.participants.ready.one_by_one import BEGUN_ANEW, one_by_one, placed

KIND = "registrations"
SECONDS = 10.0  # for a call
NOT_FOUND = 404
SOMEONE = Learner(1, "a", "a@example.org", 1, UUID(int=0), UUID(int=0))


class ScormCloud:
    """Options: `app_id`, `secret_key`; `registration`, how registrations there are named by ours; `host`; `at_once`."""

    def __init__(
        self,
        app_id: str,
        secret_key: str,
        registration: str = "{old_registration}",
        host: str = "https://cloud.scorm.com/api/v2",
        at_once: str = "4",
    ) -> None:
        placed(registration, SOMEONE)
        self._name = registration
        self._at_once = int(at_once)
        self._configuration = Configuration()
        self._configuration.host = host
        self._configuration.username, self._configuration.password = app_id, secret_key

    def preview(self, question: Question) -> Mapping[str, int]:
        """Returns how many registrations have progress. Raises `NotNowError`."""
        found = one_by_one(question.learners, self._look, self._at_once)
        if failed := next((outcome.why for outcome in found if outcome.end == End.RETRY), None):
            raise NotNowError(failed)
        return {KIND: sum(outcome.end == End.DONE for outcome in found)}

    def clear(self, request: Request) -> Sequence[Outcome]:
        """Reset each learner's registration."""
        return one_by_one(request.learners, self._clear, self._at_once)

    def _look(self, learner: Learner) -> Outcome:
        begun = _has_begun(self._progress(placed(self._name, learner)))
        return Outcome(learner.enrolment, End.DONE if begun else End.NOTHING)

    def _clear(self, learner: Learner) -> Outcome:
        name = placed(self._name, learner)
        progress = self._progress(name)
        if progress is None or not _has_begun(progress):
            return Outcome(learner.enrolment, End.NOTHING)
        ours = "{old_registration}" in self._name
        if not ours and progress.last_access_date and progress.last_access_date > learner.cleared_at:
            return Outcome(learner.enrolment, End.FAILED, why=BEGUN_ANEW)
        try:
            self._api().delete_registration_progress(name, _request_timeout=SECONDS)
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            raise NotNowError(_words(error), unsure=True) from None
        return Outcome(learner.enrolment, End.DONE, {KIND: 1})

    def _progress(self, name: str) -> RegistrationSchema | None:
        try:
            return self._api().get_registration_progress(name, _request_timeout=SECONDS)
        except ApiException as error:
            if error.status == NOT_FOUND:
                return None
            raise NotNowError(_words(error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise NotNowError(_words(error)) from None

    def _api(self) -> RegistrationApi:
        return RegistrationApi(ApiClient(self._configuration))


def _has_begun(progress: RegistrationSchema | None) -> bool:
    return progress is not None and bool(progress.first_access_date or progress.total_seconds_tracked)


def _words(error: Exception) -> str:
    if isinstance(error, ApiException) and error.status:
        return stored("SCORM Cloud answered {status}").format(status=f"{error.status} {error.reason or ''}".strip())
    return stored("SCORM Cloud does not answer: {error}").format(error=type(error).__name__)
