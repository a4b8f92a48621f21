"""Every setting of the program, read from the environment (CARECONCERNS_...) or a `.env` file.

docs/settings.md is generated from this class; a test fails when it is stale.
"""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from triage.errors import BadInput
from triage.vocabulary import WorkingHours

_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
_SPAM_HEADERS = ("X-Spam-Flag", "X-Spam-Status", "X-MS-Exchange-Organization-SCL")


class Settings(BaseSettings):
    """All settings with their defaults: those of a demonstration on one machine."""

    model_config = SettingsConfigDict(env_prefix="CARECONCERNS_", env_file=".env", extra="ignore")

    data_dir: Path = Field(
        Path("var"), description="Folder of everything that is kept: database, key file, outbox, pid file."
    )
    database_url: str = Field(
        "",
        description=(
            "Address of the database, such as postgresql+psycopg://user@host/careconcerns. "
            "Empty: SQLite in the data folder."
        ),
    )
    key_file: Path | None = Field(
        None, description="File with the keys of sealed fields. Empty: keys.json in the data folder."
    )
    demonstration: bool = Field(
        True, description="Show fictional samples, make a local log-in, and write outgoing mail to a folder."
    )

    council_name: str = Field("Example Council", description="The council's name, on pages and in mail.")
    desk_address: str = Field(
        "care.concerns@council.example",
        description="The mailbox people write to; mail we send comes from it.",
    )
    own_addresses: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="More addresses of ours, comma-separated: mail from them is never answered."
    )
    out_of_hours_phone: str = Field(
        "01632 960000", description="The out-of-hours number of social care, in every acknowledgement."
    )
    desk_url: str = Field(
        "http://127.0.0.1:8000", description="Where leads open the desk; links in alerts use it."
    )

    smtp_host: str = Field("127.0.0.1", description="Address the mail listener binds to.")
    smtp_port: int = Field(8025, ge=0, le=65535, description="Port of the mail listener; 0 takes a free one.")
    smtp_max_bytes: int = Field(
        36_700_160, ge=10_000, description="Largest message accepted, in bytes; announced as SIZE."
    )
    smtp_bytes_in_flight: int = Field(
        134_217_728, ge=1_000_000, description="Bytes held over all mail sessions at once; more is told 452."
    )
    smtp_sessions: int = Field(200, ge=1, description="Mail sessions at once; more are told 421.")
    smtp_recipients: int = Field(50, ge=1, description="Most recipients of one mail.")
    smtp_timeout_seconds: int = Field(
        120, ge=5, description="A silent mail session is closed after this time."
    )
    smtp_session_seconds: int = Field(3600, ge=10, description="A mail session is closed after this time.")
    smtp_accept_for: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Recipient addresses accepted, comma-separated. Empty: any."
    )
    smtp_accept_from: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks that may connect, such as 10.0.0.0/8, comma-separated. Empty: any.",
    )
    smtp_tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate chain of the mail listener. Empty: no TLS."
    )
    smtp_tls_key: Path | None = Field(
        None, description="PEM file with the certificate's key. Empty: it is in the certificate file."
    )
    smtp_tls_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port with TLS from the first byte (465); 0 takes a free one. Empty: none.",
    )
    smtp_require_tls: bool = Field(False, description="Refuse mail that does not come over TLS.")
    smtp_user: str = Field("", description="User that senders must log in as, over TLS. Empty: no log-in.")
    smtp_password_hash: SecretStr = Field(
        SecretStr(""),
        description="Argon2 hash of that user's password; `careconcerns smtp-password` makes it.",
    )

    trusted_authserv_ids: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "Ids (authserv-id) of your mail gateway whose Authentication-Results headers are believed, "
            "comma-separated; `microsoft-365` for the headers without an id that Microsoft 365 writes. "
            "Empty: nobody's are."
        ),
    )
    check_senders: bool = Field(
        False,
        description=(
            "Check SPF, DKIM and DMARC of mail from the mail port ourselves, in background work: "
            "where it comes straight from its senders (MX) and no gateway is trusted."
        ),
    )
    check_senders_dns: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Resolvers for that, such as 10.0.0.53 or 127.0.0.1:5353, comma-separated. Empty: the system's.",
    )

    spam_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "Headers by which your mail gateway marks spam, comma-separated: X-Spam-Flag, X-Spam-Status, "
            "X-MS-Exchange-Organization-SCL. What they mark, and nothing hints at a concern in, goes to the "
            "spam tray. Empty: everything goes to the desk."
        ),
    )
    spam_scl_at_least: int = Field(
        5, ge=1, le=9, description="X-MS-Exchange-Organization-SCL from here on counts as spam."
    )
    spam_most_chance: float = Field(
        0.05,
        ge=0,
        le=0.2,
        description="With a higher chance of safeguarding, or of red, marked mail goes to the desk all the same.",
    )

    imap_host: str = Field(
        "", description="IMAP server of the mailbox that mail is fetched from. Empty: none."
    )
    imap_port: int = Field(993, ge=1, le=65535, description="Port of the IMAP server.")
    imap_security: Literal["tls", "starttls", "none"] = Field(
        "tls",
        description="How the IMAP server is reached; certificates are checked. `none` for loopback alone.",
    )
    imap_ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that the IMAP and token servers are trusted by. Empty: the system's.",
    )
    imap_user: str = Field("", description="User name of the mailbox; for a shared mailbox its own address.")
    imap_login: Literal["password", "microsoft", "google"] = Field(
        "password", description="How to log in: a password, or OAuth 2 at Microsoft 365 or Google."
    )
    imap_password: SecretStr = Field(SecretStr(""), description="Password of the mailbox.")
    imap_oauth_tenant: str = Field("", description="Microsoft: id or domain of the tenant.")
    imap_oauth_client_id: str = Field("", description="OAuth 2: id of the application.")
    imap_oauth_client_secret: SecretStr = Field(
        SecretStr(""), description="OAuth 2: secret of the application."
    )
    imap_oauth_secret_expires: date | None = Field(
        None, description="Day on which that secret expires: `doctor` warns 30 days before."
    )
    imap_oauth_refresh_token: SecretStr = Field(
        SecretStr(""), description="Google: refresh token of the mailbox, where there is no service account."
    )
    imap_oauth_key_file: Path | None = Field(
        None, description="Google: key file (JSON) of a service account that may act for the mailbox."
    )
    imap_oauth_server: str = Field(
        "",
        description="Token server other than Microsoft's or Google's public one, such as a national cloud's.",
    )
    imap_folders: Annotated[tuple[str, ...], NoDecode] = Field(
        ("INBOX",), description="Folders that mail is fetched from, comma-separated."
    )
    imap_processed_folder: str = Field(
        "", description="Folder that stored mail is moved to. Empty: it stays where it is, untouched."
    )
    imap_poll_seconds: int = Field(
        60,
        ge=1,
        le=1500,
        description="A new look at the mailbox after this time, whatever the server announces.",
    )
    imap_timeout_seconds: int = Field(
        60, ge=1, le=600, description="An IMAP connection that does not answer for so long is cut."
    )
    imap_max_bytes: int = Field(
        157_286_400,
        ge=10_000,
        description="Larger messages are not fetched but set aside, named by their UID.",
    )
    imap_count_at: str = Field(
        "02:30", description="When the mailbox is counted against the database, local time, every night."
    )

    web_host: str = Field("127.0.0.1", description="Address the web pages bind to.")
    web_port: int = Field(8000, ge=0, le=65535, description="Port of the web pages; 0 takes a free one.")
    web_secure_cookies: bool = Field(
        False, description="Cookies over HTTPS only; set it wherever the desk is behind HTTPS."
    )
    session_minutes: int = Field(
        60, ge=5, description="A lead who does nothing is logged out after this time."
    )

    web_trusted_proxy: str = Field(
        "",
        description=(
            "Address of the reverse proxy before the web pages: its X-Forwarded-For is believed. "
            "Empty: nobody's is. Without it the limits of the public form count the proxy as one person."
        ),
    )

    form_open: bool = Field(True, description="Show the public form at /report.")
    form_office_phone: str = Field(
        "01632 960001", description="The number of social care in office hours, on the public form."
    )
    form_leave_to: str = Field(
        "https://www.bbc.co.uk/weather", description='Where "Leave this site" takes people: a harmless page.'
    )
    form_draft_hours: int = Field(
        24, ge=1, le=24, description="Answers that were not sent are deleted when untouched for so long."
    )
    form_most_files: int = Field(5, ge=0, le=20, description="Most files with one report from the form.")
    form_file_megabytes: int = Field(10, ge=1, le=50, description="Largest file with a report, in MB.")
    form_files_megabytes: int = Field(
        20, ge=1, le=100, description="All files of one report together, in MB."
    )
    form_posts_per_minute: int = Field(
        60, ge=0, description="Pages of the form that one address may send in a minute. 0: no limit."
    )
    form_all_posts_per_minute: int = Field(
        600, ge=0, description="Pages of the form that all addresses together may send. 0: no limit."
    )
    form_searches_per_minute: int = Field(
        120, ge=0, description="Searches of the register by one address in a minute. 0: no limit."
    )
    form_all_searches_per_minute: int = Field(
        1200, ge=0, description="Searches of the register by all addresses together. 0: no limit."
    )

    workers: int = Field(1, ge=1, le=64, description="Worker processes that `serve` starts on this machine.")
    worker_threads: int = Field(2, ge=1, le=32, description="Messages that one worker handles at once.")
    worker_name: str = Field("", description="Name of this machine's workers. Empty: the host name.")
    worker_silence_seconds: int = Field(
        30, ge=15, description="A worker silent for so long is taken for dead, and its work is taken over."
    )

    mail_relay_host: str = Field(
        "", description="SMTP relay for outgoing mail. Empty: mail is written to outbox/ in the data folder."
    )
    mail_relay_port: int = Field(587, ge=1, le=65535, description="Port of the relay.")
    mail_relay_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the relay is reached; certificates are checked. `none` for loopback alone.",
    )
    mail_relay_user: str = Field("", description="User at the relay, if it wants one.")
    mail_relay_password: SecretStr = Field(SecretStr(""), description="Password at the relay.")

    mail_plus_addressing: bool = Field(
        True,
        description=(
            "Answers to our mail go to care.concerns+TOKEN@..., by which their concern is known. "
            "False where the mail system has no plus-addressing: the subject carries it too."
        ),
    )
    belonging_days: int = Field(
        30,
        ge=0,
        le=366,
        description="A person is asked whether a message belongs to a concern not older than so many days.",
    )

    opens: str = Field("09:00", description="When the desk opens on a working day, local time.")
    closes: str = Field("17:00", description="When the desk closes on a working day, local time.")
    timezone: str = Field("Europe/London", description="The council's time zone.")
    digest_at: str = Field(
        "07:30", description="When the daily digest goes out, local time, every working day."
    )

    model_dir: Path | None = Field(
        None,
        description="Folder of the trained model. Empty: the one in the data folder, else the shipped one.",
    )
    encoder: bool = Field(True, description="Use the sentence encoder where the model has one.")
    costs_file: Path | None = Field(
        None,
        description=(
            "Table of what may be missed, which decides what goes to a person. "
            "Empty: costs.toml in the data folder, else the program's own."
        ),
    )
    learn_days: int = Field(
        730, ge=0, description="`train` learns from what people decided in so many days; 0: never."
    )
    area_towns: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Towns of the council's area, comma-separated: a provider there is preferred."
    )

    slack_bot_token: SecretStr = Field(
        SecretStr(""), description="Slack bot token (xoxb-...). Empty: no Slack."
    )
    slack_app_token: SecretStr = Field(
        SecretStr(""), description="Slack app-level token (xapp-...), which Socket Mode needs."
    )
    slack_signing_secret: SecretStr = Field(
        SecretStr(""),
        description="Slack signing secret, which HTTP mode needs to know its requests as Slack's.",
    )
    slack_mode: Literal["socket", "http"] = Field(
        "socket", description="How Slack reaches us: we keep a socket open, or it sends to our HTTP port."
    )
    slack_http_host: str = Field("127.0.0.1", description="Address that Slack's HTTP port binds to.")
    slack_http_port: int = Field(
        8080, ge=0, le=65535, description="Port of /slack/events in HTTP mode; 0 takes a free one."
    )
    slack_channels: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Ids of the Slack channels where every post is a message to the desk, comma-separated.",
    )
    slack_alert_channel: str = Field(
        "", description="Id of the Slack channel that hears of red concerns. Empty: none."
    )
    slack_teams: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "Ids of the Slack workspaces (T...) or organisations (E...) whose full members may use it, "
            "comma-separated. Empty: the bot's own workspace."
        ),
    )
    slack_email_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="When set, a Slack user's email must also be at one of these domains, comma-separated.",
    )
    slack_file_max_bytes: int = Field(
        26_214_400,
        ge=0,
        description="Largest file fetched from Slack, in bytes; a larger one is only described.",
    )
    slack_catch_up_seconds: int = Field(
        300,
        ge=1,
        description="Time between two looks at the channels' history for anything Slack did not deliver.",
    )
    slack_catch_up_days: int = Field(
        14, ge=0, description="After a gap, edits and deletions of posts this old are looked for as well."
    )
    slack_api_url: str = Field(
        "https://slack.com/api/", description="Where Slack's Web API is; another one is for tests alone."
    )

    pulse_minutes: int = Field(
        5,
        ge=0,
        le=1440,
        description="So often a mail of our own goes the whole way, to show that it is open. 0: never.",
    )
    clamd_address: str = Field(
        "",
        description=(
            "ClamAV's daemon, as host:port or the path of its socket (/run/clamav/clamd.ctl): attached files "
            "are held back until it says that they are clean. Empty: they are not scanned."
        ),
    )
    parse_seconds: float = Field(20, gt=0, description="Longest time to read one message.")
    parse_megabytes: int = Field(1024, ge=128, description="Most memory to read one message.")

    @field_validator(
        "own_addresses",
        "imap_folders",
        "smtp_accept_for",
        "smtp_accept_from",
        "trusted_authserv_ids",
        "check_senders_dns",
        "spam_headers",
        "area_towns",
        "slack_channels",
        "slack_teams",
        "slack_email_domains",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("spam_headers")
    @classmethod
    def _known_marks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = {name.lower(): name for name in _SPAM_HEADERS}
        if unknown := [name for name in value if name.lower() not in known]:
            raise ValueError(f"{unknown[0]} is not one of {', '.join(_SPAM_HEADERS)}")
        return tuple(known[name.lower()] for name in value)

    @field_validator("smtp_accept_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @field_validator(
        "smtp_tls_certificate",
        "smtp_tls_key",
        "smtp_tls_port",
        "imap_ca_file",
        "imap_oauth_key_file",
        "imap_oauth_secret_expires",
        "costs_file",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _smtp_fits(self) -> Self:
        if self.smtp_bytes_in_flight < self.smtp_max_bytes:
            raise ValueError("smtp_bytes_in_flight must be at least smtp_max_bytes")
        if self.smtp_tls_certificate is None and (
            self.smtp_require_tls or self.smtp_user or self.smtp_tls_port is not None
        ):
            raise ValueError("smtp_tls_port, smtp_require_tls and smtp_user need smtp_tls_certificate")
        if self.smtp_user and not self.smtp_password_hash.get_secret_value():
            raise ValueError("smtp_user needs smtp_password_hash")
        return self

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be the name of a time zone such as Europe/London") from None
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql+psycopg:// or sqlite:///")
        return value

    @field_validator("mail_relay_security")
    @classmethod
    def _safe_relay(cls, value: str, info: ValidationInfo) -> str:
        if value == "none" and info.data.get("mail_relay_host", "") not in _LOOPBACK:
            raise ValueError("none is for a relay on this machine alone")
        return value

    @model_validator(mode="after")
    def _hours_fit(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError("closes must be later than opens")
        return self

    @field_validator("opens", "closes", "digest_at", "imap_count_at")
    @classmethod
    def _clock(cls, value: str) -> str:
        hours, _, minutes = value.partition(":")
        if not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
            raise ValueError("must be a time such as 09:00")
        return f"{int(hours):02d}:{int(minutes):02d}"

    @field_validator("imap_oauth_server")
    @classmethod
    def _safe_token_server(cls, value: str) -> str:
        # The client secret goes wherever this says.
        if value and not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("must begin with https://")
        return value

    @field_validator("clamd_address")
    @classmethod
    def _clamd(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not value.startswith("/") and not (host and port.isdigit()):
            raise ValueError("must be host:port or the path of a socket")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        # The bot token goes wherever this says.
        if not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("must begin with https://")
        return value.rstrip("/") + "/"

    @property
    def slack_is_set(self) -> bool:
        """Whether there is all that the way in by Slack needs."""
        other = self.slack_app_token if self.slack_mode == "socket" else self.slack_signing_secret
        return bool(self.slack_bot_token.get_secret_value() and other.get_secret_value())

    @property
    def url(self) -> str:
        """The database address in force."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'careconcerns.db').resolve()}"

    @property
    def keys_path(self) -> Path:
        """The key file in force."""
        return self.key_file or self.data_dir / "keys.json"

    @property
    def costs_path(self) -> Path | None:
        """The council's own table of costs; None where the program's is in force."""
        own = self.data_dir / "costs.toml"
        return self.costs_file or (own if own.exists() else None)

    @property
    def outbox(self) -> Path:
        """Where mail goes when there is no relay."""
        return self.data_dir / "outbox"

    @property
    def hours(self) -> WorkingHours:
        """The working hours of the desk."""
        return WorkingHours(opens=self.opens, closes=self.closes, timezone=self.timezone)

    @property
    def all_own_addresses(self) -> frozenset[str]:
        """Every address of ours, lower-case."""
        return frozenset(address.lower() for address in (self.desk_address, *self.own_addresses))


def load_settings(**overrides: object) -> Settings:
    """The settings in force; BadInput, one line naming the setting, when one cannot be used."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"CARECONCERNS_{str(first['loc'][0]).upper()}" if first["loc"] else "settings"
        raise BadInput(f"{name}: {first['msg']}") from None


def settings_reference() -> str:
    """docs/settings.md: every setting with its default and what it does."""
    lines = [
        "# Settings",
        "",
        "Generated from `bot/settings.py` by `careconcerns settings --reference`; do not edit by hand.",
        "Each is read from the environment or from a `.env` file in the working folder.",
        "",
        "| setting | default | what it does |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = _shown(field.default)
        lines.append(f"| `CARECONCERNS_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if isinstance(default, SecretStr) or default in ("", None, ()):
        return "-"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
