"""Bottles are brought back by scanning their labels one after the other; nothing that was chosen or typed is lost."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import select

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.bringing import Tally, tally, turned
from dispensary.supplies.losses import Lost, report_loss
from dispensary.supplies.models import Bottle, BottleReturn
from dispensary.supplies.serials import bottle_code, spoken_serial
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.builders import clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_desk_bottles import called_back
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks, counter: Visitor) -> ClientId:
    """Bottles of the three days before today, which are due back empty."""
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2, 3))
    here.days_pass(4)
    counter.signs_in("pharmacist")
    return client


def bottles(here: Desks, client: ClientId) -> list[Bottle]:
    with here.database.reading() as session:
        return list(session.scalars(select(Bottle).where(Bottle.client_id == client).order_by(Bottle.dose_day)))


def scans(counter: Visitor, client: ClientId, label: str, **kept: str) -> Response:
    return counter.post(f"/counter/clients/{client}/bottles/scan", {"label": label, **kept})


def named(bottle: Bottle | UUID) -> str:
    return f"bottle_{bottle.id if isinstance(bottle, Bottle) else bottle}"


def chosen(answer: Response, bottle: Bottle) -> str:
    """What the bottle is taken for on the page."""
    for value in ("full", "empty", ""):
        if f'name="{named(bottle)}" value="{value}" checked' in answer.text:
            return value
    return "not on the page"


class TestAScan:
    def test_marks_its_bottle_empty_and_a_second_one_full(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        one, two, three = bottles(here, client)

        first = scans(counter, client, bottle_code(two.serial), note="kept")
        again = scans(counter, client, spoken_serial(two.serial), **{named(two): "empty"})

        assert [chosen(first, each) for each in (one, two, three)] == ["", "empty", ""]
        assert "Empty. Scan it again if it is full." in text_of(first)
        assert "1 of 3 back, 2 not here. Not here: Wed 25 Nov 2026, Fri 27 Nov 2026." in text_of(first)
        assert "They can be brought another day." in text_of(first)
        assert chosen(again, two) == "full"
        assert "Full. Scan it again if it is empty." in text_of(again)

    def test_keeps_what_was_chosen_and_typed_in_any_order(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        one, two, three = bottles(here, client)
        kept = {named(three): "empty", named(two): "full", "reason": "the seal is broken"}

        answer = scans(counter, client, bottle_code(one.serial), **kept)

        assert [chosen(answer, each) for each in (one, two, three)] == ["empty", "full", "empty"]
        assert 'value="the seal is broken"' in answer.text
        assert "All 3 are back." in text_of(answer)

    @pytest.mark.parametrize(
        ("spoil", "code"),
        [
            (lambda written: written[:5] + str((int(written[5]) + 1) % 10) + written[6:], "bottle-mistyped"),
            (lambda _: bottle_code("000000000000001"), "bottle-unknown"),
            (lambda _: "", "nothing-scanned"),
        ],
        ids=["wrong digit", "nobody's", "nothing"],
    )
    def test_of_no_bottle_says_so_and_loses_nothing(
        self, here: Desks, counter: Visitor, client: ClientId, spoil: type, code: str
    ) -> None:
        one, two, _ = bottles(here, client)

        answer = scans(counter, client, spoil(bottle_code(one.serial)), **{named(two): "full", "reason": "sick"})

        assert answer.status_code == 200
        assert code in text_of(answer)
        assert (chosen(answer, one), chosen(answer, two)) == ("", "full")
        assert 'value="sick"' in answer.text

    def test_of_another_clients_bottle_does_not_say_whose(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        other = here.place.client(mg="60")
        here.place.decide(other, per_supply=6)
        here.place.give(other, take_home_days=here.place.ahead(1))
        foreign, mine = bottles(here, other)[0], bottles(here, client)[0]

        answer = scans(counter, client, bottle_code(foreign.serial), **{named(mine): "empty"})

        assert "This bottle is another client's." in text_of(answer)
        assert str(other) not in answer.text
        assert chosen(answer, mine) == "empty"
        assert here.acts_about(other)[-1] == "scanned bottle"

    def test_of_another_sites_bottle_names_the_site(
        self, here: Desks, counter: Visitor, client: ClientId, database: Database
    ) -> None:
        elsewhere = clinic(database, here.place.now, code="OTH")
        theirs = elsewhere.client()
        elsewhere.decide(theirs, per_supply=6)
        elsewhere.give(theirs, take_home_days=elsewhere.ahead(1))

        answer = scans(counter, client, bottle_code(bottles(here, theirs)[0].serial))

        assert "This bottle belongs to a client of site OTH." in text_of(answer)

    def test_of_one_that_came_back_before_says_when(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        one, two, _ = bottles(here, client)
        counter.post(f"/counter/clients/{client}/bottles", {named(one): "empty"})

        answer = scans(counter, client, bottle_code(one.serial), **{named(two): "empty"})

        assert "This bottle came back before, on 28 Nov 2026." in text_of(answer)
        assert chosen(answer, two) == "empty"
        assert "2 of 3 back, 1 not here. Not here: Fri 27 Nov 2026." in text_of(answer), "with what came before"

    def test_changes_nothing_but_the_log(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        scans(counter, client, bottle_code(bottles(here, client)[0].serial))

        with here.database.reading() as session:
            assert session.scalars(select(BottleReturn)).all() == []
        assert here.acts_about(client)[-2:] == ["scanned bottle", "looked at"]

    def test_of_long_ago_brings_its_row_and_keeps_it(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        one, two, _ = bottles(here, client)
        here.days_pass(60)
        counter.signs_in("pharmacist")

        first = scans(counter, client, bottle_code(two.serial))
        second = scans(counter, client, bottle_code(one.serial), **{named(two): "empty"})

        assert chosen(first, two) == "empty"
        assert (chosen(second, one), chosen(second, two)) == ("empty", "empty")


def test_a_bottle_of_a_day_to_come_is_full_at_first_and_empty_at_the_second_scan(here: Desks, counter: Visitor) -> None:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2))
    recall = called_back(here, client)
    one, _ = bottles(here, client)

    first = scans(counter, client, bottle_code(one.serial), recall_id=str(recall.id))
    again = scans(counter, client, bottle_code(one.serial), recall_id=str(recall.id), **{named(one): "full"})

    assert (chosen(first, one), chosen(again, one)) == ("full", "empty")
    assert "1 of 2 back, 1 not here." in text_of(first)


def test_a_bottle_that_was_reported_lost_turns_up_and_is_taken_back(
    here: Desks, counter: Visitor, client: ClientId
) -> None:
    one = bottles(here, client)[0]
    with here.database.writing() as session:
        report_loss(
            session,
            actor=here.place.pharmacist,
            client_id=client,
            bottle_ids=[one.id],
            what=Lost.LOST,
            told="left on the bus",
            police_number="",
            key="a key of its own",
            at=here.place.now,
        )

    answer = scans(counter, client, bottle_code(one.serial))
    assert "Reported lost, and turned up again: 1" in text_of(answer)
    assert chosen(answer, one) == "empty"
    assert "0 of 2 back, 2 not here. 1 more brought." in text_of(answer)

    done = counter.post(f"/counter/clients/{client}/bottles", {named(one): "empty"})
    assert done.status_code == 303
    assert bottles(here, client)[0].state == "returned_empty"
    with here.database.reading() as session:
        assert [str(finding) for finding in verify(session, now=here.place.now)] == []


def test_a_lost_bottle_that_is_full_again_stays_here_and_is_not_counted_at_a_recall(
    here: Desks, counter: Visitor
) -> None:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2))
    one, two = bottles(here, client)
    with here.database.writing() as session:
        report_loss(
            session,
            actor=here.place.pharmacist,
            client_id=client,
            bottle_ids=[one.id],
            what=Lost.LOST,
            told="somewhere at home",
            police_number="",
            key="a key of its own",
            at=here.place.now,
        )
    recall = called_back(here, client)

    brought = {named(one): "full", named(two): "full", "full_ones": "go home", "reason": "was reported lost"}
    done = counter.post(f"/counter/clients/{client}/bottles", {"recall_id": str(recall.id), **brought})

    assert done.status_code == 303
    assert [each.state for each in bottles(here, client)] == ["returned_full", "handed_over"]


@pytest.mark.parametrize(
    ("before", "ahead", "after"),
    [("", 0, "empty"), ("", -3, "empty"), ("", 1, "full"), ("empty", -1, "full"), ("full", -1, "empty")],
)
def test_each_further_scan_turns_the_bottle_the_other_way(before: str, ahead: int, after: str, now: datetime) -> None:
    today = now.date()

    assert turned(before, today.fromordinal(today.toordinal() + ahead), today=today) == after


def test_what_is_due_is_counted_with_what_came_and_what_nobody_waits_for(now: datetime) -> None:
    one, two, other = (UUID(int=n) for n in (1, 2, 3))
    day = now.date()

    assert tally([(one, day), (two, day)], came=1, brought=[one, other]) == Tally(3, 2, (day,), 1)
