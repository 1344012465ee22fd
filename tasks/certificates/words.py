"""The texts of a certificate, one entry per language. To add a language, add an entry to `WORDS`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CertificateWords:
    """The texts in one language."""

    title: str
    introduction: str  # before the learner's name
    deed: str  # between the learner's name and the course
    issued: str
    serial: str
    verify: str


WORDS = {
    "en": CertificateWords(
        "Certificate",
        "This is to certify that",
        "has completed the training",
        "Issued on {day}",
        "Serial {serial}",
        "Verify at",
    ),
    "de": CertificateWords(
        "Zertifikat",
        "Hiermit wird bestätigt, dass",
        "die folgende Schulung abgeschlossen hat",
        "Ausgestellt am {day}",
        "Nummer {serial}",
        "Prüfen unter",
    ),
}
