"""The task class of requests by message, which `tasks/signed_messages.py` describes. It loads Celery."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from config.log import logger
from models.refusals.base import Refused
from tasks.base import Step
from tasks.faults import faults_in
from tasks.signed_messages import RequestRefused, TheirTask

log = logger(__name__)


class Door(Step):
    """The task class of requests by message. It replies to the sender, if the message says where."""

    abstract = True
    # Until the request is in the database, `recover` cannot find it. So it is retried until the database is back.
    autoretry_for = (OperationalError,)
    retry_backoff = 2
    retry_backoff_max = 60  # seconds
    max_retries = None
    throws = (RequestRefused,)
    ignore_result = False

    def on_success(self, retval: dict[str, Any], _task_id: str, _args: Any, kwargs: dict[str, Any]) -> None:
        """Celery calls this once the result is stored."""
        _reply(self, kwargs, retval)

    def on_failure(self, exc: Exception, _task_id: str, _args: Any, kwargs: dict[str, Any], _info: Any) -> None:
        """Celery calls this if the task fails."""
        if isinstance(exc, RequestRefused):
            code, sentence = exc.args
        else:
            code, sentence = "internal-error", "Something unexpected went wrong. It was logged."
        log.warning("message_refused", message=self.name, code=code)
        _reply(self, kwargs, {"refused": code, "because": sentence})


@contextmanager
def refusals_by_code() -> Iterator[None]:
    """Turn refusals and invalid arguments into `RequestRefused`, for the sender."""
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(faults_in(error))
        raise RequestRefused("arguments-invalid", f"Correct these arguments and send it again: {wrong}") from None
    except Refused as refusal:
        raise RequestRefused(refusal.code, str(refusal)) from None


def _reply(task: Step, arguments: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    try:
        where = TheirTask.model_validate(arguments.get("reply_to"))
    except ValidationError:
        return  # no valid address for a reply
    if where.is_ours:
        return
    reply = {"task": task.name, "idempotency_key": arguments.get("idempotency_key"), **answer}
    try:
        where.send(args=[reply])
    except Exception as error:  # the sender can repeat the request with the same key, and gets the same answer
        log.warning("reply_not_sent", reply_task=where.task, error=type(error).__name__)
