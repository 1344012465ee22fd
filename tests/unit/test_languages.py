"""The catalogues have every text, each translated, and the templates have no text that is in none."""

import re
from io import BytesIO
from itertools import chain
from pathlib import Path
from string import Formatter

import pytest
from babel.messages import Message
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from config.languages import HERE, gettext, language_of, languages, locale_of, ngettext, speaking, translatable
from config.languages.stored import MARK, told
from config.languages.update import extracted, updated
from models.access import Permission
from models.analytics_lists import Standing
from models.directory import UserState
from models.events import EventKind
from models.participants import AskState
from models.records import kind_labels
from models.refusals.audience_lists import AudienceTooLarge
from models.refusals.rules import BrakeHolds, RuleStateConflict, RuleUnknown
from models.refusals.training import CourseNotAssigned
from models.refusals.webhooks import WebhookAddressRefused
from models.resets import ResetState
from models.retraining import OccurrenceState, RuleKind, RuleState
from models.training import ActivityKind, EnrolmentState
from models.webhooks import DeliveryState
from tasks.event_reasons import reason_of, reason_told
from tasks.imports.lines import Errors, Form, read
from tasks.imports.values import Column, WrongError, email
from tasks.participants.settle import PERHAPS
from tasks.people.users import FIELDS
from tasks.reset.clear import NO_EVIDENCE
from tasks.reset.reasons import reason_in_words
from tasks.webhooks.post import NOT_PUBLIC
from web.language import preferred
from web.templating import told as told_in_page

TEMPLATES = sorted((Path(__file__).parents[2] / "web" / "templates").glob("*.html"))
LANGUAGES = sorted(file.stem for file in HERE.glob("*.po"))
PLACEHOLDERS = re.compile(r"%\((\w+)\)s|\{(\w+)(?:!r|:[^}]*)?\}")
TAGS = re.compile(r"<[^>]*>")
SAME_IN_EVERY_LANGUAGE = {"Recourse", "email,due_at", "ada@example.com,2027-03-31", "ben@example.com", "ms", "s"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_the_texts_of_today(language: str) -> None:
    assert (HERE / f"{language}.po").read_bytes() == updated(language), "run `make messages`, then translate"


def test_a_new_catalogue_has_every_text_and_no_translation() -> None:
    catalogue = read_po(BytesIO(updated("fr")), locale="fr")
    assert {message.id for message in catalogue if message.id} == {message.id for message in extracted() if message.id}
    assert not any(chain.from_iterable(_each(message.string) for message in catalogue if message.id))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders_and_markup(language: str) -> None:
    with (HERE / f"{language}.po").open("rb") as file:
        catalogue = [message for message in read_po(file, locale=language) if message.id]
    assert len(catalogue) > 1000
    wrong = [message.id for message in catalogue if message.fuzzy or not _fits(message)]
    assert wrong == []


def _fits(message: Message) -> bool:
    sources, translations = _each(message.id), _each(message.string)
    sources += sources[-1:] * (len(translations) - len(sources))  # a language may have more plural forms than English
    return all(translations) and all(
        _names(translation) == _names(source) and sorted(TAGS.findall(translation)) == sorted(TAGS.findall(source))
        for source, translation in zip(sources, translations, strict=True)
    )


def _each(text: str | tuple[str, ...]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def _names(text: str) -> set[str]:
    return {name for names in PLACEHOLDERS.findall(text) for name in names if name}


def test_the_words_for_values_are_in_the_catalogues() -> None:
    values = chain(
        Permission,
        UserState,
        AskState,
        ResetState,
        OccurrenceState,
        RuleState,
        ActivityKind,
        EnrolmentState,
        RuleKind,
        Standing,
        DeliveryState,
    )
    words = {value.replace("_", " ") for value in values} | set(kind_labels().values())
    assert words - {message.id for message in extracted()} == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_a_template_has_no_text_outside_of_the_catalogues(template: Path) -> None:
    source = template.read_text()
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    shown = re.sub(r"<(?:[^<>\"]|\"[^\"]*\")*>|&\w+;", "\n", plain)
    left = {line.strip(" ·:,.()…⋯\u203a") for line in shown.splitlines() if re.search(r"[A-Za-z]{2}", line)}
    attributes = re.findall(r"\b(?:aria-label|alt|title|data-missing)=\"([^\"]*[A-Za-z]{2}[^\"]*)\"", plain)
    assert left - SAME_IN_EVERY_LANGUAGE | set(attributes) == set()
    for call in Environment(extensions=["jinja2.ext.i18n"]).parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext"):
            assert isinstance(call.args[0], nodes.Const), "a text that is put together is in no catalogue"


def test_words_are_in_the_language_spoken_and_in_english_otherwise() -> None:
    refusal = RuleStateConflict("waiting", translatable("changed"))
    too_large = AudienceTooLarge(100_000)
    assert str(refusal).startswith("This rule is waiting and cannot be changed.")
    with speaking("de-CH"):
        assert str(refusal).startswith("Diese Regel (Zustand: wartet) kann nicht geändert werden.")
        assert "100\u2019000 Lernende" in str(too_large), "numbers are written as in Switzerland"
        assert ngettext("{count:,} day", "{count:,} days", 2) == "2 days", "what no catalogue has is said in English"
    with speaking("tlh"):
        assert gettext("Save settings") == "Save settings"
    assert refusal.args[0] == str(refusal), "logs are in English, whoever asked"


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ("answered 204", "Antwort 204"),
        ("no answer within 15 seconds", "keine Antwort innerhalb von 15 Sekunden"),
        (str(WebhookAddressRefused(NOT_PUBLIC)), "Diese Adresse ist nicht öffentlich. Verwenden Sie"),
        ("what a receiver said", "what a receiver said"),
        (
            "given up after 17 attempts: no answer within 15 seconds",
            "nach 17 Versuchen aufgegeben: keine Antwort inner",
        ),
        ("given up after 17 attempts: what a receiver said", "nach 17 Versuchen aufgegeben: what a receiver said"),
        ("its answer is longer than 1,000,000 bytes", "seine Antwort ist länger als 1.000.000 Byte"),
        (
            str(
                BrakeHolds(
                    "Its audience has grown from {before:,} to {now:,} learners since it was confirmed.",
                    before=1200,
                    now=2500,
                )
            ),
            "Die Zielgruppe ist seit der Bestätigung von 1.200 auf 2.500",
        ),
        (str(RuleUnknown("7")), "Es gibt keine Regel 7."),
    ],
)
def test_what_is_stored_in_english_is_told_in_the_language_spoken(stored: str, told: str) -> None:
    environment = Environment(autoescape=False)
    environment.filters["told"] = told_in_page
    shown = environment.from_string("{{ stored | told }}")
    assert shown.render(stored=stored) == stored
    with speaking("de"):
        assert shown.render(stored=stored).startswith(told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_stored_text_is_taken_for_no_other(language: str) -> None:
    with (HERE / f"{language}.po").open("rb") as file:
        marked = [message.id for message in read_po(file, locale=language) if MARK in message.auto_comments]
    assert len(marked) > 100
    for text in marked:
        stored, values = filled_in(text)
        with speaking(language):
            said = told(stored)
        assert said != stored, text
        assert [value for value in values if value not in said] == [], text


def filled_in(text: str) -> tuple[str, list[str]]:
    """Returns the text with a value for each of its placeholders, and the values."""
    parts, values = [], []
    for words, name, form, conversion in Formatter().parse(text):
        parts.append(words)
        if name is not None:
            values.append(str(len(values) + 1) if form == "," else f"Value-{len(values) + 1}")
            parts.append(repr(values[-1]) if conversion == "r" else values[-1])
    return "".join(parts), values


@pytest.mark.parametrize(
    ("stored", "german"),
    [
        ("the course is no longer assigned", "der Kurs ist nicht mehr zugewiesen"),
        ("completed within 1,000 days before the preview", "abgeschlossen innerhalb von 1.000 Tagen vor der Vorschau"),
        (
            "lms: it is disabled: an admin disabled it; scorm: " + PERHAPS,
            "lms: deaktiviert: durch die Administration; scorm: die Zurücksetzung wurde abgebrochen, bevor",
        ),
        (NO_EVIDENCE.format(why="the store answered 403 (AccessDenied)"), "nicht zurückgesetzt, weil"),
        ("ReadOnlySqlTransaction: cannot execute INSERT", "ReadOnlySqlTransaction: cannot execute INSERT"),
    ],
)
def test_why_a_learner_was_not_reset_is_told_in_the_language_spoken(stored: str, german: str) -> None:
    assert reason_in_words(stored) == stored
    with speaking("de"):
        assert reason_in_words(stored).startswith(german)


def test_the_kind_of_an_event_is_told_in_the_reason_of_its_reset() -> None:
    stored = reason_of(EventKind.INCIDENT, "Fall: Leiter 3")
    assert reason_told(stored) == stored == "incident: Fall: Leiter 3"
    with speaking("de"):
        assert [reason_told(one) for one in (stored, "users: typed", "incident")] == [
            "Vorfall: Fall: Leiter 3",
            "users: typed",
            "incident",
        ]


def test_what_is_wrong_with_a_list_of_learners_is_said_in_the_language_spoken() -> None:
    for file, german in (
        (
            b"mail,email,email\n",
            "die Kopfzeile ist falsch: 'mail' ist keine Spalte, email kommt zweimal vor. Die Spalten",
        ),
        (b"email\na@example.org,b\n", "die Zeile hat 2 Zellen, die Kopfzeile aber 1"),
        (b"email\n\xff\n", "die Zeile ist nicht in UTF-8"),
        (b"", "die Datei ist leer"),
    ):
        errors = Errors()
        with speaking("de"):
            assert list(read(BytesIO(file), Form.CSV, {"email": Column(email)}, errors)) == []
        assert errors.first[0].detail.startswith(german)


def test_what_is_wrong_with_a_value_is_said_in_the_language_spoken() -> None:
    with pytest.raises(WrongError) as wrong:
        FIELDS["name"].checked("n" * 1000)
    assert str(wrong.value) == "must have at most 200 characters"
    with speaking("de"):
        assert str(wrong.value) == "darf höchstens 200 Zeichen haben"
        assert str(CourseNotAssigned("SAFETY-101", translatable("you"))).startswith(
            "Der Kurs SAFETY-101 ist Ihnen nicht zugewiesen."
        )


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de-AT"),
        ("en-US,de;q=0.9", "en-US"),
        ("fr,en;q=0.3,de;q=0.7", "de"),
        ("tlh", "en"),
        ("fr, de;q=0", "en"),
        ("de;q=x", "de"),
        (",;,=;q", "en"),
    ],
)
def test_the_browser_says_which_language_it_prefers(header: str, tag: str) -> None:
    assert preferred(header) == tag


def test_a_region_decides_on_dates_and_numbers_and_not_on_words() -> None:
    assert languages() == {"en": "English", "de": "Deutsch"}
    assert [language_of(tag) for tag in ("de", "de-CH", "DE_at", "fr", "")] == ["de", "de", "de", "en", "en"]
    assert [locale_of(tag) for tag in ("de", "de-CH", "en-US", "de-Nowhere")] == ["de", "de_CH", "en_GB", "de"]
