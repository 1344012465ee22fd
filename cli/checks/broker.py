"""The broker: it answers."""

from kombu.exceptions import OperationalError
from redis import RedisError

from cli.checks.finding import PATIENCE, AwayError, Places, start_or_check
from config.database import without_password
from config.settings import required
from tasks.app import app


def check(_: Places) -> str:
    url = without_password(required("broker_url"))
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=PATIENCE)
            connection.default_channel.client.ping()
    except (OperationalError, RedisError, OSError) as error:
        raise AwayError(f"{url} does not answer: {error}", start_or_check("Redis", "broker_url")) from None
    return url
