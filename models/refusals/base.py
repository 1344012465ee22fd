"""The base class of refusals."""

from collections.abc import Sequence
from typing import ClassVar

from config.languages import SOURCE, filled, gettext, speaking


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request that is refused. It is an answer and not a fault; nothing was changed.

    The message is for the person who made the request, on a page, through the API or on the command line.
    """

    code: ClassVar[str]
    """The stable name by which programs recognize the refusal."""
    status: ClassVar[int] = 422
    """The HTTP status of the answer. 422: the request was understood but cannot be carried out."""

    def __init__(self, sentence: str, **values: object) -> None:
        """`sentence` is in English, with placeholders such as `{course}` for the values."""
        with speaking(SOURCE):
            super().__init__(filled(sentence, values))
        self.sentence, self.values = sentence, values

    def __str__(self) -> str:
        """Returns the message in the language spoken; `args` has it in English, for logs."""
        return gettext(self.sentence, **self.values)


def some_of(names: Sequence[str], most: int) -> str:
    """Returns the names in words: the first ones, and how many more there are."""
    first = ", ".join(names[:most])
    return gettext("{names} and {more:,} more", names=first, more=len(names) - most) if len(names) > most else first
