"""Other medicine at the counter: one quiet line, one tick, both or neither; and nobody else reads of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy import select

from dispensary.database import Database
from dispensary.monitoring.treatment_models import Medication, Refill, Treatment
from dispensary.staff.rules import Role
from dispensary.supplies.models import Supply
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


def at(client: ClientId, below: str = "") -> str:
    return f"/counter/clients/{client}{below}"


def health(client: ClientId, below: str) -> str:
    return f"/consulting/clients/{client}/health{below}"


def begins(here: Desks, client: ClientId, substances: str, kind: str = "art", *, ago: int = 0) -> UUID:
    begun = {"kind": kind, "substances": substances, "began_on": day(-ago, here)}
    assert here.doctor.post(health(client, "/treatments"), begun).status_code == 303
    with here.database.reading() as session:
        return session.scalars(select(Treatment.id).where(Treatment.client_id == client, Treatment.kind == kind)).one()


def refilled(here: Desks, client: ClientId, treatment: UUID, days: int, *, ago: int) -> None:
    parts = [str(each) for each in medicines(here, treatment).values()]
    form = {"on": day(-ago, here), "days": str(days), "parts": parts, "key": str(uuid4())}
    assert here.doctor.post(health(client, f"/treatments/{treatment}/refill"), form).status_code == 303


def medicines(here: Desks, treatment: UUID) -> dict[str, UUID]:
    with here.database.reading() as session:
        return {
            each.substance: each.id
            for each in session.scalars(select(Medication).where(Medication.treatment_id == treatment))
        }


def gives(visitor: Visitor, client: ClientId, **said: Any) -> Response:
    form = {"key": str(uuid4()), "observed": "yes", "identified_by": "photo", "well": "yes", **said}
    return visitor.post(at(client, "/supply"), form)


def with_it(here: Desks, treatment: UUID, days: str, **own: str) -> dict[str, Any]:
    parts = medicines(here, treatment)
    return {
        "with_it": str(treatment),
        f"parts_{treatment}": " ".join(str(each) for each in parts.values()),
        f"days_{treatment}": days,
        **{f"days_{parts[name]}": value for name, value in own.items()},
    }


def rows(here: Desks, table: Any) -> list[Any]:
    with here.database.reading() as session:
        return list(session.scalars(select(table).order_by(table.id)))


def nothing_is_broken(here: Desks) -> bool:
    with here.database.reading() as session:
        return [str(finding) for finding in verify(session, now=here.clock())] == []


def written(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


class TestTheLine:
    def test_says_that_both_come_on_one_day_or_how_much_more_is_needed(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "lamivudine, dolutegravir", ago=30)
        assert "no refill is written down yet" in text_of(counter.get(at(client)))
        refilled(here, client, treatment, 37, ago=30)
        said = text_of(counter.get(at(client)))
        assert f"ART dolutegravir, lamivudine R runs out {written(here.today + timedelta(days=7))}" in said

        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(1, 2, 3, 4, 5, 6))
        assert "the day they come next: both on one day" in text_of(counter.get(at(client)))
        refilled(here, client, treatment, 3, ago=29)
        assert "enough beyond the next visit" in text_of(counter.get(at(client)))

    def test_proposes_the_days_that_are_missing_until_they_come_again(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "lamivudine", ago=30)
        refilled(here, client, treatment, 33, ago=30)
        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(1, 2, 3, 4, 5, 6))
        page = counter.get(at(client))
        assert "4 days before they come next" in text_of(page)
        assert "hand over 4 more" in text_of(page)

    def test_offers_a_refill_where_it_ran_out_and_proposes_as_much_as_the_last_time(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "lamivudine", ago=30)
        refilled(here, client, treatment, 28, ago=30)
        page = counter.get(at(client))
        assert "ran out 2 days ago: offer a refill now" in text_of(page)
        assert f'name="days_{treatment}" value="28"' in page.text

    def test_a_medicine_that_was_switched_in_is_not_enough_until_it_was_handed_over(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        """What is left of the others of the regimen says nothing of the new one."""
        treatment = begins(here, client, "efavirenz, lamivudine", ago=30)
        refilled(here, client, treatment, 60, ago=30)
        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(1, 2, 3, 4, 5, 6))
        assert "enough beyond the next visit" in text_of(counter.get(at(client)))
        old = medicines(here, treatment)["efavirenz"]
        form = {"substance": "dolutegravir", "switched_on": day(0, here), "switch_reason": "withdrawal"}
        assert here.doctor.post(health(client, f"/medicines/{old}/switch"), form).status_code == 303
        page = counter.get(at(client))
        assert "no refill of dolutegravir is written down yet: hand it over now" in text_of(page)
        assert "enough beyond" not in text_of(page)
        new = medicines(here, treatment)["dolutegravir"]
        form = {"on": day(0, here), "days": "7", "parts": [str(new)], "key": str(uuid4())}
        assert here.doctor.post(health(client, f"/treatments/{treatment}/refill"), form).status_code == 303
        said = text_of(counter.get(at(client)))
        assert "is written down yet" not in said
        assert "the day they come next: both on one day" in said

    def test_is_not_there_for_anybody_else(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        page = counter.get(at(client)).text
        assert "with-it" not in page
        assert "withit.css" not in page


class TestInOneAct:
    def test_both_leave_by_one_press_and_the_same_form_twice_is_one(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "lamivudine, dolutegravir, tenofovir")
        form = {**with_it(here, treatment, "30", lamivudine="14", tenofovir="0"), "key": str(uuid4())}
        for _ in range(2):
            assert gives(counter, client, **form).status_code == 303
        (supply,) = rows(here, Supply)
        named = {id_: name for name, id_ in medicines(here, treatment).items()}
        assert {named[each.medication_id]: each.days for each in rows(here, Refill)} == {
            "dolutegravir": 30,
            "lamivudine": 14,
        }
        assert {each.supply_id for each in rows(here, Refill)} == {supply.id}
        assert nothing_is_broken(here)

    def test_what_is_refused_writes_neither_and_keeps_what_was_typed(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "lamivudine, dolutegravir")
        refused = gives(counter, client, **with_it(here, treatment, "33", lamivudine="31"), well="")
        assert refused.status_code == 409
        for kept in ('value="33"', 'value="31"', f'name="with_it" value="{treatment}" checked'):
            assert kept in refused.text
        assert '<details class="plain" open>' in refused.text
        for days in ("", "many", "367"):
            assert gives(counter, client, **with_it(here, treatment, days)).status_code == 422, days
        nothing = gives(counter, client, **with_it(here, treatment, "9", lamivudine="0", dolutegravir="0"))
        assert "No medicine would be handed over." in text_of(nothing)
        assert (rows(here, Supply), rows(here, Refill)) == ([], [])

    def test_a_medicine_that_was_switched_meanwhile_is_not_handed_over(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "efavirenz")
        shown = with_it(here, treatment, "30")
        (old,) = medicines(here, treatment).values()
        form = {"substance": "dolutegravir", "switched_on": day(0, here), "switch_reason": "withdrawal"}
        assert here.doctor.post(health(client, f"/medicines/{old}/switch"), form).status_code == 303
        refused = gives(counter, client, **shown)
        assert (refused.status_code, "not-taken" in refused.text) == (409, True)
        assert rows(here, Supply) == []

    def test_one_who_has_had_today_s_dose_is_led_to_the_treatment(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "lamivudine")
        gives(counter, client)
        page = counter.get(at(client))
        assert f'href="{health(client, f"/treatments/{treatment}")}"' in page.text
        assert 'name="with_it"' not in page.text


class TestSwallowedHere:
    def test_is_offered_where_the_treatment_says_so_and_counts_once_a_day(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        treatment = begins(here, client, "rifabutin, isoniazid", kind="tb")
        assert "swallowed here too" not in text_of(counter.get(at(client)))
        page = health(client, f"/treatments/{treatment}")
        observed = here.doctor.post(f"{page}/observed", {"observed": "yes"})
        assert "Doses are swallowed at the counter" in text_of(here.doctor.get(observed.headers["location"]))
        assert "swallowed here too" in text_of(counter.get(at(client)))

        parts = " ".join(str(each) for each in medicines(here, treatment).values())
        swallow = {"here_too": str(treatment), f"swallow_{treatment}": parts}
        assert gives(counter, client, **swallow).status_code == 303
        assert [(each.observed, each.days) for each in rows(here, Refill)] == [(True, 1)] * 2
        assert "swallowed here today" in text_of(counter.get(at(client)))
        form = {"on": day(0, here), "observed": "yes", "parts": parts.split(), "key": str(uuid4())}
        assert "swallowed here on" in text_of(here.doctor.post(f"{page}/refill", form))

        here.days_pass(1)
        counter.signs_in("pharmacist")
        assert gives(counter, client, **swallow).status_code == 303
        assert len(rows(here, Refill)) == 4
        assert nothing_is_broken(here)


class TestTakenBack:
    def test_with_the_supply_and_the_page_says_so(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        treatment = begins(here, client, "lamivudine")
        gives(counter, client, **with_it(here, treatment, "30"))
        (supply,) = rows(here, Supply)
        page = f"/counter/supplies/{supply.id}"
        said = text_of(counter.get(page))
        assert "lamivudine: 30 days" in said
        assert "The other medicine that came with it is taken back too." in said
        form = {"reason": "the other Ahmad was meant", "key": str(uuid4())}
        assert counter.post(f"{page}/void", form).status_code == 303
        assert "lamivudine: 30 days taken back the other Ahmad was meant" in text_of(counter.get(page))
        assert {each.void_reason for each in rows(here, Refill)} == {"the other Ahmad was meant"}
        assert nothing_is_broken(here)


class TestTheInterface:
    def test_does_the_same(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        treatment = begins(here, client, "rifabutin", kind="tb")
        (medicine,) = medicines(here, treatment).values()
        asked = [{"medicine_id": str(medicine), "days": 6}, {"medicine_id": str(medicine), "observed": True}]
        body = {"key": "supply-by-api-1", "identified_by": "photo", "well": True, "refills": asked}
        path = f"/api/clients/{client}/supplies"
        refused = counter.send("POST", path, body)
        assert (refused.status_code, "not-observed" in refused.text) == (409, True)
        observed = counter.send("POST", f"/api/clients/{client}/treatments/{treatment}/observed", {"observed": True})
        assert observed.json()["observed"] is True
        first = counter.send("POST", path, body).json()
        assert [(each["days"], each["observed"]) for each in first["refills"]] == [(6, False), (1, True)]
        again = counter.send("POST", path, body).json()
        assert (again["repeated"], again["refills"]) == (True, first["refills"])
        assert counter.get(f"/api/supplies/{first['supply']}").json()["refills"] == first["refills"]
        void = {"key": "void-by-api-1", "reason": "entered twice"}
        told = counter.send("POST", f"/api/supplies/{first['supply']}/void", void).json()
        assert [each["voided"] for each in told["refills"]] == [True, True]

    @pytest.mark.parametrize("role", [Role.RECEPTION, Role.EVALUATOR, Role.ADMINISTRATOR], ids=lambda role: role.value)
    def test_nobody_else_reads_of_it(self, here: Desks, counter: Visitor, client: ClientId, role: Role) -> None:
        treatment = begins(here, client, "lamivudine")
        gives(counter, client, **with_it(here, treatment, "30"))
        (supply,) = rows(here, Supply)
        other = here.seat(role)
        for path in (at(client), f"/counter/supplies/{supply.id}", f"/api/supplies/{supply.id}", "/consulting/health"):
            assert other.get(path).status_code == 403, path


def test_what_ended_long_ago_is_listed_folded_on_the_page_of_medicines(here: Desks, client: ClientId) -> None:
    treatment = begins(here, client, "sofosbuvir, daclatasvir", kind="hcv", ago=300)
    form = {"stopped_on": day(-200, here), "stop_reason": "cured"}
    assert here.doctor.post(health(client, f"/treatments/{treatment}/stop"), form).status_code == 303
    assert "Earlier medicines and treatments" in text_of(here.doctor.get(health(client, "")))
    said = text_of(here.doctor.get(health(client, "/medicines")))
    assert "Earlier medicines and treatments hepatitis C treatment:" in said
    assert "daclatasvir:" in said
    assert "cured" in said
