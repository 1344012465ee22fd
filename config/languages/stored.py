"""Texts that were stored in English, in the language spoken: reasons of failures, outcomes of deliveries, refusals.

A text without values is looked up in the catalogue. One with values was marked by `stored`, or is a refusal: the
catalogues have its English text with placeholders, which is compared with what was stored.
"""

import re
from functools import cache, lru_cache
from string import Formatter

from config.languages import (
    SOURCE,
    Translatable,
    filled,
    gettext,
    language_spoken,
    locale_spoken,
    read_catalogue,
    speaking,
)

MARK = "stored"  # the comment of such texts in the catalogues
TEXTS = ("permission", "why")  # the placeholders for texts that are told, too; other values stay as they are
NUMBER = r"\d[\d,]*"


def stored(text: str) -> Translatable:
    """Mark a text that is stored in English, with its placeholders filled in by `format`, and told when it is shown."""
    return Translatable(text)


def told(text: str) -> str:
    """Returns what was stored, in the language spoken; as it is if it is none of the texts that we store."""
    language = language_spoken()
    return text if language == SOURCE or not text else _told(text, locale_spoken())


@lru_cache(maxsize=5000)
def _told(text: str, locale: str) -> str:
    with speaking(locale):
        if (whole := gettext(text)) != text:
            return whole
        for pattern, translation in _patterns(language_spoken()):
            if found := pattern.fullmatch(text):
                return _with_values(translation, found.groupdict())
    return text


def _with_values(translation: str, values: dict[str, str]) -> str:
    parts = []
    for words, name, form, _ in Formatter().parse(translation):
        parts.append(words)
        if name is not None:
            parts.append(_value(name, form or "", values[name]))
    return "".join(parts)


def _value(name: str, form: str, value: str) -> str:
    if form == ",":
        return filled("{number:,}", {"number": int(value.replace(",", ""))})
    return told(value) if name in TEXTS else value


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Returns the texts with values, as patterns of what was stored, with their translations: the longest first."""
    marked = [one for one in read_catalogue(language) if MARK in one.auto_comments and one.string]
    marked.sort(key=lambda one: -len(one.id))
    return [(pattern, one.string) for one in marked if (pattern := pattern_of(one.id)).groups]


def pattern_of(text: str) -> re.Pattern[str]:
    """Returns the pattern of a text with any values in place of its placeholders."""
    parts, seen = [], set()
    for words, name, form, conversion in Formatter().parse(text):
        parts.append(re.escape(words))
        if name is not None:
            value = NUMBER if form == "," else ".+?"
            part = f"(?P={name})" if name in seen else f"(?P<{name}>{value})"
            parts.append(f"['\"]{part}['\"]" if conversion == "r" else part)
            seen.add(name)
    return re.compile("".join(parts), re.DOTALL)
