"""Sealed fields: nobody reads, changes or moves one without the key, and keys can be replaced while we run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.app import App, build_app
from storage.database import Database
from storage.encryption import CannotUnseal, KeyRing, add_key, create_key_file, load_key_file
from storage.messages import latest_reading, raw_of
from storage.outgoing import outgoing_by_id
from storage.rotation import reseal_all
from storage.tables import MessageRow, OutgoingRow, ReadingRow
from tests.factories import RED_TEXT, email_bytes, message_ids, triaged
from triage.errors import BadInput

PLACE = "messages.raw:1"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A new key file."""
    path = tmp_path / "secrets" / "keys.json"
    create_key_file(path)
    return path


@pytest.fixture
def keys(key_file: Path) -> KeyRing:
    """Its keys."""
    return load_key_file(key_file)


def test_what_was_sealed_is_read_again_at_its_place(keys: KeyRing) -> None:
    """Bytes and JSON, and twice the same content looks different."""
    assert keys.unseal(keys.seal(b"in confidence", place=PLACE), place=PLACE) == b"in confidence"
    assert keys.unseal_json(keys.seal_json({"name": "Søren"}, place=PLACE), place=PLACE) == {"name": "Søren"}
    assert keys.seal(b"in confidence", place=PLACE) != keys.seal(b"in confidence", place=PLACE)
    assert b"confidence" not in keys.seal(b"in confidence", place=PLACE)


def test_every_changed_byte_is_noticed(keys: KeyRing) -> None:
    """Format, key id, nonce, ciphertext and tag alike."""
    sealed = keys.seal(b"in confidence", place=PLACE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(CannotUnseal):
            keys.unseal(bytes(changed), place=PLACE)


@pytest.mark.parametrize("length", [0, 1, 5, 20, 30])
def test_a_field_that_was_cut_short_is_refused(keys: KeyRing, length: int) -> None:
    """As a fault of ours, never as a crash of the library."""
    with pytest.raises(CannotUnseal):
        keys.unseal(keys.seal(b"in confidence", place=PLACE)[:length], place=PLACE)


def test_a_field_moved_to_another_row_is_refused(keys: KeyRing) -> None:
    """The place is sealed with it."""
    with pytest.raises(CannotUnseal, match="moved"):
        keys.unseal(keys.seal(b"in confidence", place=PLACE), place="messages.raw:2")


def test_a_field_under_a_key_that_is_gone_says_which(keys: KeyRing, tmp_path: Path) -> None:
    """So that the right backup is looked for."""
    sealed = keys.seal(b"in confidence", place=PLACE)
    with pytest.raises(CannotUnseal, match=keys.current):
        create_key_file(tmp_path / "others.json").unseal(sealed, place=PLACE)


def test_only_the_owner_can_read_the_key_file(key_file: Path) -> None:
    """From the first moment, and a file that others can read is refused."""
    assert key_file.stat().st_mode & 0o777 == 0o600
    add_key(key_file)
    assert key_file.stat().st_mode & 0o777 == 0o600
    key_file.chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        load_key_file(key_file)


def test_a_key_file_is_never_written_over(key_file: Path) -> None:
    """It would take every sealed field with it."""
    before = key_file.read_bytes()
    with pytest.raises(FileExistsError):
        create_key_file(key_file)
    assert key_file.read_bytes() == before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": {}, "current": "a", "lookup": ""}', "\x00"])
def test_a_file_that_is_no_key_file_is_refused_in_a_sentence(key_file: Path, content: str) -> None:
    """Not with a traceback."""
    key_file.write_text(content)
    with pytest.raises(BadInput, match="cannot be read as a key file"):
        load_key_file(key_file)


def test_a_new_key_seals_and_the_old_one_still_reads(key_file: Path, keys: KeyRing) -> None:
    """`add_key` takes nothing away."""
    old = keys.seal(b"in confidence", place=PLACE)
    ring = add_key(key_file)
    assert ring.current != keys.current
    assert ring.unseal(old, place=PLACE) == b"in confidence"
    assert not ring.is_current(old)
    assert ring.is_current(ring.seal(b"in confidence", place=PLACE))
    assert ring.lookup("A@b.example ") == keys.lookup("a@B.example")


def test_rotation_seals_every_field_anew_so_that_the_old_key_can_go(app: App) -> None:
    """Raw bytes, envelope, sender, recipient and content; a second run finds nothing to do."""
    concern = triaged(app, email_bytes(RED_TEXT))
    [message_id] = message_ids(app, concern.id)
    add_key(app.settings.keys_path)
    fresh = Database(app.settings.url, load_key_file(app.settings.keys_path))
    assert reseal_all(fresh) == 5
    assert reseal_all(fresh) == 0

    content = json.loads(app.settings.keys_path.read_text())
    alone = KeyRing(
        keys={fresh.keys.current: fresh.keys.keys[fresh.keys.current]},
        current=content["current"],
        lookup_key=fresh.keys.lookup_key,
    )
    with fresh.read() as session:
        raw, envelope, _ = raw_of(session, alone, message_id)
        reading = latest_reading(session, alone, message_id)
        mail = outgoing_by_id(session, alone, f"acknowledgement-{concern.id}")
    assert b"punched" in raw
    assert envelope["mail_from"] == "susan@family.example"
    assert reading is not None
    assert reading.sender is not None
    assert reading.sender.address == "susan@family.example"
    assert mail is not None
    assert mail.recipient == "susan@family.example"
    fresh.close()


def test_rotation_knows_every_column_of_bytes(app: App) -> None:
    """A sealed column that rotation forgot would be lost with the old key."""
    from sqlalchemy import LargeBinary

    from storage.rotation import _SEALED
    from storage.tables import Base

    rotated = {(table.__tablename__, column.key) for table, column, _ in _SEALED}
    bytes_columns = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert rotated == bytes_columns


def test_the_reporter_and_the_raw_mail_are_nowhere_in_the_database_in_the_clear(app: App) -> None:
    """Not in any table, the engine's own included; the text is, as docs/security.md says."""
    triaged(app, email_bytes(RED_TEXT, sender="Ursula Unlikely <ursula@unlikely.example>"), mail_from="")
    with app.database.write() as session:
        session.execute(text("select 1"))
    app.database.close()
    stored = b"".join(path.read_bytes() for path in app.settings.data_dir.glob("careconcerns.db*"))
    assert b"unlikely" not in stored.lower()
    assert b"punched" in stored


@pytest.mark.parametrize(
    ("table", "column"),
    [(MessageRow, "raw"), (MessageRow, "envelope"), (ReadingRow, "sender"), (OutgoingRow, "content")],
)
def test_a_sealed_field_cannot_be_moved_to_another_row_of_the_database(
    app: App, table: type, column: str
) -> None:
    """Whoever can write to the database alone cannot pass one message off as another."""
    first, second = (
        triaged(app, email_bytes(sender=f"{name}@family.example"), mail_from=f"{name}@family.example")
        for name in ("ann", "bob")
    )
    with app.database.write() as session:
        one, other = session.query(table).limit(2)
        setattr(one, column, getattr(other, column))
    [ann], [bob] = message_ids(app, first.id), message_ids(app, second.id)
    refused = 0
    for message_id, concern in ((ann, first), (bob, second)):
        with app.database.read() as session:
            try:
                raw_of(session, app.keys, message_id)
                latest_reading(session, app.keys, message_id)
                outgoing_by_id(session, app.keys, f"acknowledgement-{concern.id}")
            except CannotUnseal:
                refused += 1
    assert refused == 1


def test_a_lost_key_file_is_not_replaced_when_there_is_a_database(app: App) -> None:
    """A new key would look well and read nothing."""
    from bot.app import prepare

    app.settings.keys_path.unlink()
    with pytest.raises(BadInput, match="restore the key file"):
        prepare(app.settings)
    assert not app.settings.keys_path.exists()
    with pytest.raises(BadInput, match="is missing"):
        build_app(app.settings)


def test_a_lost_key_file_is_not_replaced_when_there_are_tables_in_postgresql(postgres_app: App) -> None:
    """As above, on the other database."""
    from bot.app import prepare

    postgres_app.settings.keys_path.unlink()
    with pytest.raises(BadInput, match="restore the key file"):
        prepare(postgres_app.settings)
    assert not postgres_app.settings.keys_path.exists()
