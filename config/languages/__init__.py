"""The languages of the pages: a catalogue for each, such as `de.po`. English is the source text.

Words are in the language of the person whose page is being made: the web app says which, for each request. The API, the
command line, tasks and logs say nothing, and so speak English. Placeholders have names: `{course}` in code,
`%(course)s` in templates; `{count:,}` is a number as the language writes it.
See `docs/decisions/0116-a-catalogue-per-language.md`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass, replace
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

HERE = Path(__file__).parent
Texts = TypeVar("Texts")

SOURCE = "en"
BRITISH = "en_GB"  # day before month, whatever kind of English someone prefers

_spoken: ContextVar[str] = ContextVar("spoken", default=SOURCE)


class Translatable(str):
    """A text in English that is translated where it is shown."""

    __slots__ = ()


def translatable(text: str) -> Translatable:
    """Mark a text for the catalogues. It is translated later: by `gettext`, or as a value in another text."""
    return Translatable(text)


def gettext(text: str, /, **values: object) -> str:
    """Returns the text in the language spoken, with these values filled in."""
    return filled(_catalogue().gettext(text) if text else text, values)


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """Returns the text for so many, with `count` and these values filled in."""
    return filled(_catalogue().ngettext(one, many, count), {"count": count, **values})


def filled(text: str, values: Mapping[str, object]) -> str:
    """Returns the text with its placeholders filled in; as it is if there are no values."""
    if not values:
        return text
    said = {name: gettext(value) if isinstance(value, Translatable) else value for name, value in values.items()}
    return _FILLER.vformat(text, (), said)


def in_language_spoken(texts: Texts) -> Texts:
    """Returns a text, or the texts in a dictionary or a dataclass, in the language spoken, without values filled in."""
    said: Any = texts
    if isinstance(texts, str):
        said = gettext(texts)
    elif isinstance(texts, dict):
        said = {name: in_language_spoken(text) for name, text in texts.items()}
    elif is_dataclass(texts) and not isinstance(texts, type):
        said = replace(texts, **{one.name: in_language_spoken(getattr(texts, one.name)) for one in fields(texts)})
    return said  # type: ignore[no-any-return]


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    """Speak the language of a tag such as `de-CH`; English if there is no catalogue for it."""
    before = _spoken.set(tag)
    try:
        yield
    finally:
        _spoken.reset(before)


def speak(tag: str) -> None:
    """Speak the language of a tag from now on, as long as this context lasts."""
    _spoken.set(tag)


def language_spoken() -> str:
    """Returns the language spoken, such as `de`."""
    return language_of(_spoken.get())


def locale_spoken() -> str:
    """Returns the locale of dates and numbers, such as `de_CH`."""
    return locale_of(_spoken.get())


@cache
def languages() -> dict[str, str]:
    """Returns the name of each language in that language, by its tag: English first."""
    from babel import Locale  # takes a tenth of a second, which every command would wait for

    found = {tag: Locale.parse(tag).get_display_name() or tag for tag in _catalogues()}
    return {tag: name[:1].upper() + name[1:] for tag, name in found.items()}


@lru_cache(maxsize=1000)
def language_of(tag: str) -> str:
    """Returns the language of a tag such as `de-CH`; English if there is no catalogue for it."""
    language = tag.replace("_", "-").partition("-")[0].lower()
    return language if language in _catalogues() else SOURCE


@lru_cache(maxsize=1000)
def locale_of(tag: str) -> str:
    """Returns the locale of a tag for dates and numbers; that of its language if the region is unknown."""
    from babel import Locale, UnknownLocaleError

    language = language_of(tag)
    if language == SOURCE:
        return BRITISH
    try:
        return str(Locale.parse(tag.replace("_", "-"), sep="-"))
    except (UnknownLocaleError, ValueError):
        return language


def texts_of_scripts() -> dict[str, str]:
    """Returns what the pages' scripts say, in the language spoken: by the English text, none in English."""
    return _texts_of_scripts(language_spoken())


@cache
def _catalogues() -> tuple[str, ...]:
    return (SOURCE, *sorted(file.stem for file in HERE.glob("*.po")))


def _catalogue() -> NullTranslations:
    return _opened(language_spoken())


@cache
def _opened(language: str) -> NullTranslations:
    """Returns the compiled catalogue: read once in each process that speaks the language."""
    if language == SOURCE:
        return NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _texts_of_scripts(language: str) -> dict[str, str]:
    if language == SOURCE:
        return {}
    found = (one for one in read_catalogue(language) if any(file.endswith(".js") for file, _ in one.locations))
    return {str(one.id): str(one.string) for one in found}


def read_catalogue(language: str) -> Any:
    """Returns the catalogue of a language, as Babel has it."""
    from babel.messages.pofile import read_po

    with (HERE / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


class _Filler(Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec == "," and language_spoken() != SOURCE:
            from babel.numbers import format_decimal

            return format_decimal(value, locale=locale_spoken())
        return super().format_field(value, format_spec)


_FILLER = _Filler()
