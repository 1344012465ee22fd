"""The broker: it answers."""

from kombu.exceptions import OperationalError

from cli.checks.finding import PATIENCE, AwayError, Places, start_or_check
from config.brokers import broker_for_people, broker_name
from tasks.broker import check_broker


def check(_: Places) -> str:
    url = broker_for_people()
    try:
        check_broker(PATIENCE)
    except OperationalError as error:
        raise AwayError(f"{url} does not answer: {error}", start_or_check(broker_name(), "broker_url")) from None
    return f"{broker_name()} at {url}"
