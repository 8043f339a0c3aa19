"""Bottles that are brought back: counted against what there must be, taken back, sent home again, or called off."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import select, text

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.models import BottleReturn, Recall
from dispensary.supplies.recalls import call_back
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    """Today's dose taken, and bottles for the next three days at home."""
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2, 3))
    return client


def at(client_id: ClientId, below: str = "/bottles") -> str:
    return f"/counter/clients/{client_id}{below}"


def bottles(here: Desks) -> list[UUID]:
    with here.database.reading() as session:
        return list(session.scalars(text("SELECT id FROM bottle ORDER BY dose_day")))


def called_back(here: Desks, client: ClientId, cause: str = "check") -> Recall:
    with here.database.writing() as session:
        return call_back(
            session,
            actor=here.place.doctor,
            client_id=client,
            cause=cause,
            from_day=here.today,
            bring_by=here.today + timedelta(days=2),
            at=here.place.now,
        )


def brings(counter: Visitor, client: ClientId, states: dict[UUID, str], **said: str) -> Response:
    return counter.post(at(client), {**{f"bottle_{bottle}": state for bottle, state in states.items()}, **said})


def returned(here: Desks) -> list[BottleReturn]:
    with here.database.reading() as session:
        return list(session.scalars(select(BottleReturn).order_by(BottleReturn.dose_day)))


def the_recall(here: Desks) -> Recall:
    with here.database.reading() as session:
        return session.scalars(select(Recall)).one()


def nothing_is_broken(here: Desks) -> bool:
    with here.database.reading() as session:
        return [str(finding) for finding in verify(session, now=here.place.now)] == []


class TestWithoutARecall:
    def test_the_page_says_what_there_must_be_and_the_look_is_written_down(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        said = text_of(counter.get(at(client)))

        assert "3 full bottles expected" in said
        assert "Wed 25 Nov 2026 80 mg" in said
        assert "full empty not here" in said
        assert here.acts_about(client)[-1] == "looked at"

    def test_full_ones_uncover_their_days_and_empty_ones_are_noted_once(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        one, two, _ = bottles(here)
        for _ in range(2):
            answer = brings(counter, client, {one: "empty", two: "full"}, reason="goes into hospital")
            assert answer.status_code == 303

        assert [row.is_full for row in returned(here)] == [False, True]
        said = text_of(counter.get(answer.headers["location"]))
        assert "Brought back today: 1 empty, 1 full." in said
        assert "Without a dose by it: Thu 26 Nov 2026." in said
        assert "1 full bottle that came back waits apart from the stock." in said
        assert here.acts_about(client).count("took back bottles") == 1
        assert nothing_is_broken(here)

    @pytest.mark.parametrize(
        ("state", "said", "code"),
        [("full", {"reason": " "}, "reason"), ("not here", {"reason": "x"}, "bottles")],
    )
    def test_nothing_is_taken_back_without_a_bottle_or_a_reason(
        self, here: Desks, counter: Visitor, client: ClientId, state: str, said: dict[str, str], code: str
    ) -> None:
        answer = brings(counter, client, {bottles(here)[0]: state}, **said)

        assert answer.status_code == 422
        assert code in text_of(answer)
        assert returned(here) == []

    def test_a_bottle_of_somebody_else_is_not_there(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        other = here.place.client()

        assert brings(counter, other, {bottles(here)[0]: "empty"}).status_code == 404
        assert returned(here) == []

    def test_a_field_that_is_no_bottle_is_refused(self, counter: Visitor, client: ClientId) -> None:
        answer = counter.post(at(client), {"bottle_x": "full"})

        assert answer.status_code == 422
        assert "no-id" in text_of(answer)

    def test_somebody_without_bottles_is_told_so(self, here: Desks, counter: Visitor) -> None:
        said = text_of(counter.get(at(here.place.client())))

        assert "The client has no bottle that could come back." in said

    def test_empty_bottles_of_the_days_before_are_brought_too(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.days_pass(4)
        assert counter.signs_in("pharmacist").status_code == 303

        said = text_of(counter.get(at(client)))
        assert "0 full bottles expected" in said
        assert "Of the days before today: 3" in said
        assert brings(counter, client, dict.fromkeys(bottles(here), "empty")).status_code == 303
        assert len(returned(here)) == 3


class TestACount:
    def test_a_right_count_passes_and_the_bottles_go_home_again(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        recall = called_back(here, client)
        assert "called back Bottles from Tue 24 Nov 2026 on, by Thu 26 Nov 2026." in text_of(
            counter.get(at(client, ""))
        )
        sent = {"recall_id": str(recall.id), "full_ones": "go home"}

        for _ in range(2):
            answer = brings(counter, client, dict.fromkeys(bottles(here), "full"), **sent)
            assert answer.status_code == 303

        assert "Counted: 3 full, as there must be." in text_of(counter.get(answer.headers["location"]))
        assert (the_recall(here).state, returned(here)) == ("passed", [])
        assert here.acts_about(client).count("counted bottles") == 1
        assert nothing_is_broken(here)

    def test_bottles_of_an_earlier_dose_are_counted_and_stay(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        recall = called_back(here, client, "dose_changed")
        sent = {"recall_id": str(recall.id), "full_ones": "stay", "reason": "called back"}

        for _ in range(2):
            answer = brings(counter, client, dict.fromkeys(bottles(here), "full"), **sent)
            assert answer.status_code == 303

        assert the_recall(here).state == "passed"
        assert [row.is_full for row in returned(here)] == [True, True, True]
        assert nothing_is_broken(here)

    def test_a_count_that_is_not_right_asks_once_more_and_then_tells_the_prescriber(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        recall = called_back(here, client)
        one, two, three = bottles(here)
        states = {one: "full", two: "full", three: ""}
        sent = {"recall_id": str(recall.id), "full_ones": "go home"}

        asked = brings(counter, client, states, **sent)
        assert asked.status_code == 422
        assert "2 full bottles were counted; there must be 3." in text_of(asked)
        assert the_recall(here).state == "open"

        answer = brings(counter, client, states, **sent, note="one broke on the bus")
        assert "Counted: 2 full, 3 expected." in text_of(counter.get(answer.headers["location"]))
        with here.database.reading() as session:
            assert session.scalars(text("SELECT severity FROM alert WHERE cause LIKE 'recall:%'")).all() == ["urgent"]

    def test_what_is_missing_of_the_count_and_of_the_return_is_said_at_once(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        recall = called_back(here, client)
        sent = {"recall_id": str(recall.id), "full_ones": "stay", "others_full": "2"}

        asked = text_of(brings(counter, client, dict.fromkeys(bottles(here), "full"), **sent))

        assert "count-differs" in asked
        assert "A full bottle came back, and nobody said why." in asked
        assert (the_recall(here).state, returned(here)) == ("open", [])

    def test_a_recall_is_called_off_for_a_reason(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        path = at(client, f"/recalls/{called_back(here, client).id}/call-off")

        assert counter.post(path, {"off_note": ""}).status_code == 422
        for _ in range(2):
            answer = counter.post(path, {"off_note": "went into hospital"})
            assert answer.status_code == 303

        assert "The recall was called off. went into hospital" in text_of(counter.get(answer.headers["location"]))
        assert here.acts_about(client).count("called off recall") == 1

    def test_a_recall_of_another_client_is_not_there(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        recall, other = called_back(here, client), here.place.client()

        assert brings(counter, other, {}, recall_id=str(recall.id)).status_code == 404
        assert counter.post(at(other, f"/recalls/{recall.id}/call-off"), {"off_note": "x"}).status_code == 404


def test_a_client_of_another_site_is_not_there(here: Desks, counter: Visitor, now: datetime, tmp_path: Path) -> None:
    stranger = desks(here.database, now, tmp_path, code="SAT").place.client()

    assert counter.get(at(stranger)).status_code == 404
    assert brings(counter, stranger, {}).status_code == 404
