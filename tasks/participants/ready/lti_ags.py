"""A platform that launches a course over LTI 1.3: withdraws its score, by Assignment and Grade Services 2.0.

A score with `activityProgress` Initialized and `gradingProgress` NotReady and no `scoreGiven` says that the user has
not begun, and clears the result that the platform showed (sections 3.4.3 to 3.4.7 of the specification).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.exception import LtiException
from pylti1p3.grade import Grade
from pylti1p3.registration import Registration
from pylti1p3.service_connector import ServiceConnector

from config.languages.stored import stored
from tasks.participants.protocol import End, Learner, NotNowError, Outcome, Question, Request
from tasks.participants.ready.one_by_one import one_by_one, placed

KIND = "scores"
SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
SECONDS = 10.0  # for a call
ANSWERED = stored("the platform answered {status}")
NO_ANSWER = stored("the platform does not answer: {error}")
NOTHING_TO_WITHDRAW = (404, 409)  # no such user, or a later score is there
SOMEONE = Learner(1, "a", "a@example.org", 1, UUID(int=0), UUID(int=0))


class LtiAgs:
    """Options: `issuer`, `client_id`, `token_url`, `private_key` (PEM), `lineitem` (URL); `audience`; `user`, how
    the platform's user ids are made of ours; `at_once`.

    The platform knows the key by its thumbprint (RFC 7638).
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        token_url: str,
        private_key: str,
        lineitem: str,
        audience: str = "",
        user: str = "{user_id}",
        at_once: str = "2",
    ) -> None:
        placed(user, SOMEONE)
        self._user, self._lineitem, self._at_once = user, lineitem, int(at_once)
        self._registration = Registration()
        self._registration.set_issuer(issuer).set_client_id(client_id).set_auth_token_url(token_url)
        self._registration.set_tool_private_key(private_key).set_tool_public_key(_public(private_key))
        if audience:
            self._registration.set_auth_audience(audience)

    def preview(self, question: Question) -> Mapping[str, int]:
        """Returns how many scores are withdrawn: one for each learner."""
        return {KIND: len(question.learners)}

    def clear(self, request: Request) -> Sequence[Outcome]:
        """Withdraw each learner's score. Raises `NotNowError` if the platform gives no access token."""
        service = AssignmentsGradesService(
            _connector(self._registration), {"scope": [SCORE], "lineitem": self._lineitem}
        )
        return one_by_one(request.learners, lambda learner: self._withdraw(service, learner), self._at_once)

    def _withdraw(self, service: AssignmentsGradesService, learner: Learner) -> Outcome:
        # Dated by the reset: the platform must ignore a score that is older than the one it has, so that a late
        # request withdraws nothing that was earned since.
        grade = Grade().set_user_id(placed(self._user, learner)).set_timestamp(_dated(learner.cleared_at))
        grade.set_activity_progress("Initialized").set_grading_progress("NotReady")
        try:
            service.put_grade(grade)
        except LtiException as error:
            answer = getattr(error, "response", None)
            if answer is not None and answer.status_code in NOTHING_TO_WITHDRAW:
                return Outcome(learner.enrolment, End.NOTHING)
            words = f"the platform {error}" if answer is None else ANSWERED.format(status=answer.status_code)
            raise NotNowError(words, unsure=True) from None
        except requests.RequestException as error:
            raise NotNowError(NO_ANSWER.format(error=type(error).__name__), unsure=True) from None
        return Outcome(learner.enrolment, End.DONE, {KIND: 1})


def _public(private_key: str) -> str:
    """Returns the public key in PEM. Raises `ValueError` for text that is not a private key."""
    key = load_pem_private_key(private_key.encode(), None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _dated(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


class _Session(requests.Session):
    """A session whose calls end."""

    def request(self, *arguments: object, **options: object) -> requests.Response:
        return super().request(*arguments, **({"timeout": SECONDS} | options))


def _connector(registration: Registration) -> ServiceConnector:
    return _Connector(registration, _Session())


class _Connector(ServiceConnector):
    """Keeps the access token for the calls of one request."""

    def __init__(self, registration: Registration, session: requests.Session) -> None:
        super().__init__(registration, session)
        self._tokens: dict[str, str] = {}

    def _get_cached_access_token(self, scope_key: str) -> str | None:
        return self._tokens.get(scope_key)

    def _cache_access_token(self, scope_key: str, access_token: str, expires_in: float) -> None:  # noqa: ARG002
        self._tokens[scope_key] = access_token
