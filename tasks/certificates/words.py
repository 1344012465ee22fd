"""The words on a certificate, a language a table. Another language is another entry of `WORDS`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CertificateWords:
    """What stands on it."""

    title: str
    introduction: str  # before the learner's name
    deed: str  # between the learner and the course
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
