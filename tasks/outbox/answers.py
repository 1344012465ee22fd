"""What comes of a try."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """The other side took it, and answers for it from now on."""


@dataclass(frozen=True)
class NotNow:
    """It did not, this time; another try may do. `unsure`: it may have taken it, without our having heard of it."""

    why: str
    unsure: bool = False


@dataclass(frozen=True)
class Never:
    """It did not, and will not: refused for good, or given up."""

    why: str


@dataclass(frozen=True)
class Unwanted:
    """It was not tried: nobody wants it any more, or it is not true any more."""

    why: str


Answer = Taken | NotNow | Never | Unwanted
