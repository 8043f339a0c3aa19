"""Orders, plans and what is not as usual, in orders of events in which a dose could become a wrong or a second one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from dispensary.database import Database
from dispensary.prescribing.models import DoseOrder
from dispensary.prescribing.queries import open_reduction, order_on
from dispensary.prescribing.sections import Topic
from dispensary.refusals import Refused
from dispensary.staff.rules import Role
from dispensary.supplies.returns import take_back
from dispensary.units import ClientId, milligrams
from dispensary.web import caring_acts, dosing_acts
from dispensary.web.dosing_acts import Bottles, Wanted
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_audit_races import wrong
from tests.dispensary.test_missed_at_counter import absent
from tests.dispensary.unusual_place import allowed, called, follows, one, partly, replaced, spilled, topped_up, vomited


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def order(place: Clinic, client: ClientId, mg: str, *, ahead: int = 0, **more: Any) -> DoseOrder:
    """As the doctor orders, at the desk or through the API."""
    asked = {"reason": "go on", "second_look": "", **more}
    wanted = Wanted(milligrams(mg), (), place.ahead(ahead)[0], None, **asked)
    return place.database.write(
        lambda session: dosing_acts.order(
            session, actor=place.doctor, client_id=client, wanted=wanted, today=place.today, at=place.now
        )
    )


def stop(place: Clinic, client: ClientId, ahead: int) -> None:
    place.database.write(
        lambda session: caring_acts.stop(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.ahead(ahead)[0],
            reason="moves away",
            today=place.today,
            at=place.now,
        )
    )


def given(place: Clinic, client: ClientId) -> str:
    return str(place.give(client, second_look="as ordered").answer["doses"][0]["mg"])


class TestLessThatWasAgreed:
    """A client of 100 mg came back after three days; 50 mg were agreed by telephone."""

    @pytest.fixture
    def client(self, place: Clinic) -> ClientId:
        follows(place, Topic.MISSED, "AU-NAT-2003")
        client = absent(place, 3)
        called(place, client, "50")
        return client

    def test_it_holds_until_the_day_on_which_the_order_is_stopped(self, place: Clinic, client: ClientId) -> None:
        assert given(place, client) == "50.00"

        stop(place, client, 3)

        for _ in range(2):
            place.move_on()
            assert given(place, client) == "50.00"
        assert wrong(place) == []

    def test_it_ends_with_an_order_that_is_stopped_at_once(self, place: Clinic, client: ClientId) -> None:
        stop(place, client, 0)

        with place.database.reading() as session:
            assert open_reduction(session, client_id=client) is None

    def test_after_the_stop_an_order_may_begin_on_any_day(self, place: Clinic, client: ClientId) -> None:
        given(place, client)
        stop(place, client, 2)
        place.move_on(4)

        order(place, client, "60", ahead=2, second_look="as they were")

        with place.database.reading() as session:
            assert open_reduction(session, client_id=client) is None

    def test_when_todays_dose_was_given_an_order_may_begin_tomorrow(self, place: Clinic, client: ClientId) -> None:
        given(place, client)

        order(place, client, "60", ahead=1)

        place.move_on()
        assert given(place, client) == "60.00"
        assert wrong(place) == []

    def test_not_later_than_that(self, place: Clinic, client: ClientId) -> None:
        given(place, client)

        with pytest.raises(Refused) as refused:
            order(place, client, "60", ahead=2)

        assert (refused.value.first.code, refused.value.first.remedy) == (
            "reduction-ends",
            f"Begin on {place.ahead(1)[0]}.",
        )


class TestWhatWasVomited:
    """80 mg were swallowed and came up again; the prescriber allowed all of it once more."""

    @pytest.fixture
    def client(self, place: Clinic) -> ClientId:
        client = place.client(mg="80")
        place.give(client)
        return client

    def test_nothing_is_given_again_for_a_dose_that_was_undone(self, place: Clinic, client: ClientId) -> None:
        about = vomited(place, client, 5)
        allowed(place, about, "80")
        spilled(place, client)

        with pytest.raises(Refused) as refused:
            replaced(place, about)

        assert refused.value.first.code == "dose-undone"
        assert given(place, client) == "80.00"
        assert one(place, "SELECT count(*) FROM extra_dose") == 0
        assert wrong(place) == []

    def test_nor_where_only_a_part_was_swallowed(self, place: Clinic, client: ClientId) -> None:
        about = vomited(place, client, 5)
        allowed(place, about, "80")
        partly(place, client, "10")

        with pytest.raises(Refused, match="undone"):
            replaced(place, about)

    @pytest.mark.parametrize("undone", ["spilled", "partly"])
    def test_a_dose_that_was_given_again_is_not_undone(self, place: Clinic, client: ClientId, undone: str) -> None:
        about = vomited(place, client, 5)
        allowed(place, about, "80")
        replaced(place, about)

        with pytest.raises(Refused) as refused:
            spilled(place, client) if undone == "spilled" else partly(place, client, "10")

        assert refused.value.first.code == "dose-replaced"
        with pytest.raises(Refused, match="already has"):
            place.give(client)
        assert wrong(place) == []

    def test_nor_is_its_bottle_taken_back_full(self, place: Clinic, client: ClientId) -> None:
        place.decide(client, per_supply=6)
        place.give(client, observed=False, take_home_days=place.ahead(1))
        place.move_on()
        about = vomited(place, client, 5, pregnant=True)
        allowed(place, about, "80", beyond=True)
        replaced(place, about)

        with pytest.raises(Refused, match="given again"), place.database.writing() as session:
            take_back(
                session,
                actor=place.pharmacist,
                client_id=client,
                bottles=[(one(place, "SELECT id FROM bottle"), True)],
                reason="full after all",
                today=place.today,
                at=place.now,
            )


class TestWhatAnOrderIsComparedWith:
    def test_a_part_that_was_swallowed_is_no_measure(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        place.move_on()
        partly(place, client, "8")
        place.move_on()

        order(place, client, "80")

        assert given(place, client) == "80.00"

    def test_what_was_given_on_top_counts(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        place.now += timedelta(hours=1)
        order(place, client, "100", ahead=1, second_look="craving")
        topped_up(place, client, "20")
        place.move_on()

        order(place, client, "115")

        assert given(place, client) == "115.00"

    def test_a_bottle_that_came_back_full_was_not_taken(self, place: Clinic) -> None:
        client = place.client(mg="40")
        place.decide(client, per_supply=6)
        place.give(client)
        order(place, client, "50", ahead=1)
        place.give(client, observed=False, take_home_days=place.ahead(1))
        with place.database.writing() as session:
            take_back(
                session,
                actor=place.pharmacist,
                client_id=client,
                bottles=[(one(place, "SELECT id FROM bottle"), True)],
                reason="did not want it",
                today=place.today,
                at=place.now,
            )

        with place.database.reading() as session:
            found = dosing_acts.last_given(session, client_id=client, before=place.ahead(2)[0])

        assert found is not None
        assert (found.day, found.mg) == (place.today, 40)


class TestOddDays:
    """A program may send any day that there is."""

    @pytest.fixture
    def client(self, here: Desks) -> ClientId:
        client = here.place.client(mg="80")
        here.place.give(client)
        return client

    def send(self, here: Desks, client: ClientId, path: str, **body: Any) -> Response:
        return here.doctor.send("POST", f"/api/clients/{client}/{path}", {"reason": "x", **body})

    @pytest.mark.parametrize("until", [0, 1])
    @pytest.mark.parametrize("path", ["orders", "holds"])
    def test_an_end_before_the_beginning_is_said_to_be_that(
        self, here: Desks, client: ClientId, path: str, until: int
    ) -> None:
        mg = {"mg": "80"} if path == "orders" else {}

        answer = self.send(here, client, path, from_day=day(1, here), until_day=day(until, here), **mg)

        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "ends-before", "until_day")

    @pytest.mark.parametrize("until", [-1, 0])
    def test_the_order_page_keeps_what_was_typed_then(self, here: Desks, client: ClientId, until: int) -> None:
        typed = {"mg": "85", "from_day": day(1, here), "until_day": day(until, here), "reason": "craving at night"}

        page = here.doctor.post(f"/consulting/clients/{client}/order", typed)

        assert "The order ends before it begins." in page.text
        assert "craving at night" in page.text

    @pytest.mark.parametrize("far", ["0001-01-01", "0001-01-03", "9999-12-31"])
    def test_a_day_that_nobody_means_is_refused(self, here: Desks, client: ClientId, far: str) -> None:
        steps = [{"from_day": day(1, here), "mg": "85"}, {"from_day": day(5, here), "mg": "90"}]
        plan = self.send(here, client, "plans", kind="titration", steps=steps).json()
        assessed = here.doctor.send("POST", f"/api/clients/{client}/assessments", {}).json()["id"]
        decision = {"assessment_id": assessed, "per_supply": 1, "naloxone": "given"}
        early = [{"from_day": far, "mg": "85"}, {"from_day": "0001-01-02", "mg": "90"}, *steps]

        answers = [
            self.send(here, client, "orders", mg="85", from_day=far),
            self.send(here, client, "orders", mg="85", from_day=day(1, here), until_day=far),
            self.send(here, client, "holds", from_day=far),
            self.send(here, client, "holds", from_day=day(1, here), until_day=far),
            self.send(here, client, "plans", kind="titration", steps=early),
            self.send(here, client, "plans", kind="titration", steps=[*steps, early[0]]),
            self.send(here, client, "plans", kind="titration", steps=steps, until_day=far),
            self.send(here, client, f"plans/{plan['id']}/stop", from_day=far),
            self.send(here, client, f"plans/{plan['id']}/stop", from_day=day(6, here), until_day=far),
            self.send(here, client, f"orders/{plan['orders'][0]['id']}/stop", from_day=far),
            self.send(here, client, "decisions", days_from=far, **decision),
            self.send(here, client, "decisions", days_from=day(0, here), days_until=far, **decision),
            self.send(here, client, "decisions", days_from=day(0, here), review_on=far, **decision),
            self.send(here, client, "decisions/suspend", from_day=day(0, here), review_on=far),
            self.send(here, client, "decisions/restore", from_day=far),
        ]

        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "not-a-day")}
        assert here.acts_about(client).count("held doses") == 0


class TestAskedAgain:
    """A browser that got no answer sends its form again, and a tab is left open, while somebody else orders."""

    @pytest.fixture
    def client(self, here: Desks) -> ClientId:
        client = here.place.client(mg="80")
        here.place.give(client)
        return client

    def send(self, here: Desks, client: ClientId, what: str, *, other: bool = False, **body: Any) -> Response:
        here.clock.goes_on(minutes=1)
        doctor = here.seat(Role.DOCTOR, Role.NURSE) if other else here.doctor
        return doctor.send("POST", f"/api/clients/{client}/{what}", {"reason": "craving", **body})

    def tomorrow(self, here: Desks, client: ClientId) -> tuple[str, date | None]:
        with here.database.reading() as session:
            found = order_on(session, client_id=client, day=here.place.ahead(1)[0])
        assert found is not None
        return str(found.mg), found.days.upper

    def test_what_another_doctor_ordered_since_is_not_undone(self, here: Desks, client: ClientId) -> None:
        asked = {"mg": "90", "from_day": day(1, here)}
        self.send(here, client, "orders", **asked)
        self.send(here, client, "orders", other=True, mg="70", from_day=day(1, here))

        again = self.send(here, client, "orders", **asked)

        assert (again.status_code, again.json()["code"]) == (409, "ordered-since")
        assert self.tomorrow(here, client) == ("70.00", None)
        assert self.send(here, client, "orders", **{**asked, "reason": "we spoke: 90 it is"}).status_code == 201
        assert self.tomorrow(here, client) == ("90.00", None)

    def test_nor_by_a_plan_that_is_signed_again(self, here: Desks, client: ClientId) -> None:
        steps = [{"from_day": day(1, here), "mg": "90"}, {"from_day": day(8, here), "mg": "100"}]
        self.send(here, client, "plans", kind="titration", steps=steps)
        self.send(here, client, "orders", other=True, mg="70", from_day=day(1, here))

        again = self.send(here, client, "plans", kind="titration", steps=steps)

        assert (again.status_code, again.json()["code"]) == (409, "ordered-since")
        assert self.tomorrow(here, client) == ("70.00", None)

    def test_what_was_stopped_since_can_be_ordered_in_the_same_words(self, here: Desks, client: ClientId) -> None:
        asked = {"mg": "90", "from_day": day(1, here)}
        order = self.send(here, client, "orders", **asked).json()["id"]
        self.send(here, client, f"orders/{order}/stop", from_day=day(1, here))

        assert self.send(here, client, "orders", **asked).status_code == 201
        assert self.tomorrow(here, client) == ("90.00", None)

    def test_an_order_to_a_day_is_another_than_one_that_gave_way_on_it(self, here: Desks, client: ClientId) -> None:
        for ahead in (1, 2):
            order(here.place, client, "80", ahead=ahead)

        wanted = Wanted(
            milligrams("80"), (), here.place.ahead(1)[0], here.place.ahead(2)[0], "go on", bottles=Bottles.STAY
        )
        here.place.database.write(
            lambda session: dosing_acts.order(
                session,
                actor=here.place.doctor,
                client_id=client,
                wanted=wanted,
                today=here.today,
                at=here.place.now,
            )
        )

        assert self.tomorrow(here, client) == ("80.00", here.place.ahead(2)[0])
        with here.database.reading() as session:
            assert order_on(session, client_id=client, day=here.place.ahead(2)[0]) is None


class TestAsked:
    def test_stopping_an_order_on_its_first_day_twice_is_stopping_it_once(self, here: Desks) -> None:
        client = here.place.client(mg="80")
        with here.database.reading() as session:
            written = order_on(session, client_id=client, day=here.today)
        assert written is not None

        answers = [
            here.doctor.send(
                "POST",
                f"/api/clients/{client}/orders/{written.id}/stop",
                {"from_day": day(0, here), "reason": "moves away"},
            ).status_code
            for _ in range(2)
        ]

        assert answers == [204, 204]
        assert here.acts_about(client).count("stopped order") == 1

    def test_the_key_of_another_act_is_refused_and_not_answered_with_that(self, here: Desks) -> None:
        client = here.place.client(mg="80")
        path, pharmacist = f"/api/clients/{client}/exceptions", here.seat(Role.PHARMACIST)
        pharmacist.send("POST", f"{path}/withheld", {"key": "a-key-of-mine", "observation": "drowsy"})

        answer = pharmacist.send("POST", f"{path}/refused", {"key": "a-key-of-mine", "reason": "not today"})

        assert (answer.status_code, answer.json()["code"]) == (409, "key-reused")


def test_an_order_that_was_set_aside_with_its_bottles_at_home_leaves_one_dose_a_day(place: Clinic) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=6)
    order(place, client, "85", ahead=1)
    place.give(client, take_home_days=place.ahead(1, 2))
    place.now += timedelta(hours=1)

    order(place, client, "70", ahead=1, bottles=Bottles.CALL_BACK)

    place.move_on()
    with pytest.raises(Refused, match="already has"):
        place.give(client)
    assert wrong(place) == []


def test_what_was_swallowed_in_part_is_not_spilled_whole_afterwards(database: Database, now: datetime) -> None:
    place = clinic(database, now)
    client = place.client(mg="80")
    partly(place, client, "50")

    with pytest.raises(Refused) as refused:
        spilled(place, client)

    assert refused.value.first.code == "swallowed-in-part"
