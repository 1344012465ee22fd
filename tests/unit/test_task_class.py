"""The base class of tasks."""

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
    # Otherwise, Celery would add the task to every app, and only at its first use.
    task: Task = app.task(shared=False, lazy=False, **options)(work)
    return task


def test_a_misspelled_option_is_refused_with_a_suggestion(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match="no option 'ignore_results'; did you mean 'ignore_result'"):
        declare(app, name="recourse.work", ignore_results=True)


def test_an_unknown_option_is_refused_without_a_suggestion(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match=r"no option 'zzz'$"):
        declare(app, name="recourse.work", zzz=1)


def test_existing_options_are_accepted(app: Celery) -> None:
    task = declare(app, name="recourse.work", bind=True, ignore_result=True, max_retries=3, throws=(KeyError,))
    assert task.name == "recourse.work"
    assert task.max_retries == 3


def test_options_that_celery_reads_without_declaring_them_are_accepted(app: Celery) -> None:
    declare(app, name="recourse.work", autoretry_for=(KeyError,), retry_backoff=2, retry_jitter=False)


def test_a_task_without_an_explicit_name_is_refused(app: Celery) -> None:
    with pytest.raises(UnknownTaskOptionError, match="give it a name that begins with `recourse"):
        declare(app)
