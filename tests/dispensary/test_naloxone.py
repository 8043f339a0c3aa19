"""Naloxone: offered until it is answered, given out of lots that add up, counted by people, told of without blame."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.corrections import gifts_of, gifts_to_others, take_gift_back, take_use_back, uses_of
from dispensary.care.naloxone import (
    Counts,
    counts_since,
    digest_of,
    discard_kits,
    give_kit,
    receive_kits,
    replacements,
    report_use,
)
from dispensary.care.naloxone_rules import Outcome, Standing, ToWhom, proposes, replacement_due
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.rules import Role
from dispensary.takehome.naloxone import offers_naloxone, to_offer
from dispensary.units import ClientId, SiteId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.measured import asked, figures
from tests.dispensary.visiting import text_of

D = date(2026, 11, 24)


def told_of(place: Clinic, client: ClientId, by: ToWhom) -> None:
    with place.database.writing() as session:
        report_use(
            session,
            actor=place.doctor,
            client_id=client,
            told_by=by,
            happened_on=place.today,
            kits=1,
            outcome=Outcome.LIVES,
            key=uuid4(),
            today=place.today,
            at=place.now,
        )


@pytest.mark.parametrize(
    ("standing", "offered"),
    [
        (Standing(D, answered_then=False), True),
        (Standing(D, answered_then=True), False),
        (Standing(D, answered_then=False, kit_until=D), False),
        (Standing(D, answered_then=False, kit_until=D - timedelta(days=1)), True),
        (Standing(D, answered_then=True, kit_until=D - timedelta(days=1)), False),
        (Standing(D, answered_then=False, answered_on=D), False),
        (Standing(D, answered_then=False, answered_on=D - timedelta(days=1)), True),
        # What was said of a kit that was used since is no answer to whether they want another.
        (Standing(D - timedelta(days=30), answered_then=True, used_on=D), True),
        (Standing(D - timedelta(days=30), answered_then=False, answered_on=D - timedelta(days=9), used_on=D), True),
        (Standing(D - timedelta(days=30), answered_then=False, answered_on=D, used_on=D), False),
        (Standing(D - timedelta(days=30), answered_then=True, kit_until=D, used_on=D - timedelta(days=1)), False),
        (Standing(D, answered_then=True, used_on=D - timedelta(days=1)), False),
    ],
)
def test_it_is_offered_until_it_is_answered(standing: Standing, offered: bool) -> None:
    assert proposes(standing, D) is offered


@given(days=some.integers(-400, 400), said=some.booleans(), answered=some.none() | some.integers(-400, 400))
def test_nobody_with_a_good_kit_is_asked_and_nobody_who_said_no_is_asked_again(
    days: int, said: bool, answered: int | None
) -> None:
    until, on = D + timedelta(days=days), None if answered is None else D + timedelta(days=answered)
    asked_now = proposes(Standing(D, said, until, on), D)
    assert not (asked_now and (until >= D or said or (on is not None and on >= D)))
    assert not replacement_due(D + timedelta(days=61), D)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def lot(place: Clinic, kits: int = 10, days: int = 700, batch: str = "nx1") -> UUID:
    with place.database.writing() as session:
        return receive_kits(
            session,
            actor=place.pharmacist,
            batch=batch,
            product="nasal spray, two",
            expires_on=place.today + timedelta(days=days),
            kits=kits,
            today=place.today,
            at=place.now,
        ).id


def given_to(
    place: Clinic,
    lot_id: UUID,
    client: ClientId | None = None,
    to: ToWhom = ToWhom.CLIENT,
    kits: int = 1,
    code: str = "",
    key: UUID | None = None,
) -> None:
    with place.database.writing() as session:
        give_kit(
            session,
            actor=place.pharmacist,
            lot_id=lot_id,
            to_whom=to,
            client_id=client,
            code=code,
            kits=kits,
            trained=to is ToWhom.CLIENT,
            key=key or uuid4(),
            today=place.today,
            at=place.now,
        )


def left(place: Clinic) -> object:
    with place.database.reading() as session:
        return session.scalar(text("SELECT left_over FROM naloxone_lot"))


class TestALot:
    def test_never_gives_more_than_it_has_however_many_give_at_once(self, place: Clinic) -> None:
        kits = lot(place, kits=5)

        def give(_: int) -> bool:
            try:
                given_to(place, kits, to=ToWhom.PEER)
            except Refused:
                return False
            return True

        with ThreadPoolExecutor(8) as hands:
            assert sum(hands.map(give, range(12))) == 5
        assert left(place) == 0

    def test_a_gift_sent_twice_is_one_and_kits_put_away_are_gone(self, place: Clinic) -> None:
        kits, client, key = lot(place), place.client(), uuid4()
        for _ in range(2):
            given_to(place, kits, client, key=key)
        assert left(place) == 9
        with place.database.writing() as session:
            discard_kits(session, actor=place.pharmacist, lot_id=kits, kits=4, reason="box was wet", at=place.now)
        assert left(place) == 5
        with pytest.raises(Refused, match="5 of these are left"), place.database.writing() as session:
            discard_kits(session, actor=place.pharmacist, lot_id=kits, kits=6, reason="lost", at=place.now)

    def test_gifts_of_one_unit_of_work_add_up(self, place: Clinic) -> None:
        kits = lot(place)
        with place.database.writing() as session:
            for code in ("a", "b", "c"):
                give_kit(
                    session, actor=place.pharmacist, lot_id=kits, to_whom=ToWhom.PEER, client_id=None, code=code,
                    kits=2, trained=True, key=uuid4(), today=place.today, at=place.now,
                )  # fmt: skip
        assert left(place) == 4

    def test_what_is_wrong_is_refused(self, place: Clinic) -> None:
        kits = lot(place, days=1)
        with pytest.raises(BadInput, match="here already"):
            lot(place, batch=" NX1 ")
        with pytest.raises(BadInput, match="are over"):
            lot(place, days=0, batch="nx2")
        with pytest.raises(BadInput, match="which client"):
            given_to(place, kits)
        place.move_on(1)
        with pytest.raises(Refused, match="good until"):
            given_to(place, kits, to=ToWhom.FAMILY)
        with pytest.raises(NotThere):
            given_to(place, uuid4(), to=ToWhom.FAMILY)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE naloxone_lot SET left_over = left_over - 1",
            "DELETE FROM naloxone_kit",
            "UPDATE naloxone_kit SET kits = 2",
            "TRUNCATE naloxone_use",
        ],
    )
    def test_postgresql_holds_that_it_adds_up(self, place: Clinic, statement: str) -> None:
        given_to(place, lot(place), to=ToWhom.PEER)
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text(statement))


class TestAnOffer:
    def test_stands_from_the_start_of_take_home_until_a_kit_is_given_and_again_when_it_was_used(
        self, place: Clinic
    ) -> None:
        client = place.client()
        place.decide(client, per_supply=2)  # says that one was given
        assert not self.offered(place, client), "a site that keeps no kits has none to give"
        place.now += timedelta(minutes=1)
        kits = lot(place)
        assert not self.offered(place, client), "what was decided before there were any"
        place.move_on(1)
        place.decide(client, per_supply=3)
        assert self.offered(place, client)
        given_to(place, kits, client)
        assert not self.offered(place, client)
        place.move_on(1)
        told_of(place, client, ToWhom.FAMILY)  # whose kit it was counts, not who tells it
        assert self.offered(place, client)
        place.now += timedelta(minutes=1)
        given_to(place, kits, client)
        assert not self.offered(place, client)

    def offered(self, place: Clinic, client: ClientId) -> bool:
        with place.database.reading() as session:
            found = offers_naloxone(session, client_id=client, today=place.today)
            assert (client in to_offer(session, site_id=place.site_id, today=place.today)) is found
            return found

    def test_of_another_comes_before_the_first_is_over(self, place: Clinic) -> None:
        client, kits = place.client(), lot(place, days=100)
        given_to(place, kits, client)

        def due() -> list[ClientId]:
            with place.database.reading() as session:
                return [each.client_id for each in replacements(session, site_id=place.site_id, today=place.today)]

        assert due() == []
        place.move_on(50)
        assert due() == [client]
        new = lot(place, batch="nx2")
        given_to(place, new, client)
        assert due() == []
        place.now += timedelta(minutes=1)
        told_of(place, client, ToWhom.PEER)
        assert due() == [client], "it was used: nobody waits for its expiry"
        place.now += timedelta(minutes=1)
        given_to(place, new, client)
        assert due() == []


class TestInError:
    def test_a_gift_lies_in_the_cupboard_again_and_counts_nowhere_but_in_what_was_known(self, place: Clinic) -> None:
        kits, client = lot(place), place.client()
        given_to(place, kits, client, kits=3)
        given_to(place, kits, to=ToWhom.PEER, kits=2)
        before = place.now
        place.now += timedelta(hours=1)
        of_client, of_peer = self.gifts(place, client)
        for _again in range(2):
            taken_back(place, client, of_client)
        assert left(place) == 8
        taken_back(place, None, of_peer, why=Wrong.TWICE)
        assert left(place) == 10
        assert figures(asked(place, "naloxone-kits", as_of=before))["kits"] == ("5", "None")
        assert figures(asked(place, "naloxone-kits"))["kits"] == ("0", "None")
        with place.database.reading() as session:
            assert counts_since(session, site_id=place.site_id, since=place.today) == Counts(0, 0, 0, 0, 0)
            (gift,) = gifts_of(session, client_id=client)
            (other,) = gifts_to_others(session, site_id=SiteId(place.site_id), today=place.today)
            assert replacements(session, site_id=place.site_id, today=place.today + timedelta(days=690)) == []
        assert (gift.kits, gift.back and gift.back.why, other.back and other.back.why) == (3, Wrong.NEVER, Wrong.TWICE)
        given_to(place, kits, to=ToWhom.PEER, kits=10)  # what lies there can be given

    def test_a_use_that_was_not_leaves_the_kit_good(self, place: Clinic) -> None:
        client = place.client()
        place.now += timedelta(minutes=1)
        kits = lot(place)
        place.move_on(1)
        place.decide(client, per_supply=3)
        given_to(place, kits, client)
        told_of(place, client, ToWhom.CLIENT)
        with place.database.reading() as session:
            assert offers_naloxone(session, client_id=client, today=place.today)
            (use,) = uses_of(session, client_id=client)
        before = place.now
        place.now += timedelta(minutes=1)
        for _again in range(2):
            taken_back(place, client, use.id, use=True)
        with place.database.reading() as session:
            assert not offers_naloxone(session, client_id=client, today=place.today)
            assert replacements(session, site_id=place.site_id, today=place.today) == []
            assert [each.back is not None for each in uses_of(session, client_id=client)] == [True]
        assert figures(asked(place, "naloxone-kits"))["uses"] == ("0", "None")
        assert figures(asked(place, "naloxone-kits", as_of=before))["uses"] == ("1", "None")

    def test_an_offer_stands_again_when_its_kit_was_never_given(self, place: Clinic) -> None:
        client, kits = place.client(), lot(place)
        place.move_on(1)
        place.decide(client, per_supply=3)
        given_to(place, kits, client)
        (gift, *_) = self.gifts(place, client)
        taken_back(place, client, gift)
        with place.database.reading() as session:
            assert offers_naloxone(session, client_id=client, today=place.today)

    def test_is_nobody_elses(self, place: Clinic) -> None:
        client, other = place.client(), place.client()
        given_to(place, lot(place), client)
        (gift, *_) = self.gifts(place, client)
        elsewhere = clinic(place.database, place.now, code="KLG")
        for where, whose in ((place, other), (place, None), (elsewhere, client)):
            with pytest.raises(NotThere):
                taken_back(where, whose, gift)
        desk = replace(place.pharmacist, roles=frozenset({Role.RECEPTION}))
        with pytest.raises(NotAllowed), place.database.writing() as session:
            take_gift_back(session, actor=desk, client_id=client, kit_id=gift, why=Wrong.NEVER, at=place.now)
        assert left(place) == 9

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE naloxone_kit SET voided_at = now()",
            "UPDATE naloxone_kit SET voided_at = now(), voided_by = given_by, void_reason = 'never', kits = 2",
            "UPDATE naloxone_kit SET voided_at = now(), voided_by = given_by, void_reason = 'never'",  # and the lot?
            "UPDATE naloxone_kit SET voided_at = now(), voided_by = given_by, void_reason = 'so'",
            "UPDATE naloxone_use SET voided_at = NULL",
        ],
    )
    def test_postgresql_holds_it_to_once_and_whole(self, place: Clinic, statement: str) -> None:
        given_to(place, lot(place), to=ToWhom.PEER)
        told_of(place, place.client(), ToWhom.FAMILY)
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text(statement))

    def gifts(self, place: Clinic, client: ClientId) -> list[UUID]:
        with place.database.reading() as session:
            mine = gifts_of(session, client_id=client)
            others = gifts_to_others(session, site_id=SiteId(place.site_id), today=place.today)
        return [each.id for each in (*mine, *others)]


def taken_back(
    place: Clinic, client: ClientId | None, entry: UUID, *, use: bool = False, why: Wrong = Wrong.NEVER
) -> None:
    with place.database.writing() as session:
        about = {"actor": place.pharmacist, "client_id": client, "why": why, "at": place.now}
        if use:
            take_use_back(session, use_id=entry, **about)  # type: ignore[arg-type]
        else:
            take_gift_back(session, kit_id=entry, **about)  # type: ignore[arg-type]


def test_people_are_counted_once_by_their_code_which_nobody_can_read(place: Clinic) -> None:
    kits, client = lot(place, kits=50), place.client()
    given_to(place, kits, client, kits=2)
    given_to(place, kits, client, to=ToWhom.FAMILY)
    for code in ("AMI 84", "ami84", "", ""):
        given_to(place, kits, to=ToWhom.COMMUNITY, kits=3, code=code)
    for outcome in (Outcome.LIVES, Outcome.UNKNOWN):
        with place.database.writing() as session:
            report_use(
                session,
                actor=place.doctor,
                client_id=None,
                told_by=ToWhom.PEER,
                happened_on=place.today,
                kits=1,
                outcome=outcome,
                key=uuid4(),
                today=place.today,
                at=place.now,
            )
    assert figures(asked(place, "naloxone-kits")) == {
        "kits": ("15", "None"), "people": ("4", "None"), "trained": ("1", "4"), "uses": ("2", "None"),
        "lives": ("1", "2"),
    }  # fmt: skip
    with place.database.reading() as session:
        assert counts_since(session, site_id=place.site_id, since=place.today) == Counts(15, 4, 1, 2, 1)
        assert digest_of(session, " ") is None
        digest = digest_of(session, "AMI 84")
        assert digest is not None
        assert b"84" not in digest
    assert figures(asked(place, "naloxone-kits", as_of=place.now - timedelta(seconds=1)))["kits"] == ("0", "None")


class TestThePages:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    def test_the_counter_is_told_until_it_is_given_or_declined(self, here: Desks) -> None:
        counter = here.seat(Role.PHARMACIST)
        came = {"batch": "nx1", "product": "nasal", "expires_on": str(here.today + timedelta(days=400)), "came": "9"}
        assert counter.post("/care/naloxone/lots", came).headers["location"] == "/care/naloxone?done=lot"
        clients = [here.place.client() for _ in range(2)]
        for client in clients:
            here.place.decide(client, per_supply=2)
            assert "offer a kit" in text_of(counter.get(f"/counter/clients/{client}"))
        assert text_of(counter.get("/care/naloxone")).count("Ahmad Test") == 2
        with here.database.reading() as session:
            kits = session.scalar(text("SELECT id FROM naloxone_lot"))
        at = f"/care/naloxone/{clients[0]}"
        refused = counter.post(f"{at}/kits", {"lot": str(kits), "to_whom": "client", "kits": "99"})
        assert refused.status_code == 409
        assert 'value="99"' in refused.text
        counter.post(f"{at}/kits", {"lot": str(kits), "to_whom": "client", "kits": "1", "trained": "yes"})
        counter.post(f"/care/naloxone/{clients[1]}/kits", {"answer": "declined"})
        for client in clients:
            assert "offer a kit" not in text_of(counter.get(f"/counter/clients/{client}"))
        assert "shown what to do" in text_of(counter.get(at))
        assert "offered naloxone" in here.acts_about(clients[1])
        assert "Nobody waits for an offer." in text_of(counter.get("/care/naloxone"))

    def test_a_use_is_written_down_by_whoever_hears_of_it(self, here: Desks) -> None:
        nurse = here.seat(Role.NURSE)
        told = {"told_by": "peer", "happened_on": str(here.today), "used": "2", "outcome": "lives"}
        assert nurse.post("/care/naloxone/uses", told).headers["location"] == "/care/naloxone?done=use"
        wrong = {**told, "happened_on": str(here.today + timedelta(days=1))}
        assert nurse.post("/care/naloxone/uses", wrong).status_code == 422
        client = here.place.client()
        assert nurse.post(f"/care/naloxone/{client}/uses", {**told, "told_by": "client"}).status_code == 303
        assert "2 uses told of 2 lives" in text_of(nurse.get("/care/naloxone"))
        refused = nurse.post("/care/naloxone/kits", {"lot": str(uuid4()), "to_whom": "peer", "kits": "1"})
        assert refused.status_code == 404

    def test_what_was_entered_in_error_is_taken_back_with_a_reason(self, here: Desks) -> None:
        nurse, client = here.seat(Role.NURSE), here.place.client()
        kits = lot(here.place)
        for at, whom in (("/care/naloxone", "peer"), (f"/care/naloxone/{client}", "client")):
            nurse.post(f"{at}/kits", {"lot": str(kits), "to_whom": whom, "kits": "2"})
            told = {"told_by": whom, "happened_on": str(here.today), "used": "1", "outcome": "lives"}
            nurse.post(f"{at}/uses", told)
            page = nurse.get(at)
            actions = re.findall(rf'action="({at}/back/[^"]+)"', page.text)
            assert [action.split("/")[-2] for action in actions] == ["kits", "uses"]
            assert nurse.post(actions[0], {"why": ""}).status_code == 422
            assert nurse.post(actions[0].replace("/kits/", "/lots/"), {"why": "twice"}).status_code == 404
            for action in actions:
                assert nurse.post(action, {"why": "twice"}).headers["location"] == f"{at}?done=back"
            shown = text_of(nurse.get(at))
            assert shown.count("It is there twice ·") == 2
            assert "Entered in error?" not in shown
        assert "0 kits given this year 0 people 0 uses told of" in text_of(nurse.get("/care/naloxone"))
        assert left(here.place) == 10
        assert {"took naloxone back", "took use of naloxone back"} <= set(here.acts_about(client))
