"""The settings."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.celery import celery_settings
from config.misspelled import misspelled
from config.settings import MissingSettingError, Settings, required


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
