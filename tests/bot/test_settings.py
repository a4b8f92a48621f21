"""Settings: read from the environment, refused by name, described in docs/settings.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import Settings, load_settings, settings_reference
from triage.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_PORT", "eight"),
        ("SMTP_PORT", "70000"),
        ("WORKERS", "0"),
        ("OPENS", "9 o'clock"),
        ("CLOSES", "24:00"),
        ("DIGEST_AT", ""),
        ("TIMEZONE", "Europe/Londn"),
        ("TIMEZONE", "../etc/passwd"),
        ("DATABASE_URL", "postgres://council"),
        ("DATABASE_URL", "mysql://council"),
        ("MAIL_RELAY_SECURITY", "ssl"),
        ("DEMONSTRATION", "perhaps"),
        ("WORKER_SILENCE_SECONDS", "5"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """So that it can be put right without reading code."""
    monkeypatch.setenv(f"CARECONCERNS_{name}", value)
    with pytest.raises(BadInput, match=f"^CARECONCERNS_{name}: ") as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_desk_that_closes_before_it_opens_is_refused() -> None:
    """By name."""
    with pytest.raises(BadInput, match="closes must be later than opens"):
        load_settings(opens="18:00")


def test_mail_to_a_relay_elsewhere_does_not_go_without_tls() -> None:
    """On this machine it may."""
    with pytest.raises(BadInput, match="MAIL_RELAY_SECURITY"):
        load_settings(mail_relay_host="mail.council.example", mail_relay_security="none")
    assert load_settings(mail_relay_host="127.0.0.1", mail_relay_security="none").mail_relay_host


def test_settings_come_from_the_environment_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lists are comma-separated, times are made alike."""
    (tmp_path / ".env").write_text(
        "CARECONCERNS_COUNCIL_NAME=From the file\nCARECONCERNS_OPENS=8:5\nOTHER=1\n"
    )
    monkeypatch.setenv("CARECONCERNS_COUNCIL_NAME", "Ambleshire")
    monkeypatch.setenv("CARECONCERNS_OWN_ADDRESSES", "Desk@ambleshire.example, asc@ambleshire.example,")
    settings = load_settings()
    assert settings.council_name == "Ambleshire"
    assert settings.opens == "08:05"
    assert settings.own_addresses == ("Desk@ambleshire.example", "asc@ambleshire.example")
    assert settings.all_own_addresses == {
        "care.concerns@council.example",
        "desk@ambleshire.example",
        "asc@ambleshire.example",
    }


def test_the_embedded_default_lies_in_the_data_folder(tmp_path: Path) -> None:
    """Database, keys and outbox; an address of a database takes its place."""
    settings = Settings(data_dir=tmp_path)
    assert settings.url == f"sqlite:///{tmp_path / 'careconcerns.db'}"
    assert settings.keys_path == tmp_path / "keys.json"
    assert settings.outbox == tmp_path / "outbox"
    there = Settings(data_dir=tmp_path, database_url="postgresql+psycopg://db.council.example/cc")
    assert there.url == "postgresql+psycopg://db.council.example/cc"


def test_secrets_are_not_shown() -> None:
    """Neither printed nor in the reference."""
    settings = Settings(mail_relay_password="hunter2hunter2")
    assert "hunter2" not in str(settings)
    assert "hunter2" not in str(settings.model_dump())


def test_the_settings_page_is_up_to_date() -> None:
    """docs/settings.md: write it again with `careconcerns settings --reference > docs/settings.md`."""
    assert (ROOT / "docs" / "settings.md").read_text() == settings_reference()


def test_every_setting_is_described() -> None:
    """In a sentence, with its default."""
    reference = settings_reference()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `CARECONCERNS_{name.upper()}` |" in reference
