"""What a pass answers: each that does not open says why in its own words, and is written down with what is known."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

import notifications.service
from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.refusals import NotThere
from dispensary.staff.rules import Role
from dispensary.supplies import passes
from dispensary.supplies.handover import issue_again, not_this_person, tell_again
from dispensary.supplies.models import PickupPass
from dispensary.supplies.pass_models import PassSetting
from dispensary.supplies.passes import FRESH, Reading
from dispensary.supplies.pickups import Prepared, live_pass
from dispensary.supplies.verifying import refused_between
from dispensary.units import ClientId, new_id
from dispensary.web.guessing import MOST_WRONG
from notifications.sealing import MESSAGE_BODY
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_pickups import prepared, verified, window
from tests.dispensary.visiting import Visitor, text_of

VAULT = fresh_vault()
PHONE = "+60123456789"
PAGE = "https://pass.example"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def ready(place: Clinic) -> tuple[ClientId, Prepared]:
    """A client with a phone and a prepared pickup of today."""
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    with place.database.writing() as session:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=client,
            phone=PHONE,
            language="en",
            region="MY",
            now=place.now,
            consented=True,
        )
    return client, prepared(place, client, 1, 2)


def screen(place: Clinic, pickup: Prepared, at: datetime) -> str:
    return passes.screen_of(place.database.vault, pickup.pass_id, at)


def texts(place: Clinic) -> list[tuple[str, str]]:
    with place.database.reading() as session:
        rows = session.execute(text("SELECT id, kind, body_sealed FROM message ORDER BY created_at, id"))
        return [(row.kind, session.vault.open(MESSAGE_BODY, row.id, bytes(row.body_sealed))) for row in rows]


class TestWhatIsShown:
    @given(st.uuids(), st.integers(0, 10_000_000))
    def test_each_kind_of_token_is_known_and_none_is_made_from_another(self, pass_id, minutes) -> None:
        at = datetime.fromisoformat("2026-01-01T00:00:00+00:00") + timedelta(minutes=minutes)
        card, link = passes.token_of(VAULT, pass_id), passes.link_of(VAULT, pass_id)
        shown = passes.screen_of(VAULT, pass_id, at)
        assert [passes.read(VAULT, each) for each in (card, link, shown)] == [
            Reading.CARD,
            Reading.LINK,
            Reading.SCREEN,
        ]
        assert {len(each) for each in (card, link, shown)} == {passes.TOKEN_LENGTH}
        assert all(re.fullmatch("[A-Z2-7]+", each) for each in (card, link, shown))
        for one in (card, link, shown):
            for kind in (passes.CARD, passes.LINK, passes.SCREEN):
                if not one.startswith(kind):
                    assert passes.read(VAULT, kind + one[2:]) is Reading.TAMPERED
        assert [passes.token_digest(VAULT, pass_id)] == passes.token_digests(VAULT, card)
        assert (
            passes.token_digests(VAULT, card) == passes.token_digests(VAULT, shown) == passes.token_digests(VAULT, link)
        )
        assert timedelta(0) <= at - passes.drawn_at(shown) < passes.REDRAWN

    def test_a_screen_cannot_be_given_another_minute(self) -> None:
        pass_id = new_id()
        at = datetime.fromisoformat("2026-11-24T07:05:00+00:00")
        one, other = (passes.screen_of(VAULT, pass_id, at + timedelta(minutes=n)) for n in (0, 60))
        mixed = "".join(a if a == b else b for a, b in zip(one[:33], other[:33], strict=True)) + one[33:]
        assert passes.read(VAULT, mixed) in (Reading.TAMPERED, Reading.SCREEN)
        assert mixed == one or passes.read(VAULT, mixed) is Reading.TAMPERED


class TestVerifying:
    def test_a_screen_opens_while_it_is_fresh_and_a_picture_of_it_does_not(
        self, place: Clinic, ready: tuple[ClientId, Prepared]
    ) -> None:
        _, pickup = ready
        shown = screen(place, pickup, place.now)
        assert verified(place, shown) == "opens"
        assert verified(place, shown, place.now + FRESH) == "opens"
        assert verified(place, shown, place.now + FRESH + timedelta(minutes=1)) == "pass-photographed"
        assert verified(place, screen(place, pickup, place.now + timedelta(hours=1))) == "pass-photographed"

    def test_a_link_is_no_pass(self, place: Clinic, ready: tuple[ClientId, Prepared]) -> None:
        assert verified(place, ready[1].link) == "pass-unreadable"

    def test_a_site_may_switch_cards_off(self, place: Clinic, ready: tuple[ClientId, Prepared]) -> None:
        _, pickup = ready
        with place.database.writing() as session:
            session.add(PassSetting(site_id=place.site_id, cards=False, agent_months=0))
        assert verified(place, pickup.token) == "pass-card-off"
        assert verified(place, pickup.code) == "opens"
        assert verified(place, screen(place, pickup, place.now)) == "opens"

    def test_a_used_screen_is_said_to_be_used_and_not_to_be_a_picture(
        self, place: Clinic, ready: tuple[ClientId, Prepared]
    ) -> None:
        client, pickup = ready
        shown = screen(place, pickup, place.now)
        place.give(client, pickup_id=pickup.pickup_id)
        assert verified(place, shown, place.now + timedelta(hours=1)) == "pass-used"


class TestTheWrongPerson:
    def stop(self, place: Clinic, pickup: Prepared) -> None:
        place.database.write(
            lambda session: not_this_person(
                session,
                actor=place.pharmacist,
                pickup_id=pickup.pickup_id,
                zone="Asia/Kuala_Lumpur",
                today=place.today,
                at=place.now,
            )
        )

    def test_the_pass_is_stopped_nothing_is_handed_over_and_the_client_is_told_nothing_that_reveals(
        self, place: Clinic, ready: tuple[ClientId, Prepared]
    ) -> None:
        client, pickup = ready
        self.stop(place, pickup)
        self.stop(place, pickup)
        for shown in (pickup.token, pickup.code, screen(place, pickup, place.now)):
            assert verified(place, shown) == "pass-stopped"
        assert texts(place) == [("come_by", "Please come and see us by Tue 24 Nov.")]
        with place.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM supply")).scalar_one() == 0
            rows = refused_between(
                session, site_id=place.site_id, since=place.now, until=place.now + timedelta(minutes=1)
            )
        assert [(row.why, row.client_id) for row in rows] == [("wrong-person", client)]

    def test_a_fresh_pass_can_be_issued_and_the_right_person_collects(
        self, place: Clinic, ready: tuple[ClientId, Prepared]
    ) -> None:
        client, pickup = ready
        self.stop(place, pickup)
        assert again(place, pickup, "key-00000001")
        assert verified(place, pickup.code) == "pass-stopped"
        with place.database.reading() as session:
            live = live_pass(session, pickup_id=pickup.pickup_id)
            assert live is not None
            assert verified(place, passes.code_of(session.vault, live.id)) == "opens"
        assert len(place.give(client, pickup_id=pickup.pickup_id).answer["doses"]) == 3

    def test_two_counters_at_once_stop_it_or_hand_it_over_and_never_both(
        self, place: Clinic, ready: tuple[ClientId, Prepared]
    ) -> None:
        client, pickup = ready

        def act(n: int) -> str:
            try:
                if n % 2:
                    self.stop(place, pickup)
                    return "stopped"
                place.give(client, pickup_id=pickup.pickup_id)
                return "collected"
            except Exception as refused:
                return type(refused).__name__

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(act, range(8)))
        assert done.count("collected") == 1, "who is known by photo collects, whatever became of the pass"
        with place.database.reading() as session:
            ends = session.execute(text("SELECT end_reason FROM pickup_pass")).scalars().all()
        assert ends in (["wrong_person"], ["redeemed"])


def again(place: Clinic, pickup: Prepared, key: str) -> bool:
    return place.database.write(
        lambda session: issue_again(
            session,
            actor=place.pharmacist,
            pickup_id=pickup.pickup_id,
            key=key,
            valid=lambda day: window(place, day),
            public_base_url=PAGE,
            zone="Asia/Kuala_Lumpur",
            at=place.now,
        )
    )


class TestIssuedAgain:
    def test_a_lost_pass_is_replaced_once_for_each_press(self, place: Clinic, ready: tuple[ClientId, Prepared]) -> None:
        _, pickup = ready
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: again(place, pickup, "key-00000001"), range(4)))
        with place.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM pickup_pass")).scalar_one() == 2
        assert [kind for kind, _ in texts(place)] == ["pickup_ready"]
        assert verified(place, pickup.token) == "pass-revoked"
        assert again(place, pickup, "key-00000002")
        assert len(texts(place)) == 2

    def test_the_same_pass_is_texted_again_once_for_each_press(
        self, place: Clinic, ready: tuple[ClientId, Prepared]
    ) -> None:
        _, pickup = ready

        def tell(key: str) -> bool:
            return place.database.write(
                lambda session: tell_again(
                    session,
                    actor=place.pharmacist,
                    pickup_id=pickup.pickup_id,
                    key=key,
                    public_base_url=PAGE,
                    zone="Asia/Kuala_Lumpur",
                    at=place.now,
                )
            )

        assert tell("key-1")
        assert tell("key-1")
        (sent,) = texts(place)
        assert f"{PAGE}/p/{pickup.link}" in sent[1]
        assert passes.spoken(pickup.code) in sent[1]
        assert tell("key-2")
        assert len(texts(place)) == 2

    def test_nothing_is_issued_for_what_was_collected(self, place: Clinic, ready: tuple[ClientId, Prepared]) -> None:
        client, pickup = ready
        place.give(client, pickup_id=pickup.pickup_id)
        with pytest.raises(NotThere):
            again(place, pickup, "key-00000001")


@pytest.fixture
def house(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def waiting(house: Desks) -> tuple[ClientId, Prepared]:
    client = house.place.client(mg="60")
    house.place.decide(client, per_supply=6)
    return client, prepared(house.place, client, 1, 2)


class TestThePageOnThePhone:
    def test_it_says_a_letter_a_time_a_code_and_nothing_else(self, house: Desks) -> None:
        _, pickup = waiting(house)
        shown = Visitor(house.app).get(f"/p/{pickup.link}")
        assert shown.status_code == 200
        assert text_of(shown) == f"A {passes.spoken(pickup.code)} until Wed 25 Nov 2026 00:00"
        for revealing in ("Harapan", "HRP", "Ahmad", "Takehome", pickup.token, pickup.link):
            assert revealing not in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert shown.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in shown.headers["x-robots-tag"]
        assert '<meta http-equiv="refresh" content="60">' in shown.text

    def test_a_wrong_a_used_an_expired_and_a_foreign_one_are_answered_alike(self, house: Desks) -> None:
        client, pickup = waiting(house)
        visitor = Visitor(house.app)
        wrong = pickup.link[:-1] + ("A" if pickup.link[-1] != "A" else "B")
        answers = [visitor.get(f"/p/{each}") for each in (wrong, pickup.token, "x", passes.link_of(VAULT, new_id()))]
        house.place.give(client, pickup_id=pickup.pickup_id)
        answers.append(visitor.get(f"/p/{pickup.link}"))
        later, other = waiting(house)
        assert later
        house.days_pass(1)
        answers.append(visitor.get(f"/p/{other.link}"))
        assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
        assert "Takehome" not in answers[0].text

    def test_whoever_tries_many_is_not_looked_up_for_a_while(self, house: Desks) -> None:
        _, pickup = waiting(house)
        visitor = Visitor(house.app)
        for n in range(MOST_WRONG):
            assert visitor.get(f"/p/{n}").status_code == 404
        assert visitor.get(f"/p/{pickup.link}").status_code == 404
        house.clock.goes_on(minutes=11)
        assert visitor.get(f"/p/{pickup.link}").status_code == 200


class TestAtTheCounter:
    def test_a_verified_pass_shows_who_it_must_be_and_redeems_nothing(self, house: Desks) -> None:
        client, pickup = waiting(house)
        counter = house.seat(Role.PHARMACIST)
        found = counter.post("/counter/find", {"sought": pickup.code})
        assert found.headers["location"] == f"/counter/clients/{client}?pickup={pickup.pickup_id}"
        shown = text_of(counter.get(found.headers["location"]))
        assert "Is it this person?" in shown
        assert "2 prepared bottles" in shown
        with house.database.reading() as session:
            assert session.get_one(PickupPass, pickup.pass_id).ended_at is None

    def test_not_this_person_is_one_press_and_leads_to_what_comes_next(self, house: Desks) -> None:
        client, pickup = waiting(house)
        counter = house.seat(Role.PHARMACIST)
        stopped = counter.post(f"/counter/pickups/{pickup.pickup_id}/wrong-person")
        assert stopped.status_code == 303
        shown = text_of(counter.get(stopped.headers["location"]))
        assert "Hand nothing over" in shown
        assert "Issue a new pass" in shown
        assert house.acts_about(client)[-2:] == ["stopped pass", "looked at"]
        assert "pass-stopped" in counter.post("/counter/find", {"sought": pickup.code}).text

    def test_each_refused_pass_stands_on_the_list_of_the_day(self, house: Desks) -> None:
        client, pickup = waiting(house)
        counter = house.seat(Role.PHARMACIST)
        old = passes.screen_of(house.database.vault, pickup.pass_id, house.clock() - timedelta(minutes=10))
        answer = counter.post("/counter/find", {"sought": old})
        assert "This is a picture of a screen from 06:50." in answer.text
        assert "Ask for the phone itself" in answer.text
        counter.post("/counter/find", {"sought": passes.token_of(house.database.vault, new_id())})
        with house.database.reading() as session:
            number = session.execute(text("SELECT number FROM client WHERE id = :id"), {"id": client}).scalar_one()
        assert "2 passes refused today" in text_of(counter.get("/counter/pickups"))
        listed = text_of(counter.get("/counter/pickups/refused"))
        assert f"a picture of a screen pass-photographed {number}" in listed
        assert "no pickup waits for it pass-unknown not known" in listed
        assert "No pass was refused" in text_of(counter.get("/counter/pickups/refused?on=2026-11-20"))

    def test_a_new_pass_and_the_text_are_one_press_each(self, house: Desks) -> None:
        _, pickup = waiting(house)
        counter = house.seat(Role.PHARMACIST)
        here = f"/counter/pickups/{pickup.pickup_id}"
        key = str(new_id())
        for _ in range(2):
            assert counter.post(f"{here}/pass", {"key": key}).headers["location"].startswith(f"{here}?done=issued")
        assert counter.post(f"{here}/text", {"key": str(new_id())}).headers["location"] == f"{here}?done=untold"
        assert counter.get(f"{here}/card.pdf").status_code == 200
        with house.database.writing() as session:
            assert session.execute(text("SELECT count(*) FROM pickup_pass")).scalar_one() == 2
            session.add(PassSetting(site_id=house.place.site_id, cards=False, agent_months=0))
        assert counter.get(f"{here}/card.pdf").status_code == 409
        assert "Print the pass as a card" not in counter.get(here).text


def test_the_office_sets_whether_cards_open_and_how_long_a_consent_may_hold(house: Desks) -> None:
    office = house.administrator
    assert office.post("/office/passes", {"agent_months": "3"}).status_code == 303
    assert 'value="3"' in office.get("/office/passes").text
    assert "not-a-number" in office.post("/office/passes", {"agent_months": "13"}).text
    _, pickup = waiting(house)
    counter = house.seat(Role.PHARMACIST)
    assert "pass-card-off" in counter.post("/counter/find", {"sought": pickup.token}).text
    assert office.post("/office/passes", {"agent_months": "0", "cards": "yes"}).status_code == 303
    assert counter.post("/counter/find", {"sought": pickup.token}).status_code == 303
    assert counter.get("/office/passes").status_code == 403
