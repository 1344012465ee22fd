"""The class of all tasks."""

from typing import Any

import pytest
from celery import Celery, Task

from tasks.base import UnknownTaskOptionError


@pytest.fixture
def app() -> Celery:
    return Celery("of this test", task_cls="tasks.base:Step", set_as_current=False, broker="memory://")


def work() -> None:
    """Nothing."""


def declare(app: Celery, **options: Any) -> Task:
    # Celery would otherwise add it to every other app as well, and make it only at its first use.
    task: Task = app.task(shared=False, lazy=False, **options)(work)
    return task


def test_a_misspelt_option_is_refused_with_the_one_that_was_meant(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match="no option 'ignore_results'; did you mean 'ignore_result'"):
        declare(app, name="recourse.work", ignore_results=True)


def test_an_option_that_is_like_none_is_refused_without_a_guess(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match=r"no option 'zzz'$"):
        declare(app, name="recourse.work", zzz=1)


def test_options_that_exist_are_taken(app: Celery) -> None:
    task = declare(app, name="recourse.work", bind=True, ignore_result=True, max_retries=3, throws=(KeyError,))
    assert task.name == "recourse.work"
    assert task.max_retries == 3


def test_options_that_celery_reads_without_having_them_in_its_class_are_taken(app: Celery) -> None:
    declare(app, name="recourse.work", autoretry_for=(KeyError,), retry_backoff=2, retry_jitter=False)


def test_a_task_without_a_name_of_its_own_is_refused(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match="give it a name that begins with `recourse"):
        declare(app)
