"""The settings. No other module reads the environment."""

from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.setting_types import LONGEST_DAYS, AuditDays, CourseUrl, Days, Networks, PostgresUrl, SecretKey, WebUrl


def _where_it_listens(settings: dict[str, Any]) -> str:
    address = settings.get("web_address", "")
    return f"http://{'127.0.0.1' if address in ('', '0.0.0.0', '::') else address}:{settings.get('web_port')}"  # noqa: S104


class Settings(BaseSettings):
    """The settings of one installation: environment variables `RECOURSE_…`, or lines of a file `.env`.

    Without `database_url` and `broker_url`, the command line starts its own PostgreSQL and Redis in the folder `home`.
    """

    model_config = SettingsConfigDict(
        env_prefix="RECOURSE_",
        env_file=".env",
        extra="ignore",
        hide_input_in_errors=True,  # errors are logged, and the input may be a password
    )

    home: Path = Field(Path(".recourse"), description="Folder for the embedded servers, their data and logs")

    postgres_programs: Path | None = Field(
        None,
        description="Folder with the programs of the embedded PostgreSQL, such as /usr/lib/postgresql/15/bin; default: "
        "version 18, from a Python package",
    )

    database_url: PostgresUrl | None = Field(
        None, description="postgresql://user:password@host/name, version 15 to 18; a pooler may be in between"
    )
    migration_database_url: PostgresUrl | None = Field(
        None, description="The same database, as the owner of its tables, for migrations only; default: database_url"
    )
    database_schema: str | None = Field(
        None,
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Schema for all tables; the first migration creates it. Default: the first of the search path",
    )
    prepared_statements: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether the database keeps prepared statements; auto: unless a pooler is in between. With "
        "PgBouncer 1.21 or newer and its max_prepared_statements, choose on",
    )
    lock_timeout_seconds: float = Field(10, gt=0, description="Longest wait of a statement for a row lock")
    statement_timeout_seconds: float = Field(120, gt=0, description="Longest run of one SQL statement")

    broker_url: str | None = Field(
        None, description="redis://:password@host:6379/0, or amqp://user:password@host:5672/ for RabbitMQ"
    )
    broker_prefix: str = Field(
        "recourse.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$",
        description="Prefix of every queue, exchange and key on the broker; each installation needs its own",
    )
    allow_unsigned_messages: bool = Field(
        False, description="Accept requests by message without a signature, from anyone who can reach the broker"
    )

    secret_key: SecretKey | None = Field(
        None, description="Signs plans, forms and links, and encrypts webhook secrets; at least 32 characters"
    )
    old_secret_keys: list[SecretKey] = Field(
        [], description="Former secret keys that are still accepted, oldest first, as a JSON list; see docs/operate.md"
    )

    record_kinds: list[str] = Field([], description="Modules that declare your own record kinds, as a JSON list")
    plan_minutes: int = Field(15, ge=1, le=24 * 60, description="How long a preview can be confirmed")
    slices_in_flight: int = Field(32, ge=1, description="Most slices of one reset in the queue at a time")
    slices_in_flight_per_organization: int | None = Field(
        None, ge=1, description="Most slices of all resets of an organization; default: twice slices_in_flight"
    )
    running_resets_per_organization: int = Field(
        10,
        ge=1,
        description="Most resets of an organization that run at a time, without those of up to 200 named users; the "
        "rest queue",
    )
    slice_attempts: int = Field(
        6, ge=2, description="Attempts at which a worker dies before the learner fails at whom it stops"
    )
    task_time_limit_seconds: int = Field(300, ge=10, description="Hard time limit of one task run")
    soft_shutdown_seconds: float = Field(20, ge=0, description="How long a stopping worker lets running tasks finish")
    recover_every_seconds: float = Field(10, gt=0, description="Interval of `recover`, which finds lost work")
    recover_after_seconds: float = Field(
        20, gt=0, description="How long a lost message goes unanswered before `recover` sends it again"
    )
    retrain_every_seconds: float = Field(15, gt=0, description="Interval of `retrain`, which starts due rules")
    retrain_late_after_seconds: float = Field(
        3600, gt=0, description="Delay after which a due time counts as missed; the rule decides what happens then"
    )
    most_rules: int = Field(500, ge=1, description="Most retraining rules of an organization")

    storage_url: str | None = Field(
        None,
        description="Where learners' files are stored: file:///folder or s3://bucket/prefix; default: a folder in home",
    )
    storage_endpoint: str | None = Field(
        None, description="Address of an S3 server other than Amazon's, such as http://host:9000"
    )
    storage_region: str | None = Field(None, description="Region of the bucket, if the server needs one")
    storage_access_key_id: str | None = Field(None, description="S3 credentials; default: those of the AWS tools")
    storage_secret_access_key: SecretStr | None = Field(None, description="S3 credentials")
    storage_timeout_seconds: float = Field(30, gt=0, description="Time limit of one request to the storage")
    file_limit_mb: int = Field(50, ge=1, le=5000, description="Largest file that learners can hand in, in MB")
    spool_folder: Path | None = Field(
        None, description="Where uploads and imports are collected before use; default: a folder in home"
    )
    spool_limit_mb: int = Field(
        6000, ge=100, description="Size limit of that folder, in MB; one organization can use half of it"
    )

    smtp_host: str | None = Field(None, description="Mail server; without one, alerts go to the inbox only")
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Default: 587 for starttls, 465 for tls, 25 for none"
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="Encryption of the connection")
    smtp_user: str | None = Field(None, description="User name at the mail server, if it needs one")
    smtp_password: SecretStr | None = Field(None, description="Password of that user")
    smtp_timeout_seconds: float = Field(30, gt=0, description="Longest wait for an answer of the mail server")
    mail_from: str | None = Field(None, description="Sender, such as: Training <training@example.org>")
    mail_per_second: float = Field(10, gt=0, description="Most e-mails per second; mail providers have such limits")
    mail_per_second_each: float | None = Field(
        None, gt=0, description="Most e-mails per second of one organization; default: organizations take turns"
    )
    mail_gather_seconds: float = Field(
        60, ge=0, description="Courses assigned to a user within this time go into one e-mail"
    )

    webhook_allow_private: bool = Field(
        False, description="Allow webhooks to private networks and without encryption, for trying them out"
    )
    allowed_networks: Networks = Field(
        [],
        description="Private networks that webhooks, participants and sign-in providers may be in, also without "
        "encryption, comma-separated, such as 10.20.0.0/16; all other private addresses are refused",
    )
    webhooks_at_once: int = Field(50, ge=1, le=200, description="Most endpoints that receive webhooks at a time")
    webhooks_at_once_each: int = Field(10, ge=1, description="Most of these that belong to one organization")
    participants_at_once: int = Field(20, ge=1, le=200, description="Most participants that are asked at a time")
    participants_at_once_each: int = Field(5, ge=1, description="Most of these that belong to one organization")
    announce_urls: list[SecretStr] = Field(
        [], description="Chat channels that are notified of each reset, as Apprise URLs in a JSON list"
    )

    # Days after which rows are deleted; 0 keeps them for good. See `models/retention/periods.py`.
    keep_ledger_days: Days = Field(
        730, description="Results of single learners, counted from the end of the reset; its totals are kept"
    )
    keep_alerts_days: Days = Field(365, description="Alerts, including those in users' inboxes")
    keep_mails_days: Days = Field(365, description="E-mails sent, and their results; their text is never stored")
    keep_webhooks_days: Days = Field(30, description="Webhook messages and their deliveries")
    keep_occurrences_days: Days = Field(1095, description="Due times of retraining rules, and their results")
    keep_events_days: Days = Field(
        1095, description="Reported events; after that, an event with the same key counts as new"
    )
    keep_completion_days: Days = Field(
        1095, description="Daily counts of each course: assigned, completed, due, overdue"
    )
    keep_resets_days: Days = Field(0, description="Resets: course, audience, reason, requester and totals")
    keep_audit_days: AuditDays = Field(0, description="The audit; 0, or at least 90")
    keep_answers_days: int = Field(
        1, ge=1, le=LONGEST_DAYS, description="Answers to requests with an Idempotency-Key, for repeats"
    )
    keep_ended_tokens_days: Days = Field(90, description="API tokens that have expired or were revoked")
    keep_results_days: Days = Field(30, description="Results of Celery tasks")
    keep_journal_days: Days = Field(
        400, description="The journal in the storage; keep it as long as the oldest backup you would restore"
    )

    web_address: str = Field("127.0.0.1", description="Address the web app listens on, if `recourse up` starts it")
    web_port: int = Field(8000, ge=1, le=65535, description="Port the web app listens on")
    public_url: WebUrl = Field(
        default_factory=_where_it_listens,
        description="Address that people open in the browser; with https, cookies are Secure. Default: where the web "
        "app listens",
    )
    course_url: CourseUrl | None = Field(
        None,
        description="A course's page on your platform, to which alerts then link, with {course} (its code) or "
        "{external_id} in it; default: the page of this web app",
    )
    trusted_proxies: Networks = Field(
        ["127.0.0.1", "::1"],
        description="Addresses and networks of your proxies, comma-separated; only their X-Forwarded-For is believed",
    )

    flower_url: WebUrl | None = Field(None, description="Address of Flower for operators; pages link to it")
    flower_address: str = Field("127.0.0.1", description="Address Flower listens on")
    flower_port: int = Field(5555, ge=1, le=65535, description="Port Flower listens on")
    flower_user: str = Field("operator", description="User name in Flower")
    flower_password: SecretStr | None = Field(None, description="Password in Flower; `recourse up` generates one")
    flower_broker_api: SecretStr | None = Field(
        None,
        description="RabbitMQ's management API, such as http://user:password@host:15672/api/, for Flower's page "
        "Broker; default: port 15672 of the broker, with its user",
    )
    flower_max_tasks: int = Field(20_000, ge=100, description="Tasks that Flower remembers, 4.4 KB each")

    metrics_token: SecretStr | None = Field(
        None, description="Bearer token for /metrics of the web app; without one, only this machine can read them"
    )
    otlp_endpoint: str | None = Field(
        None, description="Collector for traces, such as http://collector:4318; needs the extra `tracing`"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged")

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_host and not (self.mail_from and "@" in parseaddr(self.mail_from)[1]):
            raise ValueError("RECOURSE_MAIL_FROM must be an address, such as: Training <training@example.org>")
        return self


class MissingSettingError(RuntimeError):
    """A setting that this process needs is not set."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Returns the settings, read once per process. Tests that change the environment call `settings.cache_clear()`."""
    return Settings()


def required(name: str) -> str:
    """Returns the value of a setting that has no default, as plain text.

    Raises `MissingSettingError`, which names the variable to set.
    """
    value = getattr(settings(), name)
    if value is None:
        raise MissingSettingError(
            f"RECOURSE_{name.upper()} is not set. Set it in the environment or in .env (see .env.example), "
            "or use the `recourse` command, which starts its own servers."
        )
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def signing_keys() -> list[str]:
    """Returns the accepted secret keys, oldest first; the last one signs. Raises `MissingSettingError`."""
    return [*(key.get_secret_value() for key in settings().old_secret_keys), required("secret_key")]
