"""For systems that are called once for each learner: several calls at once, and an outcome for each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from config.languages.stored import stored
from tasks.participants.protocol import End, Learner, NotNowError, Outcome

BEGUN_ANEW = stored("the learner has begun anew since; what they did before has to be cleared by hand")


def one_by_one(learners: Sequence[Learner], clear: Callable[[Learner], Outcome], at_once: int) -> list[Outcome]:
    """Returns an outcome for each learner. One whose call raises `NotNowError` is asked about again; the others are
    not."""

    def outcome_of(learner: Learner) -> Outcome:
        try:
            return clear(learner)
        except NotNowError as error:
            return Outcome(learner.enrolment, End.RETRY, why=str(error))

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return list(pool.map(outcome_of, learners))


def placed(template: str, learner: Learner) -> str:
    """Returns a text with a learner's values in place of `{user_id}`, `{email}`, `{enrolment}` and so on.

    Raises `ValueError` for a name that there is not.
    """
    try:
        return template.format(**learner.as_json())
    except (KeyError, IndexError):
        names = ", ".join(f"{{{name}}}" for name in learner.as_json())
        raise ValueError(f"{template}: use one of {names}") from None
