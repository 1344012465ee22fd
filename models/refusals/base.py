"""The base class of refusals."""

from typing import ClassVar


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request that is refused. It is an answer and not a fault; nothing was changed.

    The message is for the person who made the request, on a page, through the API or on the command line.
    """

    code: ClassVar[str]
    """The stable name by which programs recognize the refusal."""
    status: ClassVar[int] = 422
    """The HTTP status of the answer. 422: the request was understood but cannot be carried out."""
