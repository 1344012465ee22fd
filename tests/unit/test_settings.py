"""The settings."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.brokers import broker_for_people
from config.celery import celery_settings
from config.database import app_connection, limits_of_session, limits_of_transaction
from config.links import course_link
from config.misspelled import misspelled
from config.settings import MissingSettingError, Settings, required, settings


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_url_needs_no_driver_name(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("RECOURSE_DATABASE_URL", f"{scheme}://me:secret@db.example:5432/recourse")
    assert required("database_url") == "postgresql+psycopg://me:secret@db.example:5432/recourse"


def test_a_short_secret_is_refused_with_the_command_that_makes_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_KEY", "x" * 31)
    with pytest.raises(ValidationError, match="at least 32 characters; `openssl rand -hex 32` makes one") as error:
        Settings()
    assert "xxxx" not in str(error.value), "an error message ends up in logs; the key must not"


def test_a_secret_of_32_characters_is_accepted_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_SECRET_KEY", "x" * 32)
    assert required("secret_key") == "x" * 32
    assert "xxxx" not in repr(Settings())


@pytest.mark.parametrize("name", ["database_url", "broker_url", "secret_key"])
def test_a_missing_setting_is_named_with_where_to_set_it(name: str) -> None:
    with pytest.raises(MissingSettingError, match=f"^RECOURSE_{name.upper()} is not set. Set it in the environment"):
        required(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLAN_MINUTES", "0"),
        ("SLICES_IN_FLIGHT", "0"),
        ("SLICE_ATTEMPTS", "1"),
        ("RECOVER_EVERY_SECONDS", "0"),
        ("RECOVER_AFTER_SECONDS", "-1"),
        ("TASK_TIME_LIMIT_SECONDS", "9"),
    ],
)
def test_a_number_that_would_stop_resets_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RECOURSE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_a_message_is_not_delivered_again_while_its_task_may_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_DATABASE_URL", "postgresql:///recourse")
    monkeypatch.setenv("RECOURSE_BROKER_URL", "redis://")
    monkeypatch.setenv("RECOURSE_TASK_TIME_LIMIT_SECONDS", "900")
    celery = celery_settings()
    assert celery["broker_transport_options"]["visibility_timeout"] > 2 * celery["task_time_limit"] == 1800
    assert celery["task_soft_time_limit"] < celery["task_time_limit"]


@pytest.mark.parametrize("sender", [None, "training"])
def test_a_mail_server_needs_a_sender(monkeypatch: pytest.MonkeyPatch, sender: str | None) -> None:
    monkeypatch.setenv("RECOURSE_SMTP_HOST", "smtp.example.org")
    if sender:
        monkeypatch.setenv("RECOURSE_MAIL_FROM", sender)
    with pytest.raises(ValidationError, match="RECOURSE_MAIL_FROM must be an address"):
        Settings()


def test_a_channels_address_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_ANNOUNCE_URLS", '["slack://hidden"]')
    assert "hidden" not in repr(Settings())


def test_a_misspelled_setting_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert misspelled() == []
    monkeypatch.setenv("RECOURSE_PLAN_MINUTE", "5")
    (tmp_path / ".env").write_text("RECOURSE_BROKER=redis://secret@host\nOTHER=1\nRECOURSE_PLAN_MINUTES=5\n")
    first, second = misspelled()
    assert first.startswith("RECOURSE_BROKER is not a setting")
    assert "secret" not in first
    assert second.endswith("Did you mean RECOURSE_PLAN_MINUTES?")


EXAMPLE = Path(__file__).parents[2] / ".env.example"
NAMES = {f"RECOURSE_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_in_the_example_exists() -> None:
    assert set(re.findall(r"RECOURSE_[A-Z_]+[A-Z]", EXAMPLE.read_text())) - NAMES == set()


def test_every_setting_is_in_the_example() -> None:
    assert NAMES - set(re.findall(r"^# (RECOURSE_[A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)) == set()


def test_trusted_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1,")
    assert Settings(_env_file=None).trusted_proxies == ["10.0.0.0/8", "2001:db8::1"]
    for wrong in ("*", "proxy.example", "10.0.0.1/8"):
        monkeypatch.setenv("RECOURSE_TRUSTED_PROXIES", wrong)
        with pytest.raises(ValidationError, match="give addresses or networks"):
            Settings(_env_file=None)


@pytest.mark.parametrize(
    "wrong",
    [
        "lms.example/{course}",
        "https://lms.example/",
        "https://lms.example/{id}",
        "https://lms.example/{course",
        "{course}",
    ],
)
def test_a_course_page_elsewhere_names_the_course(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("RECOURSE_COURSE_URL", wrong)
    with pytest.raises(ValidationError, match=r"must (contain \{course\} or \{external_id\}|begin with http)"):
        Settings(_env_file=None)


def test_a_course_links_to_the_platforms_page_if_that_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_PUBLIC_URL", "https://training.example")
    assert course_link("A/1", "7") == "https://training.example/my/courses/A%2F1"
    settings.cache_clear()
    monkeypatch.setenv("RECOURSE_COURSE_URL", "https://lms.example/c/{external_id}/?from={course}")
    assert course_link("A/1", "x&y") == "https://lms.example/c/x%26y/?from=A%2F1"
    assert course_link("A/1", None) == "https://training.example/my/courses/A%2F1"
    settings.cache_clear()
    monkeypatch.setenv("RECOURSE_COURSE_URL", "https://lms.example/{course}")
    assert course_link("A/1", None) == "https://lms.example/A%2F1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@a:6379/0", "redis://:***@a:6379/0"),
        ("amqp://me:secret@a:5672//;amqp://me:secret@b:5672//", "amqp://me:***@a:5672//;amqp://me:***@b:5672//"),
    ],
)
def test_a_brokers_password_is_never_shown(monkeypatch: pytest.MonkeyPatch, url: str, shown: str) -> None:
    monkeypatch.setenv("RECOURSE_BROKER_URL", url)
    assert broker_for_people() == shown


def test_the_scheme_says_which_broker_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOURSE_DATABASE_URL", "postgresql:///recourse")
    for url, arguments in (
        ("amqps://rabbit/", {"x-queue-type": "quorum", "x-delivery-limit": 20}),
        ("rediss://redis/", None),
    ):
        monkeypatch.setenv("RECOURSE_BROKER_URL", url)
        settings.cache_clear()
        queues = celery_settings()["task_queues"].values()
        assert [queue.get("queue_arguments") for queue in queues] == [arguments] * 3


def test_options_in_the_databases_url_override_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql:///recourse?options=-c%20lock_timeout%3D3s%20-cwork_mem%3D5MB"
    monkeypatch.setenv("RECOURSE_DATABASE_URL", url)
    for statement, local in ((limits_of_session(), "false"), (limits_of_transaction(), "true")):
        assert "lock_timeout" not in statement
        assert f"set_config('statement_timeout', '120.0s', {local})" in statement
    assert app_connection()["options"] == "-c lock_timeout=3s -cwork_mem=5MB"
    monkeypatch.setenv("RECOURSE_DATABASE_URL", "postgresql:///recourse")
    settings.cache_clear()
    assert "options" not in app_connection(), "a pooler would refuse it"
