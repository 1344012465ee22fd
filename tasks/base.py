"""The class of all our tasks."""

from difflib import get_close_matches
from typing import Any

from celery import Task

_MADE_BY_CELERY = {
    "app",
    "run",
    "name",
    "_decorated",
    "__wrapped__",
    "__header__",
    "__annotations__",
    "priority",
}


class UnknownTaskOptionError(TypeError):
    """A task is declared with an option that Celery does not have. Celery itself would say nothing."""


class Step(Task):
    """A task with a name of its own and with options that exist.

    Tasks are declared with `name="recourse.…"`: a name made from the function's would change on the wire when the
    function is renamed. Arguments are ids, so that nothing personal is in the broker, in Flower or in the logs.
    """

    abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vars(cls).get("abstract"):
            return
        if not str(cls.name).startswith(("recourse.", "celery.")):  # Celery makes its own tasks from this class too
            raise UnknownTaskOptionError(f"task {cls.name!r}: give it a name that begins with `recourse.`")
        options = {option for option in vars(cls) if not option.startswith("__")} - _MADE_BY_CELERY
        for option in options:
            if not hasattr(Task, option):
                near = get_close_matches(option, dir(Task), n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise UnknownTaskOptionError(f"task {cls.name!r}: Celery has no option {option!r}{hint}")
