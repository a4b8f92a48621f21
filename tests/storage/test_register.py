"""The register in the database: brought up to date, never forgetful."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from bot.app import App
from storage.audit import MACHINE, Audit
from storage.register import find_providers, listed_providers, provider_by_id, register_stamp, save_register
from storage.tables import AuditRow
from tests.factories import NOW, concern
from triage.vocabulary import Provider

ROSE = Provider(
    provider_id="1-100",
    name="Rose Court",
    former_names=("The Briars",),
    town="Ambleford",
    postcode="AM1 2BC",
    email_domains=("rosecourt.example",),
    beds=40,
)
OAK = Provider(provider_id="1-200", name="Oak 100% Care_Home", town="Bexton", in_area=False)


def save(app: App, *providers: Provider, days: int = 0) -> None:
    """Import these."""
    with app.database.write() as session:
        now = NOW + timedelta(days=days)
        audit = Audit(at=now, actor=MACHINE, action="register_imported")
        save_register(session, providers, now=now, audit=audit)


def test_a_provider_comes_back_as_it_was_saved(either_app: App) -> None:
    """Every field."""
    save(either_app, ROSE, OAK)
    with either_app.database.read() as session:
        assert list(listed_providers(session)) == [ROSE, OAK]
        assert "register_imported" in set(session.scalars(select(AuditRow.action)))


def test_a_provider_that_left_the_register_is_kept_and_not_listed(either_app: App) -> None:
    """Concerns about it keep pointing to it."""
    save(either_app, ROSE, OAK)
    opened = concern(either_app, provider_id=ROSE.provider_id)
    save(either_app, OAK, days=30)
    with either_app.database.read() as session:
        assert [provider.name for provider in listed_providers(session)] == [OAK.name]
        kept = provider_by_id(session, str(opened.provider_id))
        assert kept is not None
        assert (kept.name, kept.listed) == ("Rose Court", False)
    save(either_app, ROSE, OAK, days=60)
    with either_app.database.read() as session:
        assert len(list(listed_providers(session))) == 2


def test_a_known_provider_is_brought_up_to_date(app: App) -> None:
    """Under its id."""
    save(app, ROSE)
    renamed = Provider(provider_id="1-100", name="Rose Manor", former_names=("Rose Court",))
    save(app, renamed, days=1)
    with app.database.read() as session:
        assert list(listed_providers(session)) == [renamed]


def test_the_stamp_changes_with_the_register(app: App) -> None:
    """So that workers notice."""
    stamps = []
    for providers, days in (((), 0), ((ROSE,), 1), ((ROSE,), 2), ((ROSE, OAK), 2)):
        save(app, *providers, days=days)
        with app.database.read() as session:
            stamps.append(register_stamp(session))
    assert len(set(stamps)) == 4


def test_the_app_sees_an_import_of_another_process_within_seconds(app: App) -> None:
    """Without a restart."""
    assert len(app.register().providers) == 0
    save(app, ROSE)
    app._register_checked -= 20
    assert len(app.register().providers) == 1


def test_many_providers_are_saved_in_pieces(app: App) -> None:
    """More than one piece, twice."""
    many = [Provider(provider_id=f"1-{number}", name=f"Home {number}") for number in range(1200)]
    save(app, *many)
    save(app, *many[:700], days=1)
    with app.database.read() as session:
        assert len(list(listed_providers(session))) == 700


def test_services_are_found_by_parts_of_name_town_or_postcode(either_app: App) -> None:
    """All words must fit; signs of the query language are themselves."""
    save(either_app, ROSE, OAK)
    cases = {
        "rose": [ROSE],
        "court amble": [ROSE],
        "am1": [ROSE],
        "100%": [OAK],
        "e_h": [OAK],
        "rose oak": [],
    }
    with either_app.database.read() as session:
        for words, expected in cases.items():
            found = [row.name for row in find_providers(session, words)]
            assert found == [provider.name for provider in expected], words
