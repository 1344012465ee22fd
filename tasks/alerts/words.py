"""The words of the e-mails, a language a table. Another language is another entry of `LANGUAGES`."""

from dataclasses import dataclass

from models.notifications import NotificationKind
from tasks import formats


@dataclass(frozen=True)
class Words:
    """What an e-mail of one kind says. `{course}`, `{count}`, `{organization}` are filled in."""

    subject: str  # for one course
    subject_of_many: str
    heading: str
    introduction: str
    button: str


@dataclass(frozen=True)
class Language:
    """A language: the words of each kind of e-mail, and of the lines that several have."""

    name: str  # its own
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
    begins="Begins again on {day}",
    reset={
        "succeeded": "The reset is done; nobody failed.",
        "partly_failed": "Some learners could not be reset.",
        "failed": "No learner could be reset.",
        "cancelled": "The reset was cancelled before its end.",
    },
    figures="{total} learners: {cleared} reset, {unchanged} had nothing to reset, {skipped} skipped, {failed} failed",
    failures="What failed can be tried again on the reset's page.",
    why="Reason: {reason}",
    waits="It does nothing until you decide.",
    footer="You get this e-mail since you have an account at {organization}.",
    unsubscribe="No more e-mails like this",
    preferences="Choose what you are alerted about",
    kinds={
        NotificationKind.COURSE_ASSIGNED: Words(
            "{course} is assigned to you again",
            "{count} courses are assigned to you again",
            "To be taken again",
            "Your progress was reset. Please take the following again, from its beginning.",
            "Open the course",
        ),
        NotificationKind.RESET_DIGEST: Words(
            "Reset of {course}",
            "{count} resets",
            "The reset you asked for has ended",
            "This is what came of it.",
            "Open the reset",
        ),
        NotificationKind.RETRAINING_AHEAD: Words(
            "{course} will be due again",
            "{count} courses will be due again",
            "Retraining ahead",
            "The following is going to be assigned to you again. Until then, what you have done still counts.",
            "Open the course",
        ),
        NotificationKind.RULE_WAITS: Words(
            "A retraining rule of {course} waits for you",
            "{count} retraining rules wait for you",
            "A retraining rule waits",
            "A rule has come due that does not go on without you.",
            "Open the rule",
        ),
    },
)

GERMAN = Language(
    name="Deutsch",
    locale="de",
    greeting="Guten Tag {name},",
    due="Fällig am {day}",
    begins="Beginnt neu am {day}",
    reset={
        "succeeded": "Das Zurücksetzen ist abgeschlossen; bei niemandem ist es fehlgeschlagen.",
        "partly_failed": "Einige Lernende konnten nicht zurückgesetzt werden.",
        "failed": "Niemand konnte zurückgesetzt werden.",
        "cancelled": "Das Zurücksetzen wurde vor seinem Ende abgebrochen.",
    },
    figures=(
        "{total} Lernende: {cleared} zurückgesetzt, bei {unchanged} gab es nichts zurückzusetzen, "
        "{skipped} ausgelassen, {failed} fehlgeschlagen"
    ),
    failures="Was fehlschlug, lässt sich auf der Seite des Vorgangs erneut versuchen.",
    why="Grund: {reason}",
    waits="Sie tut nichts, bis Sie entscheiden.",
    footer="Sie erhalten diese E-Mail, weil Sie ein Konto bei {organization} haben.",
    unsubscribe="Keine solchen E-Mails mehr",
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
            "Zurücksetzen von {course}",
            "{count} Vorgänge",
            "Das von Ihnen verlangte Zurücksetzen ist beendet",
            "Das ist das Ergebnis.",
            "Vorgang öffnen",
        ),
        NotificationKind.RETRAINING_AHEAD: Words(
            "{course} wird wieder fällig",
            "{count} Kurse werden wieder fällig",
            "Wiederholung steht bevor",
            "Folgendes wird Ihnen erneut zugewiesen. Bis dahin gilt, was Sie absolviert haben.",
            "Kurs öffnen",
        ),
        NotificationKind.RULE_WAITS: Words(
            "Eine Wiederholungsregel von {course} wartet auf Sie",
            "{count} Wiederholungsregeln warten auf Sie",
            "Eine Wiederholungsregel wartet",
            "Eine Regel ist fällig, die ohne Sie nicht weitergeht.",
            "Regel öffnen",
        ),
    },
)

LANGUAGES = {"en": ENGLISH, "de": GERMAN}


def language_of(locale: str) -> tuple[str, Language]:
    """The language for a BCP 47 tag such as `de-CH`, and its own tag; English where we have no words."""
    tag = locale.replace("_", "-").partition("-")[0].lower()
    return (tag, LANGUAGES[tag]) if tag in LANGUAGES else ("en", ENGLISH)
