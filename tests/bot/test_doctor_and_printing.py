"""What a person is told by `doctor`, and what single commands do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.app import App
from bot.doctor import check_everything
from bot.printing import add_person, digests_as_text, import_providers
from storage.audit import MACHINE, Audit
from storage.messages import dispose
from storage.outgoing import OutgoingState, mark_outgoing
from storage.oversight import note_heartbeat
from storage.people import active_leads
from storage.register import listed_providers
from tests.factories import NOW, PASSWORD, lead, received, stored, triaged
from triage.errors import BadInput
from triage.lifecycle import Disposition


def wrong(app: App) -> list[str]:
    """The findings that are not well."""
    return [finding.text for finding in check_everything(app.settings) if not finding.well]


@pytest.fixture
def healthy(app: App, tmp_path: Path) -> App:
    """A service with which everything is well."""
    lead(app)
    path = tmp_path / "register.csv"
    path.write_text("id,name\n1-101,Rose Court\n")
    import_providers(app, path, now=NOW)
    triaged(app)
    with app.database.write() as session:
        note_heartbeat(session, "here-worker-1", datetime.now(UTC))
    return app


def test_a_healthy_service_has_nothing_wrong(healthy: App) -> None:
    """And its books balance."""
    assert wrong(healthy) == []
    texts = [finding.text for finding in check_everything(healthy.settings)]
    assert "1 received = 1 concerns + 0 duplicates + 0 set aside + 0 spam + 0 waiting" in texts


def test_each_thing_that_is_wrong_is_found(healthy: App) -> None:
    """A mail unsent, a message unread, one stuck, one unaccounted for."""
    from sqlalchemy import select

    from storage.tables import DispositionRow, MessageRow

    stored(healthy, received(received_at=datetime.now(UTC) - timedelta(hours=1)))
    aside = stored(healthy)
    with healthy.database.write() as session:
        audit = Audit(at=NOW, actor=MACHINE, action="set_aside")
        dispose(session, aside, Disposition.SET_ASIDE, audit=audit, reason="too long")
        concern_id = session.scalars(
            select(DispositionRow.concern_id).where(DispositionRow.concern_id.is_not(None))
        ).one()
        mark_outgoing(session, f"acknowledgement-{concern_id}", OutgoingState.UNKNOWN, now=NOW)
    found = wrong(healthy)
    assert "1 messages wait for triage, the oldest came 60 minutes ago" in found
    assert "1 messages could not be read" in found
    assert "1 outgoing mails failed or are in doubt" in found
    assert len(found) == 3

    # Whatever else happens, a disposition of a kind that nobody knows must not go unnoticed.
    with healthy.database.write() as session:
        row = session.get_one(DispositionRow, aside)
        row.kind = "lost"
        assert session.get(MessageRow, aside) is not None
    assert any(text.startswith("3 received = 1 concerns") for text in wrong(healthy))


def test_a_silent_worker_and_a_missing_model_are_found(healthy: App, tmp_path: Path) -> None:
    """Both in one look."""
    with healthy.database.write() as session:
        note_heartbeat(session, "here-worker-1", datetime.now(UTC) - timedelta(minutes=5))
    healthy.settings.model_dir = tmp_path / "nowhere"
    found = wrong(healthy)
    assert "0 workers alive" in found
    assert any("careconcerns train" in text for text in found)


def test_a_digest_is_printed_for_one_lead_or_for_each(app: App) -> None:
    """And refused where there is none."""
    with pytest.raises(BadInput, match="add-lead"):
        digests_as_text(app, None, None, now=NOW)
    lead(app, "ada@council.example")
    lead(app, "bob@council.example")
    assert digests_as_text(app, None, None, now=NOW).count("Care concerns: 20 November 2026") == 2
    one = digests_as_text(app, date(2026, 11, 18), "ADA@council.example", now=NOW)
    assert one.count("Care concerns: 18 November 2026") == 1
    with pytest.raises(BadInput, match=r"x@council\.example"):
        digests_as_text(app, None, "x@council.example", now=NOW)


def test_a_register_with_faulty_rows_is_imported_and_says_which(app: App, tmp_path: Path) -> None:
    """The sound ones count."""
    path = tmp_path / "register.csv"
    path.write_text("id,name,beds\n1-101,Rose Court,40\n1-102,,12\n1-103,Oak Lodge,many\n")
    said = import_providers(app, path, now=NOW).splitlines()
    assert said[0].startswith("1 providers imported from register.csv")
    assert [line.partition(":")[0] for line in said[1:]] == ["row 3 skipped", "row 4 skipped"]
    with app.database.read() as session:
        assert [provider.name for provider in listed_providers(session)] == ["Rose Court"]


def test_a_file_that_is_no_register_changes_nothing(app: App, tmp_path: Path) -> None:
    """What was listed stays listed."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("id,name\n1-101,Rose Court\n")
    bad.write_text("a,b\n1,2\n")
    import_providers(app, good, now=NOW)
    with pytest.raises(BadInput):
        import_providers(app, bad, now=NOW)
    with app.database.read() as session:
        assert len(list(listed_providers(session))) == 1


@pytest.mark.parametrize("column", ["name", "town", "postcode", "telephone", "rating", "street"])
def test_a_cell_of_any_length_is_no_fault(either_app: App, tmp_path: Path, column: str) -> None:
    """Columns of PostgreSQL have lengths; one wild cell must not refuse a whole register."""
    path = tmp_path / "register.csv"
    columns = ["id", "name", *([column] if column != "name" else [])]
    cells = {"id": "1-101", "name": "Rose Court"} | {column: "x" * 2000}
    path.write_text(",".join(columns) + "\n" + ",".join(cells[name] for name in columns) + "\n")
    assert import_providers(either_app, path, now=NOW).startswith("1 providers imported")
    with either_app.database.read() as session:
        [provider] = listed_providers(session)
    assert getattr(provider, column).startswith("xxxx")


def test_an_id_that_is_too_long_is_a_faulty_row(app: App, tmp_path: Path) -> None:
    """Cut, it might be another's."""
    path = tmp_path / "register.csv"
    path.write_text("id,name\n" + "1" * 41 + ",Rose Court\n1-102,Oak Lodge\n")
    assert "row 2 skipped" in import_providers(app, path, now=NOW)


def test_a_person_is_added_for_all_categories_or_for_those_named(app: App) -> None:
    """An unknown one is refused with the list."""
    add_person(app, "ada@council.example", "Ada", [], PASSWORD, now=NOW)
    add_person(app, "bob@council.example", "Bob", ["referral"], PASSWORD, now=NOW)
    with app.database.read() as session:
        ada, bob = active_leads(session)
    assert len(ada.categories) == 4
    assert bob.categories == ["referral"]
    with pytest.raises(BadInput, match="safeguarding, care_concern"):
        add_person(app, "cid@council.example", "Cid", ["parking"], PASSWORD, now=NOW)
