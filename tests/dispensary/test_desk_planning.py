from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.prescribing.models import DosePlan
from dispensary.prescribing.queries import orders_of
from dispensary.prescribing.sections import Topic
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_desk_ordering import adopted
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    """Has taken 40 mg a day for four days; today's is taken."""
    client = here.place.client(mg="40")
    for _ in range(4):
        here.place.give(client)
        here.days_pass(1)
    here.place.give(client)
    return client


def at(client: ClientId, below: str = "") -> str:
    return f"/consulting/clients/{client}/plan{below}"


def typed_in(page: str) -> dict[str, str]:
    """What a browser would send of the plan's form as it is shown."""
    form = page.split('id="plan"')[1].split("</form>")[0]
    sent = {}
    for tag in re.findall(r"<input [^>]*>", form):
        name, value = re.search(r'name="(\w+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and name[1] != "_csrf_token" and ('type="radio"' not in tag and 'type="checkbox"' not in tag):
            sent[name[1]] = value[1] if value else ""
    for name, options in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        sent[name] = chosen[1] if chosen else ""
    return sent


def steps(here: Desks, client: ClientId) -> list[tuple[str, str, str | None]]:
    with here.database.reading() as session:
        return [
            (f"{o.mg.normalize():f}", str(o.days.lower), str(o.days.upper) if o.days.upper else None)
            for o in reversed(orders_of(session, client_id=client))
            if o.plan_id is not None
        ]


class TestProposing:
    def test_the_steps_of_a_titration_are_those_of_the_site_s_guideline(self, here: Desks, client: ClientId) -> None:
        adopted(here, Topic.INDUCTION, "AU-NAT-2003")
        figures = {"kind": "titration", "first_day": day(1, here), "target_mg": "70"}

        page = here.doctor.post(at(client, "/propose"), figures)

        assert page.status_code == 200
        sent = typed_in(page.text)
        doses = [(sent[f"day_{n}"], sent[f"mg_{n}"]) for n in range(3)]
        assert doses == [(day(1, here), "50"), (day(4, here), "60"), (day(8, here), "70")]
        assert text_of(page).count("✓ within") == 3
        assert steps(here, client) == []

    def test_a_taper_goes_to_nothing_where_no_other_dose_is_typed(self, here: Desks, client: ClientId) -> None:
        adopted(here, Topic.TAPER, "UK-ORANGE-2017")

        page = here.doctor.post(at(client, "/propose"), {"kind": "taper", "first_day": day(7, here)})

        sent = typed_in(page.text)
        assert [sent[f"mg_{n}"] for n in range(7)] == ["35", "30", "25", "20", "15", "10", "5"]
        assert sent["until_day"] == day(7 + 7 * 7 - 1, here)

    def test_one_signature_covers_no_more_days_than_the_law_has(self, here: Desks, client: ClientId) -> None:
        adopted(here, Topic.TAPER, "UK-ORANGE-2017")
        adopted(here, Topic.PRESCRIPTION, "VN-CIRC26-2023")

        page = here.doctor.post(at(client, "/propose"), {"kind": "taper", "first_day": day(7, here)})

        sent = typed_in(page.text)
        assert ("mg_4" in sent, sent["mg_5"], sent["until_day"]) == (True, "", day(36, here))
        assert "One signature covers 30 days" in text_of(page)

    def test_without_a_guideline_what_it_would_say_is_asked_for(self, here: Desks, client: ClientId) -> None:
        figures = {"kind": "titration", "first_day": day(1, here), "target_mg": "60", "step_mg": "10"}

        page = here.doctor.post(at(client, "/propose"), figures)
        assert "Type the days between steps" in text_of(page)

        page = here.doctor.post(at(client, "/propose"), {**figures, "days_between": "7"})
        assert [typed_in(page.text)[f"mg_{n}"] for n in range(2)] == ["50", "60"]

    def test_equal_portions_are_proposed_for_a_divided_dose(self, here: Desks, client: ClientId) -> None:
        figures = {"kind": "split", "first_day": day(1, here), "start_mg": "40", "count": "3"}

        page = here.doctor.post(at(client, "/propose"), figures)

        assert typed_in(page.text)["portions_0"] == "14+13+13"

    @pytest.mark.parametrize(
        ("figures", "said"),
        [
            ({"first_day": ""}, "This is missing."),
            ({"target_mg": "many"}, "is not an amount in mg"),
            ({"days_between": "0"}, "whole number from 1 to 90"),
        ],
    )
    def test_a_figure_that_is_none_is_said_beside_its_field(
        self, here: Desks, client: ClientId, figures: dict[str, str], said: str
    ) -> None:
        answer = here.doctor.post(at(client, "/propose"), {"kind": "titration", "first_day": day(1, here), **figures})

        assert answer.status_code == 422
        assert said in text_of(answer)


class TestSigning:
    def form(self, here: Desks, **changed: str) -> dict[str, str]:
        return {
            "kind": "titration",
            "first_day": day(1, here),
            "day_0": day(1, here),
            "mg_0": "45",
            "day_1": day(8, here),
            "mg_1": "50",
            "reason": "withdrawal in the evening",
            **changed,
        }

    def test_one_press_signs_all_steps_and_the_client_s_page_says_what_is_next(
        self, here: Desks, client: ClientId
    ) -> None:
        answer = here.doctor.post(at(client), self.form(here))

        assert (answer.status_code, answer.headers["location"]) == (303, f"/consulting/clients/{client}?done=planned")
        assert steps(here, client) == [("45", day(1, here), day(8, here)), ("50", day(8, here), None)]
        said = text_of(here.doctor.get(f"/consulting/clients/{client}?done=planned")).replace("\xa0", " ")
        assert "The plan is signed." in said
        assert "plan titration : withdrawal in the evening · Doctor Next: 45 mg from Sun 29 Nov 50 mg from" in said

    def test_what_is_outside_the_guideline_is_asked_beside_its_step_and_nothing_typed_is_lost(
        self, here: Desks, client: ClientId
    ) -> None:
        adopted(here, Topic.INDUCTION, "AU-NAT-2003")
        form = self.form(here, mg_1="65", portions_1="40+25", places_1="first")

        answer = here.doctor.post(at(client), form)

        assert answer.status_code == 422
        assert 'name="why_1"' in answer.text
        assert 'name="why_0"' not in answer.text
        assert {name: value for name, value in typed_in(answer.text).items() if form.get(name)} == {
            name: value for name, value in form.items() if value
        }
        assert here.doctor.post(at(client), {**form, "why_1": "known from another clinic"}).status_code == 303
        with here.database.reading() as session:
            plan = session.scalars(select(DosePlan)).one()
        assert plan.steps[1]["why"] == "known from another clinic"
        assert plan.steps[1]["places"] == ["supervised", "take_home"]

    def test_a_look_says_what_is_asked_without_keeping_anything(self, here: Desks, client: ClientId) -> None:
        adopted(here, Topic.INDUCTION, "AU-NAT-2003")

        page = here.doctor.post(at(client, "/look"), self.form(here, mg_1="65"))

        assert page.status_code == 200
        assert "! outside A step of 20 mg exceeds" in text_of(page)
        assert 'name="why_1"' in page.text
        assert steps(here, client) == []

    def test_a_row_without_a_day_and_an_amount_is_left_out(self, here: Desks, client: ClientId) -> None:
        form = self.form(here, day_2="", mg_2="", day_3=day(15, here), mg_3="55")

        assert here.doctor.post(at(client), form).status_code == 303

        assert [mg for mg, _, _ in steps(here, client)] == ["45", "50", "55"]

    def test_every_fault_stands_beside_its_own_field(self, here: Desks, client: ClientId) -> None:
        form = self.form(here, mg_0="x", day_1="", portions_1="30+x")

        answer = here.doctor.post(at(client), form)

        wrong = set(re.findall(r'id="field-(\w+)"[^>]*aria-invalid="true"', answer.text))
        assert (answer.status_code, wrong) == (422, {"mg_0", "day_1", "portions_1"})

    def test_a_reason_is_asked_for(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.post(at(client), self.form(here, reason=""))

        assert answer.status_code == 422
        assert "The reason is missing." in text_of(answer)

    def test_a_pattern_of_weekdays_is_a_row_a_weekday(self, here: Desks, client: ClientId) -> None:
        week = {f"mg_{n}": "40" for n in range(5)} | {f"mg_{n}": "45" for n in (5, 6)}
        form = {"kind": "weekdays", "first_day": day(1, here), "reason": "works at night", **week}
        assert "A pattern of weekdays has a last day." in text_of(here.doctor.post(at(client), form))

        assert here.doctor.post(at(client), {**form, "until_day": day(14, here)}).status_code == 303

        # Tomorrow is a Sunday.
        turns = [(mg, date.fromisoformat(first).strftime("%a")) for mg, first, _ in steps(here, client)]
        assert turns == [("45", "Sun"), ("40", "Mon"), ("45", "Sat"), ("40", "Mon"), ("45", "Sat")]
        assert steps(here, client)[-1][2] == day(15, here)

    def test_a_weekday_that_jumps_is_asked_about_once(self, here: Desks, client: ClientId) -> None:
        week = {f"mg_{n}": "40" for n in range(6)} | {"mg_6": "60"}
        form = {
            "kind": "weekdays",
            "first_day": day(1, here),
            "until_day": day(30, here),
            "reason": "works at night",
            **week,
        }

        answer = here.doctor.post(at(client), form)

        assert set(re.findall(r'name="(why_\d)"', answer.text)) == {"why_0", "why_6"}
        assert here.doctor.post(at(client), {**form, "why_0": "back", "why_6": "long Sunday"}).status_code == 303

    def test_sent_twice_it_is_one_plan(self, here: Desks, client: ClientId) -> None:
        for _ in range(2):
            assert here.doctor.post(at(client), self.form(here)).status_code == 303

        with here.database.reading() as session:
            assert len(session.scalars(select(DosePlan)).all()) == 1

    @pytest.mark.parametrize("role", [Role.NURSE, Role.PHARMACIST, Role.ADMINISTRATOR])
    def test_a_doctor_alone_plans(self, here: Desks, client: ClientId, role: Role) -> None:
        assert here.seat(role).get(at(client)).status_code == 403
        for below in ("", "/propose", "/look"):
            assert here.seat(role).post(at(client, below), self.form(here)).status_code == 403

    def test_a_client_of_another_site_is_not_there(self, here: Desks, tmp_path: Path, now: datetime) -> None:
        other = desks(here.database, now, tmp_path, code="SAT").place.client()

        assert here.doctor.get(at(other)).status_code == 404
        for below in ("", "/propose", "/look"):
            assert here.doctor.post(at(other, below), self.form(here)).status_code == 404

    @pytest.mark.parametrize("kind", ["induction", "titration", "stabilisation", "taper", "split", "weekdays", "x"])
    def test_the_page_of_each_kind_needs_neither_script_nor_style_within_it(
        self, here: Desks, client: ClientId, kind: str
    ) -> None:
        shown = here.doctor.get(at(client, f"?kind={kind}"))

        assert shown.status_code == 200
        assert not re.search(r'\sstyle="|<style|\son\w+="|<script(?![^>]*\ssrc=)', shown.text)


class TestEndingAPlan:
    def test_the_dose_stays_as_it_is_and_the_page_says_so(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client), TestSigning().form(here))
        with here.database.reading() as session:
            plan = session.scalars(select(DosePlan)).one()
        path = f"/consulting/clients/{client}/plans/{plan.id}/stop"
        form = {"plan_from": day(8, here), "plan_until": "", "plan_reason": ""}
        assert here.doctor.post(path, form).status_code == 422

        for _ in range(2):
            answer = here.doctor.post(path, {**form, "plan_reason": "drowsy"})
            assert (answer.status_code, answer.headers["location"][-18:]) == (303, "?done=plan-stopped")

        said = text_of(here.doctor.get(f"/consulting/clients/{client}")).replace("\xa0", " ")
        assert "45 mg from 6 Dec 2026: drowsy" in said
        assert "Next: 45 mg" in said
        assert [mg for mg, _, _ in steps(here, client)] == ["45"]
        assert here.acts_about(client).count("stopped plan") == 1

    def test_a_nurse_ends_none(self, here: Desks, client: ClientId) -> None:
        path = f"/consulting/clients/{client}/plans/{client}/stop"

        assert here.seat(Role.NURSE).post(path, {}).status_code == 403
        form = {"plan_from": day(1, here), "plan_reason": "x"}
        assert here.doctor.post(path, form).status_code == 404
