"""The base class of our tasks."""

from difflib import get_close_matches
from typing import Any

from celery import Task

_SET_BY_THE_DECORATOR = {"app", "run", "name"}
# Celery reads these with getattr and a default, so its class does not have them.
_AUTORETRY = {
    "autoretry_for",
    "dont_autoretry_for",
    "retry_kwargs",
    "retry_backoff",
    "retry_backoff_max",
    "retry_jitter",
}


class UnknownTaskOptionError(TypeError):
    """A task is declared with an option that Celery does not have, which Celery itself would ignore."""


class Step(Task):
    """A task with an explicit name and valid options.

    Declare tasks with `name="recourse.…"`: a name derived from the function would change on the wire if the function
    is renamed. Arguments are ids, so that the broker, Flower and the logs hold no personal data.
    """

    abstract = True
    Request = "tasks.delivery:Delivery"  # by name: only workers import it

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vars(cls).get("abstract") or str(cls.name).startswith(
            "celery."
        ):  # Celery derives its own tasks from this class
            return
        if not str(cls.name).startswith("recourse."):
            raise UnknownTaskOptionError(f"task {cls.name!r}: give it a name that begins with `recourse.`")
        for option in vars(cls):
            if option.startswith("_") or option in _SET_BY_THE_DECORATOR | _AUTORETRY or hasattr(Task, option):
                continue
            near = get_close_matches(option, dir(Task), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UnknownTaskOptionError(f"task {cls.name!r}: Celery has no option {option!r}{hint}")
