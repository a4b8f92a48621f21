"""Every setting of the program, read from the environment (CARECONCERNS_...) or a `.env` file.

docs/settings.md is generated from this class; a test fails when it is stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from triage.errors import BadInput
from triage.vocabulary import WorkingHours


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
        209_715_200, ge=1_000_000, description="Bytes held over all mail sessions at once; more is told 452."
    )
    smtp_sessions: int = Field(200, ge=1, description="Mail sessions at once; more are told 421.")
    smtp_recipients: int = Field(50, ge=1, description="Most recipients of one mail.")
    smtp_timeout_seconds: int = Field(
        120, ge=5, description="A silent mail session is closed after this time."
    )
    smtp_accept_for: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Recipient addresses accepted, comma-separated. Empty: any."
    )

    web_host: str = Field("127.0.0.1", description="Address the web pages bind to.")
    web_port: int = Field(8000, ge=0, le=65535, description="Port of the web pages; 0 takes a free one.")
    web_secure_cookies: bool = Field(
        False, description="Cookies over HTTPS only; set it wherever the desk is behind HTTPS."
    )
    session_minutes: int = Field(
        60, ge=5, description="A lead who does nothing is logged out after this time."
    )

    workers: int = Field(1, ge=1, le=64, description="Worker processes that `serve` starts on this machine.")
    worker_threads: int = Field(2, ge=1, le=32, description="Messages that one worker handles at once.")
    worker_name: str = Field("", description="Name of this machine's workers. Empty: the host name.")
    worker_silence_seconds: int = Field(
        30, ge=5, description="A worker silent for so long is taken for dead, and its work is taken over."
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
    area_towns: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Towns of the council's area, comma-separated: a provider there is preferred."
    )

    parse_seconds: float = Field(20, gt=0, description="Longest time to read one message.")
    parse_megabytes: int = Field(1024, ge=128, description="Most memory to read one message.")

    @field_validator("own_addresses", "smtp_accept_for", "area_towns", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("opens", "closes", "digest_at")
    @classmethod
    def _clock(cls, value: str) -> str:
        hours, _, minutes = value.partition(":")
        if not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
            raise ValueError("must be a time such as 09:00")
        return f"{int(hours):02d}:{int(minutes):02d}"

    @property
    def url(self) -> str:
        """The database address in force."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'careconcerns.db').resolve()}"

    @property
    def keys_path(self) -> Path:
        """The key file in force."""
        return self.key_file or self.data_dir / "keys.json"

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
