"""What every refusal has."""

from typing import ClassVar


class Refused(Exception):  # noqa: N818 - it is caught and shown as an answer
    """A request that is refused. It is an answer, not a fault: nothing was changed.

    The message is a plain sentence for the person who asked, whether they use a page, the API or the command line.
    """

    code: ClassVar[str]
    """The stable name by which programs tell refusals apart."""
    status: ClassVar[int] = 422
    """The HTTP status of the answer. 422: the request was understood, and cannot be carried out as it is."""
