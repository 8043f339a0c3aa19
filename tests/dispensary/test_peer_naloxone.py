"""A peer worker hands out naloxone: to their own clients and families, and to whoever is none; what others gave and
were told is not theirs to read or to take back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from dispensary.care.corrections import own_gifts, take_gift_back
from dispensary.care.naloxone import counts_since, discard_kits, give_kit, receive_kits, report_use
from dispensary.care.naloxone_models import NaloxoneKit, NaloxoneLot, NaloxoneUse
from dispensary.care.naloxone_rules import Outcome, ToWhom
from dispensary.clients.goals import assign
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database
from dispensary.refusals import NotAllowed, NotThere
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId, ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def peer(here: Desks) -> Visitor:
    return here.seat(Role.PEER_WORKER)


@pytest.fixture
def azman(here: Desks, peer: Visitor) -> Actor:
    with here.database.reading() as session:
        account = session.scalars(select(Account.id).where(Account.username == "peer-worker")).one()
    return Actor(AccountId(account), here.place.site_id, frozenset({Role.PEER_WORKER}))


@pytest.fixture
def lot(here: Desks) -> UUID:
    with here.database.writing() as session:
        return receive_kits(
            session, actor=here.place.doctor, batch="N1", product="nasal spray", today=here.today, at=here.place.now,
            expires_on=here.today + timedelta(days=400), kits=20,
        ).id  # fmt: skip


@pytest.fixture
def theirs(here: Desks, azman: Actor) -> ClientId:
    client = here.place.client()
    assert azman.account_id is not None
    with here.database.writing() as session:
        assign(
            session, actor=here.place.doctor, client_id=client, account_id=azman.account_id, at=here.place.now
        )  # fmt: skip
    return client


def in_cupboard(here: Desks, lot: UUID) -> int:
    with here.database.reading() as session:
        return session.get_one(NaloxoneLot, lot).left_over


def test_kits_go_to_an_own_client_a_family_and_whoever_says_a_code(
    here: Desks, peer: Visitor, theirs: ClientId, lot: UUID
) -> None:
    at, anybody = f"/peers/clients/{theirs}/naloxone", "/peers/naloxone"
    assert f'href="{at}"' in peer.get(f"/peers/clients/{theirs}").text
    assert f'href="{anybody}"' in peer.get("/peers").text
    form = {"lot": str(lot), "kits": "1", "trained": "yes", "to_whom": "client", "key": str(uuid4())}
    for _ in range(2):
        assert peer.post(f"{at}/kits", form).headers["location"] == f"{at}?done=given"
    assert peer.post(f"{at}/kits", {**form, "key": str(uuid4()), "to_whom": "family"}).status_code == 303
    for to_whom, code in (("peer", "blue kite"), ("community", "Blue Kite"), ("community", "")):
        form = {"lot": str(lot), "kits": "2", "to_whom": to_whom, "code": code}
        assert peer.post(f"{anybody}/kits", form).headers["location"] == f"{anybody}?done=given"
    assert in_cupboard(here, lot) == 20 - 2 - 6
    told = {"told_by": "family", "happened_on": here.today.isoformat(), "used": "1", "outcome": "lives"}
    assert peer.post(f"{at}/uses", told).status_code == 303
    assert peer.post(f"{anybody}/uses", {**told, "told_by": "community"}).status_code == 303
    with here.database.reading() as session:
        counts = counts_since(session, site_id=here.place.site_id, since=here.today)
        assert (counts.kits, counts.people, counts.uses, counts.lives) == (8, 3, 2, 2)
        assert {use.client_id for use in session.scalars(select(NaloxoneUse))} == {theirs, None}
    assert {"gave naloxone", "noted use of naloxone"} <= set(here.acts_about(theirs))
    assert here.acts_about(theirs).count("gave naloxone") == 2
    mine = text_of(peer.get(at))
    assert "Given by you of late" in mine
    assert "Told to you of late" in mine
    assert here.acts_about(theirs)[-1] == "looked at"
    assert "blue" not in text_of(peer.get(anybody)).lower()
    assert "the client" in text_of(here.doctor.get(f"/care/naloxone/{theirs}")), "whoever treats reads it"


def test_a_fault_keeps_what_was_typed(here: Desks, peer: Visitor, lot: UUID) -> None:
    again = peer.post("/peers/naloxone/kits", {"lot": str(lot), "kits": "21", "to_whom": "peer", "code": "kite"})
    assert (again.status_code, 'value="kite"' in again.text) == (409, True)
    assert "20 of these are left" in text_of(again)
    assert peer.post("/peers/naloxone/kits", {"lot": str(lot), "kits": "1", "to_whom": "client"}).status_code == 422
    assert in_cupboard(here, lot) == 20


def test_somebody_else_s_client_is_nobody_by_page_or_by_service(
    here: Desks, peer: Visitor, azman: Actor, theirs: ClientId, lot: UUID
) -> None:
    other = here.place.client()
    with here.database.writing() as session:
        give_kit(
            session, actor=here.place.doctor, client_id=theirs, to_whom=ToWhom.CLIENT, key=uuid4(), lot_id=lot, kits=1,
            trained=True, today=here.today, at=here.place.now,
        )  # fmt: skip
        report_use(
            session, actor=here.place.doctor, client_id=theirs, told_by=ToWhom.CLIENT, happened_on=here.today, kits=1,
            outcome=Outcome.DIED, key=uuid4(), today=here.today, at=here.place.now,
        )  # fmt: skip
    answers = [peer.get(f"/peers/clients/{each}/naloxone") for each in (other, uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert text_of(answers[0]) == text_of(answers[1])
    form = {"lot": str(lot), "kits": "1", "to_whom": "client"}
    assert peer.post(f"/peers/clients/{other}/naloxone/kits", form).status_code == 404
    shown = text_of(peer.get(f"/peers/clients/{theirs}/naloxone"))
    assert "of late" not in shown, "what others gave or were told is not theirs to read"
    with here.database.writing() as session:
        kit = session.scalars(select(NaloxoneKit.id)).one()
        for attempt in (
            lambda: give_kit(
                session, actor=azman, client_id=other, to_whom=ToWhom.CLIENT, key=uuid4(), lot_id=lot, kits=1,
                trained=True, today=here.today, at=here.place.now,
            ),
            lambda: report_use(
                session, actor=azman, client_id=other, told_by=ToWhom.FAMILY, happened_on=here.today, kits=1,
                outcome=Outcome.LIVES, key=uuid4(), today=here.today, at=here.place.now,
            ),
            lambda: own_gifts(session, actor=azman, client_id=other, today=here.today),
            lambda: take_gift_back(
                session, actor=azman, client_id=theirs, kit_id=kit, why=Wrong.NEVER, at=here.place.now
            ),
        ):  # fmt: skip
            with pytest.raises(NotThere):
                attempt()
        with pytest.raises(NotAllowed):
            discard_kits(session, actor=azman, lot_id=lot, kits=1, reason="lost", at=here.place.now)
    assert peer.get("/care/naloxone").status_code == 403
    assert in_cupboard(here, lot) == 19


def test_what_they_entered_in_error_they_take_back_themselves(
    here: Desks, peer: Visitor, theirs: ClientId, lot: UUID
) -> None:
    for at, whom in ((f"/peers/clients/{theirs}/naloxone", "family"), ("/peers/naloxone", "community")):
        assert peer.post(f"{at}/kits", {"lot": str(lot), "kits": "3", "to_whom": whom}).status_code == 303
        told = {"told_by": whom, "happened_on": here.today.isoformat(), "used": "1", "outcome": "unknown"}
        assert peer.post(f"{at}/uses", told).status_code == 303
    assert in_cupboard(here, lot) == 14
    with here.database.reading() as session:
        kits = dict(session.execute(select(NaloxoneKit.client_id, NaloxoneKit.id)).all())
        uses = dict(session.execute(select(NaloxoneUse.client_id, NaloxoneUse.id)).all())
    assert peer.post(f"/peers/naloxone/back/kits/{kits[theirs]}", {"why": "never"}).status_code == 404
    for at, client in ((f"/peers/clients/{theirs}/naloxone", theirs), ("/peers/naloxone", None)):
        for path in (f"{at}/back/kits/{kits[client]}", f"{at}/back/uses/{uses[client]}"):
            assert peer.post(path, {"why": "never"}).headers["location"] == f"{at}?done=back"
        assert "taken back" in text_of(peer.get(at))
    assert in_cupboard(here, lot) == 20
    with here.database.reading() as session:
        left = text("SELECT count(*) FILTER (WHERE voided_at IS NULL) FROM naloxone_use")
        assert session.scalar(left) == 0
