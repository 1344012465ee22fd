"""Webhooks."""

from models.refusals.base import Refused


class WebhookAddressRefused(Refused):
    code = "webhook-address-refused"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"{why} Use a public address, such as https://example.org/hook, or have an operator allow its network."
        )


class WebhookUnknown(Refused):
    code = "webhook-unknown"
    status = 404

    def __init__(self, webhook: object) -> None:
        super().__init__(f"There is no webhook {webhook}. Check the link; it may have been deleted.")


class WebhookEventsMissing(Refused):
    code = "webhook-events-missing"

    def __init__(self) -> None:
        super().__init__("Choose at least one event. Nothing was saved.")
