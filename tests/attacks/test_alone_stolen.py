"""A satellite's box is stolen, key file and all: what it still opens, and what is shut at the centre."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispensary import key_sources
from dispensary.key_sources import open_vault
from dispensary.keys import BadKeys, Keyring, Vault
from dispensary.staff import invitations
from dispensary.staff.branches import grant_at_branch, revoke_at_branch
from dispensary.staff.models import Site
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import password_is_right
from dispensary.supplies.passes import token_of
from tests.attacks.boxes import Box, Pair, at, copied, make_pair, sends
from tests.attacks.test_alone_told import ends
from tests.dispensary.branch_place import Programme
from tests.dispensary.factored import has_authenticator
from tests.dispensary.lending import lent_app
from tests.dispensary.test_invitations import CHOSEN, accepts
from tests.dispensary.test_pickups import prepared, verified
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, demo_settings, has_pin, hire

PASSWORDS = "SELECT a.username, p.hash FROM account a JOIN account_password p ON p.account_id = a.id ORDER BY 1"
TAKEN = ["chief", "klg-nurse", "leaver"]


def staffed(centre: Box, here: Programme) -> None:
    """Two nurses of the satellite, one of the other main site, and the chief, who has a second factor."""
    with here.database.reading() as session:
        klg, oth = (session.get_one(Site, place.site_id) for place in (here.satellite, here.other))
    for site, username in ((klg, "klg-nurse"), (oth, "leaver"), (oth, "oth-nurse")):
        hire(here.database, site, username, [Role.NURSE], here.main.now)
    with here.database.writing() as session:  # by a role at the branch of the main site, and so at its satellite too
        grant_at_branch(
            session, actor=the_program(here.main.site_id), username="leaver", branch="HRP", role=Role.NURSE,
            at=here.main.now,
        )  # fmt: skip
    has_pin(here.database, here.satellite.pharmacist, "271839", here.satellite.now)
    assert here.chief.account_id is not None
    has_authenticator(here.database, here.chief.account_id, datetime.now(UTC))


@pytest.fixture(scope="module")
def lent_staffed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(made, tmp_path_factory.mktemp("lent_staffed"), before=staffed)


@pytest.fixture
def pair(lent_staffed: Pair, tmp_path: Path) -> Iterator[Pair]:
    yield from copied(lent_staffed, tmp_path)


def test_what_lies_on_a_stolen_box_signs_nobody_in_at_the_centre(pair: Pair, tmp_path: Path) -> None:
    stolen = pair.far.asks(PASSWORDS)
    assert [name for name, _ in stolen] == TAKEN
    assert all(password_is_right(kept, PASSWORD) for _, kept in stolen), "a thief may guess at leisure"
    assert pair.far.asks("SELECT count(*) FROM counter_pin") == [(1,)]
    ((row, sealed),) = pair.far.asks("SELECT id, secret_sealed FROM second_factor")
    assert len(open_vault(pair.far.keys).open("second_factor.secret", row, bytes(sealed))) > 20

    with pair.centre.database() as database:
        moment = datetime.now(UTC)
        klg, program = pair.here.satellite.site_id, the_program(pair.here.main.site_id)
        ((grant,),) = pair.centre.asks(
            "SELECT g.id FROM branch_grant g JOIN account a ON a.id = g.account_id WHERE username = 'leaver'"
        )
        with database.writing() as session:  # who is on the box all the same
            revoke_at_branch(session, actor=program, grant_id=grant, at=moment)
        app = lent_app(demo_settings(tmp_path / "pages"), database, MovableClock(moment))
        pair.centre.types("join", "KLG", "--lost")
        seats = {name: Visitor(app, comes_back=False) for name in ("klg-nurse", "leaver", "oth-nurse")}
        for name, seat in seats.items():
            assert seat.signs_in(name).status_code == 303
            assert seat.get("/api/session").json()["signed_in"] is not None

        assert "say --lost too" in pair.centre.tries("join", "KLG", "--stolen").output
        said = pair.centre.types("join", "KLG", "--lost", "--stolen")
        shut = said.rsplit("Shut out at every site until they are invited anew: ", 1)[1].strip(".\n").split(", ")
        assert set(TAKEN) < set(shut), shut
        assert "oth-nurse" not in shut

        open_still = {name for name, seat in seats.items() if seat.get("/api/session").json()["signed_in"]}
        assert open_still == {"oth-nurse"}
        for name in TAKEN:
            assert Visitor(app).signs_in(name).status_code != 303, name
        assert Visitor(app).signs_in("oth-nurse").status_code == 303
        for table in ("second_factor", "recovery_code", "counter_pin"):
            assert pair.centre.asks(f"SELECT count(*) FROM {table}") == [(0,)], table
        assert [name for name, _ in pair.centre.asks(PASSWORDS)] == ["oth-nurse"]

        # Who is invited anew comes back by another password, and stays when the command is typed once more.
        ((nurse,),) = pair.centre.asks("SELECT id FROM account WHERE username = 'klg-nurse'")
        with database.writing() as session:
            code = invitations.invite(session, actor=program, site_id=klg, account_id=nurse, at=moment)
        assert accepts(database, code, moment) == "done"
        assert "until they are invited anew: nobody more." in pair.centre.types("join", "KLG", "--lost", "--stolen")
        assert Visitor(app).signs_in("klg-nurse", CHOSEN).status_code == 303
    told = "SELECT count(*), count(DISTINCT subject_id) FROM audit_entry WHERE act = 'shut out'"
    assert pair.centre.asks(told) == [(len(shut), len(shut))]
    assert "is an administrator of HRP" in pair.centre.types("let-in", "HRP", "chief")
    assert "no row breaks a rule" in pair.centre.types("verify")


def test_a_stolen_box_has_no_way_into_the_centre_and_what_it_writes_goes_nowhere(pair: Pair) -> None:
    with pair.counters() as (_, alone):
        alone.give(pair.theirs[0])
        pair.joins()
    before = pair.centre.asks("SELECT count(*) FROM audit_entry")
    pair.centre.types("join", "KLG", "--lost", "--stolen")
    after = pair.centre.asks("SELECT count(*) FROM audit_entry")
    assert after > before
    # Lending made no user of PostgreSQL for the box, and the subscription that reached out to it is gone.
    assert pair.centre.asks("SELECT rolname FROM pg_roles WHERE rolcanlogin OR rolreplication") == [("postgres",)]
    for table in ("pg_subscription", "pg_replication_slots", "pg_publication"):
        assert pair.centre.asks(f"SELECT count(*) FROM {table}") == [(0,)], table
    with pair.counters() as (_, alone):
        alone.give(pair.theirs[1])
    assert "nothing to join" in pair.joins_in_vain()
    assert pair.centre.asks("SELECT count(*) FROM dose") == [(1,)]
    assert pair.centre.asks("SELECT count(*) FROM audit_entry") == after


def test_keys_that_lay_on_a_stolen_box_are_exchanged_and_what_stays_open_is_known(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sources, "LOOK_EVERY", 0.0)
    keys = pair.centre.types
    client = pair.theirs[0]
    with pair.counters() as (home, alone):
        for place in (home, alone):
            place.move_on(2)  # so that the pass is good today
        ends(pair, home, client)
        ticket = prepared(home, client, 1)
        sends(home, client)
        pair.cut()
        alone.give(pair.theirs[1])
    pair.joins()
    forged = token_of(Vault(Keyring(open_vault(pair.far.keys).ring)), ticket.pass_id)
    assert pair.far.asks("SELECT id FROM pickup_pass") == [(ticket.pass_id,)], "the box knows of it"
    # While it may still send what it wrote by them, none of them goes.
    keys("keys", "add", "--kind", "index")
    keys("keys", "add", "--kind", "signing")
    for name in (pair.key, "i001", "s001"):
        assert "KLG has a server of its own" in pair.centre.tries("keys", "drop", name).output, name
    assert "KLG has a server of its own" in pair.centre.tries("keys", "drop", pair.key, "--even-so").output
    digests = "SELECT digest FROM client_index"
    known = set(pair.far.asks(digests))
    assert known
    assert known <= set(pair.centre.asks(digests))
    keys("join", "KLG", "--lost", "--stolen")
    with pair.centre.database() as database:
        assert verified(at(pair.here.main, database), forged, home.now) == "opens", "a pass is made on the box"

    keys("keys", "reseal")
    keys("keys", "drop", pair.key)
    keys("keys", "reindex")
    keys("keys", "drop", "i001", "--even-so")
    assert "Passes that s001 has signed" in pair.centre.tries("keys", "drop", "s001").output
    keys("keys", "drop", "s001", "--even-so")

    prints = open_vault(pair.centre.keys).ring.prints()
    assert not set(prints.values()) & set(open_vault(pair.far.keys).ring.prints().values()), "no key is on both"
    assert not known & set(pair.centre.asks(digests)), "nobody is looked up by what lies on the box"
    with pair.centre.database() as database:
        for token in (forged, ticket.token):
            assert verified(at(pair.here.main, database), token, home.now) != "opens"
    assert "no row breaks a rule" in keys("verify")

    # What no exchange reaches: its clients' own keys, to whoever has a copy of the centre's database besides.
    names = dict(pair.centre.asks("SELECT id, name_sealed FROM client"))
    with pair.far.database() as database:
        for client in pair.theirs:
            assert database.vault.open("client.name", client, bytes(names[client]))
        with pytest.raises(BadKeys):
            database.vault.open("client.name", pair.homer, bytes(names[pair.homer]))
