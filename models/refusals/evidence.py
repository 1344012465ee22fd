"""Evidence of resets."""

from models.refusals.base import Refused


class EvidenceOff(Refused):
    code = "evidence-off"
    status = 404

    def __init__(self) -> None:
        super().__init__("This organization keeps no evidence before deletion. Choose a store for it first.")


class EvidenceStoreInvalid(Refused):
    code = "evidence-store-invalid"

    def __init__(self, why: str) -> None:
        super().__init__("{why} Correct it and try again: nothing was saved.", why=why)


class EvidenceKeyUnreadable(Refused):
    code = "evidence-key-unreadable"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The key that signs evidence cannot be decrypted. Ask an operator to set the former secret key again, or "
            "to make a new key for evidence."
        )


class EvidenceFolderOperatorOnly(Refused):
    code = "evidence-folder-operator-only"
    status = 403

    def __init__(self) -> None:
        super().__init__("Only an operator can choose a folder, since it is on the servers. Use a bucket, or ask one.")
