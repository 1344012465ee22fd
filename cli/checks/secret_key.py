"""The secret key: it is set, and no webhook secret needs a former key."""

from cli.checks.finding import FaultyError, Places
from config.settings import MissingSettingError, settings
from models.session import transaction
from tasks.webhooks.secrets import under_former_keys


def check(_: Places) -> str:
    former = len(settings().old_secret_keys)
    try:
        with transaction() as session:
            needed = under_former_keys(session)
    except MissingSettingError as error:
        raise FaultyError("it is not set", str(error)) from None
    if needed:
        raise FaultyError(
            f"{needed} webhook {'secret is' if needed == 1 else 'secrets are'} still encrypted with a former key",
            "Run `recourse database reseal`. Keep the former key in RECOURSE_OLD_SECRET_KEYS until then.",
        )
    if former:
        return f"{former} former {'key is' if former == 1 else 'keys are'} still accepted, and no secret needs it"
    return "no former key is accepted"
