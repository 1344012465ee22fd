"""The class of all tasks."""

import pytest
from celery import Celery

from tasks.base import UnknownTaskOptionError


@pytest.fixture
def app() -> Celery:
    return Celery("of this test", task_cls="tasks.base:Step", set_as_current=False, broker="memory://")


def work() -> None:
    """Nothing."""


def test_a_misspelt_option_is_refused_with_the_one_that_was_meant(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match="no option 'ignore_results'; did you mean 'ignore_result'"):
        app.task(name="recourse.work", ignore_results=True)(work).name  # noqa: B018 - Celery makes tasks at first use


def test_an_option_that_is_like_none_is_refused_without_a_guess(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match=r"no option 'zzz'$"):
        app.task(name="recourse.work", zzz=1)(work).name  # noqa: B018


def test_options_that_exist_are_taken(app: Celery) -> None:
    task = app.task(name="recourse.work", bind=True, ignore_result=True, max_retries=3, throws=(KeyError,))(work)
    assert task.name == "recourse.work"
    assert task.max_retries == 3


def test_a_task_without_a_name_of_its_own_is_refused(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match="give it a name that begins with `recourse"):
        app.task(work).name  # noqa: B018
