"""The settings. Nothing else in the project reads the environment."""

from email.utils import parseaddr
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LONGEST_DAYS = 36_500
YOUNGEST_AUDIT_DAYS = 90  # the database itself refuses to forget what is younger
Days = Annotated[int, Field(ge=0, le=LONGEST_DAYS)]


class Settings(BaseSettings):
    """Settings of one installation: environment variables `RECOURSE_…`, or lines of a file `.env`.

    Without `database_url` and `broker_url`, the command line starts a PostgreSQL and a Redis of its own under `home`.
    """

    model_config = SettingsConfigDict(
        env_prefix="RECOURSE_",
        env_file=".env",
        extra="ignore",
        hide_input_in_errors=True,  # an error is logged, and the input may be a password
    )

    home: Path = Field(Path(".recourse"), description="Folder of the embedded servers, their data and logs")
    database_url: str | None = Field(None, description="postgresql://user:password@host/name, version 18 or newer")
    migration_database_url: str | None = Field(
        None, description="The same database as the owner of its tables, for migrations alone; default: database_url"
    )
    database_schema: str | None = Field(
        None,
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="The schema of all tables, made by the first migration; default: the first of the search path",
    )
    broker_url: str | None = Field(None, description="redis://:password@host:6379/0")
    broker_prefix: str = Field(
        "recourse.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$",
        description="Before the name of each queue, exchange and key on the broker; another one for each installation",
    )
    allow_unsigned_messages: bool = Field(
        False,
        description="Whether requests by message are believed without a signature, from all who can reach the broker",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs plans, forms and links, and encrypts webhook secrets; 32 characters or more, kept secret",
    )
    old_secret_keys: list[SecretStr] = Field(
        [], description="Former secret keys that are still accepted, as a JSON list; see docs/operate.md"
    )
    record_kinds: list[str] = Field([], description="Modules with a team's own record kinds, as a JSON list")

    plan_minutes: int = Field(15, ge=1, le=24 * 60, description="How long a previewed plan can be confirmed")
    slices_in_flight: int = Field(32, ge=1, description="Slices of one reset that are in the queue at once")
    slices_in_flight_per_organization: int | None = Field(
        None, ge=1, description="Slices of all of an organization's resets; default: twice as many as of one reset"
    )
    slice_attempts: int = Field(6, ge=2, description="Times a slice is begun before its open learners are failed")
    recover_every_seconds: float = Field(10, gt=0, description="How often beat asks for `recover`")
    recover_after_seconds: float = Field(
        30, gt=0, description="How long published work may lie before it is sent again"
    )
    retrain_every_seconds: float = Field(15, gt=0, description="How often beat asks for `retrain`")
    retrain_late_after_seconds: float = Field(
        3600, gt=0, description="A due time that is found so much later was missed; the rule says what becomes of it"
    )
    most_rules: int = Field(500, ge=1, description="Retraining rules that an organization may have at once")
    task_time_limit_seconds: int = Field(300, ge=10, description="Hard limit of one task run")
    soft_shutdown_seconds: float = Field(
        20, ge=0, description="How long a worker that is told to stop leaves what it has in hand to end"
    )

    storage_url: str | None = Field(
        None,
        description="Where learners' files are kept: file:///folder, s3://bucket/prefix; default: a folder in home",
    )
    storage_endpoint: str | None = Field(
        None, description="Of an S3 server other than Amazon's, such as http://host:9000"
    )
    storage_region: str | None = Field(None, description="Of the bucket, where the server wants one")
    storage_access_key_id: str | None = Field(None, description="S3 credentials; default: as the AWS tools find them")
    storage_secret_access_key: SecretStr | None = Field(None, description="S3 credentials")
    storage_timeout_seconds: float = Field(30, gt=0, description="How long one request to the storage may take")
    file_limit_mb: int = Field(50, ge=1, le=5000, description="The largest file that a learner may hand in, in MB")

    smtp_host: str | None = Field(None, description="The mail server; without one, alerts go to the inbox alone")
    smtp_port: int | None = Field(None, ge=1, le=65535, description="Default: 587, with tls 465, with none 25")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is encrypted")
    smtp_user: str | None = Field(None, description="Who signs in to the mail server, if it wants that")
    smtp_password: SecretStr | None = Field(None, description="Their password")
    smtp_timeout_seconds: float = Field(30, gt=0, description="How long the mail server may take to answer")
    mail_from: str | None = Field(None, description="The sender, such as: Training <training@example.org>")
    mail_per_second: float = Field(10, gt=0, description="Most e-mails a second; mail providers have such limits")
    mail_per_second_each: float | None = Field(
        None, gt=0, description="Of these, most of one organization; default: no limit of its own, they take turns"
    )
    mail_gather_seconds: float = Field(
        60, ge=0, description="Courses assigned to one user within that time make one e-mail"
    )
    webhook_allow_private: bool = Field(
        False, description="Whether webhooks may go to private networks, and unencrypted: for trying them out"
    )
    webhooks_at_once: int = Field(50, ge=1, le=200, description="Most endpoints that are written to at the same time")
    webhooks_at_once_each: int = Field(10, ge=1, description="Of these, most of one organization")
    announce_urls: list[SecretStr] = Field(
        [], description="Channels that are told of each reset, as Apprise URLs in a JSON list"
    )

    # Days after which rows are deleted; 0 keeps them for good. See `models/retention/periods.py`.
    keep_ledger_days: Days = Field(
        730, description="Of each learner in a reset; its figures stay. From the reset's end"
    )
    keep_alerts_days: Days = Field(365, description="Alerts, in users' inboxes too")
    keep_mails_days: Days = Field(365, description="That an e-mail was sent, and what came of it")
    keep_webhooks_days: Days = Field(30, description="Webhook messages and their deliveries")
    keep_occurrences_days: Days = Field(1095, description="Due times of retraining rules, and what came of them")
    keep_events_days: Days = Field(
        1095, description="Events that were reported. The same key is a new event after that"
    )
    keep_resets_days: Days = Field(0, description="Who reset what, when and why, with its figures")
    keep_audit_days: Days = Field(0, description="The audit; no less than 90")
    keep_answers_days: int = Field(
        1, ge=1, le=LONGEST_DAYS, description="Answers to requests with an Idempotency-Key, in case they come again"
    )
    keep_ended_tokens_days: Days = Field(90, description="API tokens that were revoked or have expired")
    keep_results_days: Days = Field(30, description="Results of Celery tasks")
    keep_journal_days: Days = Field(
        400, description="The journal in the storage: as old as a backup may be that you would restore"
    )

    lock_timeout_seconds: float = Field(10, gt=0, description="How long a statement waits for a row lock")
    statement_timeout_seconds: float = Field(120, gt=0, description="How long one SQL statement may take")

    web_address: str = Field("127.0.0.1", description="Where the web app listens, when `recourse up` starts it")
    web_port: int = Field(8000, ge=1, le=65535, description="Where the web app listens")
    public_url: str = Field(
        "http://127.0.0.1:8000", description="The web app's address as people reach it; https makes its cookies Secure"
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        ["127.0.0.1", "::1"],
        description="Addresses and networks of the proxies before the web app, comma-separated: who a request comes "
        "from is what these say in X-Forwarded-For, and nobody else's word counts",
    )
    spool_folder: Path | None = Field(
        None, description="Where uploads and imports wait until they are whole; default: a folder in home"
    )
    spool_limit_mb: int = Field(
        6000, ge=100, description="How full that folder may be, in MB; half of it for one organization at most"
    )
    flower_url: str | None = Field(None, description="Flower's address as operators reach it, for links to a job")

    flower_address: str = Field("127.0.0.1", description="Where Flower listens")
    flower_port: int = Field(5555, ge=1, le=65535, description="Where Flower listens")
    flower_user: str = Field("operator", description="Who signs in to Flower")
    flower_password: SecretStr | None = Field(None, description="Their password; `recourse up` makes one up")
    flower_max_tasks: int = Field(20_000, ge=100, description="Tasks that Flower remembers, at 4.4 KB each")

    metrics_token: SecretStr | None = Field(
        None, description="Bearer token for /metrics of the web app; without one it answers on loopback only"
    )
    otlp_endpoint: str | None = Field(
        None, description="Where traces go, such as http://collector:4318; needs the extra `tracing`; default: nowhere"
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged")

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _use_psycopg(cls, url: str | None) -> str | None:
        """Take the URL as operators write it; SQLAlchemy would otherwise look for psycopg 2."""
        for scheme in ("postgresql://", "postgres://"):
            if url and url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        return url

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, told: object) -> object:
        """Each checked: of a name, or of `*`, a proxy could not be told from a forger."""
        if not isinstance(told, str):
            return told
        parts = [part.strip() for part in told.split(",") if part.strip()]
        for part in parts:
            try:
                ip_network(part)
            except ValueError as error:
                raise ValueError(f"{error}; give addresses or networks, such as 172.18.0.1 or 10.0.0.0/8") from None
        return parts

    @field_validator("keep_audit_days")
    @classmethod
    def _keep_what_is_recent(cls, days: int) -> int:
        if 0 < days < YOUNGEST_AUDIT_DAYS:
            raise ValueError(f"must be 0, for ever, or at least {YOUNGEST_AUDIT_DAYS}")
        return days

    @field_validator("public_url", "flower_url")
    @classmethod
    def _without_slash(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url.rstrip("/") if url else url

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_host and not (self.mail_from and "@" in parseaddr(self.mail_from)[1]):
            raise ValueError("RECOURSE_MAIL_FROM must be an address, such as: Training <training@example.org>")
        return self

    @field_validator("secret_key", "old_secret_keys")
    @classmethod
    def _long_enough(cls, given: SecretStr | list[SecretStr] | None) -> SecretStr | list[SecretStr] | None:
        keys = given if isinstance(given, list) else [given] if given else []
        if any(len(key.get_secret_value()) < 32 for key in keys):
            raise ValueError("must have at least 32 characters; `openssl rand -hex 32` makes one")
        return given


class MissingSettingError(RuntimeError):
    """A setting that this process cannot do without is not set."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings, read once per process. Tests that change the environment call `settings.cache_clear()`."""
    return Settings()


def required(name: str) -> str:
    """The value of a setting that has no default, as plain text.

    Raises `MissingSettingError` with the name of the variable to set.
    """
    value = getattr(settings(), name)
    if value is None:
        raise MissingSettingError(
            f"RECOURSE_{name.upper()} is not set. Set it in the environment or in .env (see .env.example), "
            "or use the `recourse` command, which brings servers of its own."
        )
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def signing_keys() -> list[str]:
    """The secret keys that are accepted, the oldest first: what is made anew is made with the last.

    Raises `MissingSettingError`.
    """
    return [*(key.get_secret_value() for key in settings().old_secret_keys), required("secret_key")]
