"""The texts of e-mails, in English. Their translations are in `config.languages`, with those of the pages."""

from dataclasses import dataclass, replace
from functools import cache

from config import languages
from config.languages import BRITISH, in_language_spoken, locale_spoken, speaking, translatable
from models.notifications import NotificationKind


@dataclass(frozen=True)
class Words:
    """The texts of one kind of e-mail. `{course}` and `{count}` are filled in."""

    subject: str  # for one course
    subject_of_many: str
    heading: str
    introduction: str
    button: str


@dataclass(frozen=True)
class Language:
    """One language: the texts of each kind of e-mail, and the lines that several kinds share."""

    greeting: str
    due: str
    begins: str
    reset: dict[str, str]  # states of a reset
    figures: str
    failures: str
    why: str
    waits: str
    footer: str
    unsubscribe: str
    preferences: str
    kinds: dict[NotificationKind, Words]
    locale: str = BRITISH  # of dates and numbers


ENGLISH = Language(
    greeting=translatable("Hello {name},"),
    due=translatable("Due on {day}"),
    begins=translatable("Assigned again on {day}"),
    reset={
        "succeeded": translatable("Finished without failures."),
        "partly_failed": translatable("Some learners could not be reset."),
        "failed": translatable("No learner could be reset."),
        "cancelled": translatable("The reset was cancelled."),
    },
    figures=translatable(
        "{total} learners: {cleared} reset, {unchanged} had nothing to reset, {skipped} skipped, {failed} failed"
    ),
    failures=translatable("Retry the failed learners on the reset's page."),
    why=translatable("Reason: {reason}"),
    waits=translatable("Nothing is reset until you decide."),
    footer=translatable("You receive this e-mail because you have an account at {organization}."),
    unsubscribe=translatable("Unsubscribe"),
    preferences=translatable("Notification settings"),
    kinds={
        NotificationKind.COURSE_ASSIGNED: Words(
            translatable("{course} is assigned to you again"),
            translatable("{count} courses are assigned to you again"),
            translatable("Please take it again"),
            translatable("Your progress was reset. Please take the following again from the beginning."),
            translatable("Open the course"),
        ),
        NotificationKind.RESET_DIGEST: Words(
            translatable("Reset of {course} finished"),
            translatable("{count} resets finished"),
            translatable("Your reset finished"),
            translatable("Here is the result."),
            translatable("Open the reset"),
        ),
        NotificationKind.RETRAINING_AHEAD: Words(
            translatable("{course} will be assigned to you again"),
            translatable("{count} courses will be assigned to you again"),
            translatable("Upcoming retraining"),
            translatable(
                "The following will be assigned to you again. Until then, what you have completed stays valid."
            ),
            translatable("Open the course"),
        ),
        NotificationKind.RULE_WAITS: Words(
            translatable("A retraining rule for {course} needs your decision"),
            translatable("{count} retraining rules need your decision"),
            translatable("Your decision is needed"),
            translatable("Retraining is due, but the rule is on hold."),
            translatable("Open the rule"),
        ),
    },
)


def language_of(locale: str) -> tuple[str, Language]:
    """Returns the tag and the texts for a BCP 47 tag such as `de-CH`; English if there is no such language."""
    tag = languages.language_of(locale)
    return tag, _texts_in(tag)


@cache
def _texts_in(tag: str) -> Language:
    with speaking(tag):
        return replace(in_language_spoken(ENGLISH), locale=locale_spoken())
