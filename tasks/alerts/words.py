"""The texts of e-mails, one table per language. To add a language, add an entry to `LANGUAGES`."""

from dataclasses import dataclass

from models.notifications import NotificationKind
from tasks import formats


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

    name: str  # in the language itself
    locale: str  # for its dates and numbers
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


ENGLISH = Language(
    name="English",
    locale=formats.ENGLISH,
    greeting="Hello {name},",
    due="Due on {day}",
    begins="Assigned again on {day}",
    reset={
        "succeeded": "Finished without failures.",
        "partly_failed": "Some learners could not be reset.",
        "failed": "No learner could be reset.",
        "cancelled": "The reset was cancelled.",
    },
    figures="{total} learners: {cleared} reset, {unchanged} had nothing to reset, {skipped} skipped, {failed} failed",
    failures="Retry the failed learners on the reset's page.",
    why="Reason: {reason}",
    waits="Nothing is reset until you decide.",
    footer="You receive this e-mail because you have an account at {organization}.",
    unsubscribe="Unsubscribe",
    preferences="Notification settings",
    kinds={
        NotificationKind.COURSE_ASSIGNED: Words(
            "{course} is assigned to you again",
            "{count} courses are assigned to you again",
            "Please take it again",
            "Your progress was reset. Please take the following again from the beginning.",
            "Open the course",
        ),
        NotificationKind.RESET_DIGEST: Words(
            "Reset of {course} finished",
            "{count} resets finished",
            "Your reset finished",
            "Here is the result.",
            "Open the reset",
        ),
        NotificationKind.RETRAINING_AHEAD: Words(
            "{course} will be assigned to you again",
            "{count} courses will be assigned to you again",
            "Upcoming retraining",
            "The following will be assigned to you again. Until then, what you have completed stays valid.",
            "Open the course",
        ),
        NotificationKind.RULE_WAITS: Words(
            "A retraining rule for {course} needs your decision",
            "{count} retraining rules need your decision",
            "Your decision is needed",
            "Retraining is due, but the rule is on hold.",
            "Open the rule",
        ),
    },
)

GERMAN = Language(
    name="Deutsch",
    locale="de",
    greeting="Guten Tag {name},",
    due="Fällig am {day}",
    begins="Wird am {day} erneut zugewiesen",
    reset={
        "succeeded": "Ohne Fehler abgeschlossen.",
        "partly_failed": "Einige Lernende konnten nicht zurückgesetzt werden.",
        "failed": "Niemand konnte zurückgesetzt werden.",
        "cancelled": "Das Zurücksetzen wurde abgebrochen.",
    },
    figures=(
        "{total} Lernende: {cleared} zurückgesetzt, bei {unchanged} gab es nichts zurückzusetzen, "
        "{skipped} ausgelassen, {failed} fehlgeschlagen"
    ),
    failures="Auf der Seite des Vorgangs können Sie es für die Fehlgeschlagenen erneut versuchen.",
    why="Grund: {reason}",
    waits="Nichts wird zurückgesetzt, bis Sie entscheiden.",
    footer="Sie erhalten diese E-Mail, weil Sie ein Konto bei {organization} haben.",
    unsubscribe="E-Mails abbestellen",
    preferences="Benachrichtigungen einstellen",
    kinds={
        NotificationKind.COURSE_ASSIGNED: Words(
            "{course} ist Ihnen erneut zugewiesen",
            "{count} Kurse sind Ihnen erneut zugewiesen",
            "Erneut zu absolvieren",
            "Ihr Fortschritt wurde zurückgesetzt. Bitte absolvieren Sie Folgendes von Anfang an neu.",
            "Kurs öffnen",
        ),
        NotificationKind.RESET_DIGEST: Words(
            "Zurücksetzen von {course} beendet",
            "{count} Vorgänge beendet",
            "Das von Ihnen gestartete Zurücksetzen ist beendet",
            "Hier ist das Ergebnis.",
            "Vorgang öffnen",
        ),
        NotificationKind.RETRAINING_AHEAD: Words(
            "{course} wird Ihnen erneut zugewiesen",
            "{count} Kurse werden Ihnen erneut zugewiesen",
            "Wiederholung steht bevor",
            "Folgendes wird Ihnen erneut zugewiesen. Bis dahin gilt, was Sie absolviert haben.",
            "Kurs öffnen",
        ),
        NotificationKind.RULE_WAITS: Words(
            "Eine Wiederholungsregel für {course} wartet auf Ihre Entscheidung",
            "{count} Wiederholungsregeln warten auf Ihre Entscheidung",
            "Ihre Entscheidung ist gefragt",
            "Eine Wiederholung ist fällig, aber die Regel ist angehalten.",
            "Regel öffnen",
        ),
    },
)

LANGUAGES = {"en": ENGLISH, "de": GERMAN}


def language_of(locale: str) -> tuple[str, Language]:
    """Returns the tag and the language for a BCP 47 tag such as `de-CH`; English if there is no such language."""
    tag = locale.replace("_", "-").partition("-")[0].lower()
    return (tag, LANGUAGES[tag]) if tag in LANGUAGES else ("en", ENGLISH)
