"""Webhooks."""

from models.refusals.base import Refused


class WebhookAddressRefused(Refused):
    code = "webhook-address-refused"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            "{why} Use a public address, such as https://example.org/hook, or have an operator allow its network.",
            why=why,
        )


class WebhookUnknown(Refused):
    code = "webhook-unknown"
    status = 404

    def __init__(self, webhook: object) -> None:
        super().__init__("There is no webhook {webhook}. Check the link; it may have been deleted.", webhook=webhook)


class WebhookDisabled(Refused):
    code = "webhook-disabled"
    status = 409

    def __init__(self) -> None:
        super().__init__("This webhook is paused. Use it again first, then send its messages. Nothing was sent.")


class SinceInvalid(Refused):
    code = "since-invalid"

    def __init__(self) -> None:
        super().__init__("This is not a date with a time. Choose one. Nothing was sent.")


class WebhookEventsMissing(Refused):
    code = "webhook-events-missing"

    def __init__(self) -> None:
        super().__init__("Choose at least one event. Nothing was saved.")
