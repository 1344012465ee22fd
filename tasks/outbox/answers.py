"""The result of an attempt."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Taken:
    """The receiver took it. Within a run, it gets the next item after `rest` seconds."""

    rest: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class NotNow:
    """The attempt failed; the next one may succeed. `unsure`: the receiver may have taken it without our knowing."""

    why: str
    unsure: bool = False


@dataclass(frozen=True)
class Never:
    """Refused for good, or given up."""

    why: str


@dataclass(frozen=True)
class Unwanted:
    """Not attempted: it is no longer wanted or no longer true."""

    why: str


Answer = Taken | NotNow | Never | Unwanted
