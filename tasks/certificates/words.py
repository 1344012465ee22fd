"""The texts of a certificate, in English. Their translations are in `config.languages`."""

from dataclasses import dataclass
from functools import cache

from config import languages
from config.languages import in_language_spoken, speaking, translatable


@dataclass(frozen=True)
class CertificateWords:
    """The texts in one language."""

    title: str
    introduction: str  # before the learner's name
    deed: str  # between the learner's name and the course
    issued: str
    serial: str
    verify: str


ENGLISH = CertificateWords(
    translatable("Certificate"),
    translatable("This is to certify that"),
    translatable("has completed the training"),
    translatable("Issued on {day}"),
    translatable("Serial {serial}"),
    translatable("Verify at"),
)


def certificate_words(locale: str) -> tuple[str, CertificateWords]:
    """Returns the language and the texts for a BCP 47 tag such as `de-CH`; English if there is no such language."""
    tag = languages.language_of(locale)
    return tag, _texts_in(tag)


@cache
def _texts_in(tag: str) -> CertificateWords:
    with speaking(tag):
        return in_language_spoken(ENGLISH)
