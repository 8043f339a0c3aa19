from __future__ import annotations

import json
import re
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.prescribing.adopting import adopt_guideline
from dispensary.prescribing.guideline import guidelines
from dispensary.prescribing.models import DoseOrder
from dispensary.prescribing.queries import orders_of
from dispensary.prescribing.sections import Topic
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role, the_program
from dispensary.units import ClientId, milligrams
from dispensary.web import dosing_acts
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    """Takes 80 mg a day; has had today's."""
    client = here.place.client(mg="80")
    here.place.give(client)
    return client


def path(client: ClientId) -> str:
    return f"/consulting/clients/{client}/order"


def asked(here: Desks, **changed: str) -> dict[str, str]:
    return {"mg": "85", "portions": "", "from_day": day(1, here), "until_day": "", "reason": "craving", **changed}


def adopted(here: Desks, topic: Topic, guideline: str) -> None:
    with here.database.writing() as session:
        adopt_guideline(
            session,
            actor=the_program(here.place.site_id),
            site_id=here.place.site_id,
            topic=topic,
            guideline=guideline,
            from_day=here.today,
            at=here.place.now,
        )


def orders(here: Desks, client: ClientId) -> list[tuple[str, str, str | None]]:
    with here.database.reading() as session:
        return [
            (str(o.mg), o.days.lower.isoformat(), o.days.upper.isoformat() if o.days.upper else None)  # type: ignore[union-attr]
            for o in orders_of(session, client_id=client)
        ]


class TestChangingADose:
    def test_one_form_changes_it_and_the_order_before_gives_way_without_a_gap(
        self, here: Desks, client: ClientId
    ) -> None:
        answer = here.doctor.post(path(client), asked(here))

        assert (answer.status_code, answer.headers["location"]) == (303, f"/consulting/clients/{client}?done=ordered")
        assert orders(here, client) == [("85.00", day(1, here), None), ("80.00", day(0, here), day(1, here))]
        assert "The order is written." in text_of(here.doctor.get(answer.headers["location"]))

    def test_the_first_day_is_the_first_for_which_nothing_was_given(self, here: Desks) -> None:
        def proposed(client: ClientId) -> str:
            page = here.doctor.get(path(client)).text
            return page.split('name="from_day"')[1].split('value="')[1][:10]

        waits, came, carries = here.place.client(), here.place.client(), here.place.client()
        here.place.give(came)
        here.place.decide(carries, per_supply=2)
        here.place.give(carries, take_home_days=here.place.ahead(1, 2))

        assert [proposed(each) for each in (waits, came, carries)] == [day(0, here), day(1, here), day(3, here)]

    def test_the_last_day_is_included(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(path(client), asked(here, until_day=day(3, here)))

        assert orders(here, client)[0] == ("85.00", day(1, here), day(4, here))

    def test_a_split_dose_is_written_as_people_write_it(self, here: Desks, client: ClientId) -> None:
        assert here.doctor.post(path(client), asked(here, portions="50 + 35")).status_code == 303

        assert "85 mg (50 + 35)" in text_of(here.doctor.get(f"/consulting/clients/{client}")).replace("\xa0", " ")

    def test_a_step_beyond_the_guard_comes_back_as_a_question_with_all_that_was_typed(
        self, here: Desks, client: ClientId
    ) -> None:
        typed = asked(here, mg="130", portions="70+60", until_day=day(9, here), reason="long absence")

        answer = here.doctor.post(path(client), typed)

        assert answer.status_code == 422
        assert "Why is this step right?" in text_of(answer)
        assert "130 mg differs from the last dose (80 mg)" in text_of(answer)
        for value in ("130", "70+60", day(9, here), "long absence"):
            assert f'value="{value}"' in answer.text
        assert len(orders(here, client)) == 1

        answer = here.doctor.post(path(client), {**typed, "second_look": "known from another clinic"})

        assert answer.status_code == 303
        assert orders(here, client)[0][0] == "130.00"

    def test_ten_times_the_last_dose_is_refused_whatever_is_said(self, here: Desks) -> None:
        client = here.place.client(mg="11")
        typed = asked(here, mg="110", second_look="sure")

        answer = here.doctor.post(path(client), typed)

        assert answer.status_code == 422
        assert "ten times the last dose" in text_of(answer)
        assert len(orders(here, client)) == 1

    def test_bottles_at_home_come_back_as_a_question(self, here: Desks) -> None:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=2)
        here.place.give(client, observed=False, take_home_days=here.place.ahead(1, 2))
        typed = asked(here, from_day=day(0, here))

        answer = here.doctor.post(path(client), typed)

        assert answer.status_code == 422
        assert "bottles at home for 2 days" in text_of(answer)
        assert 'name="bottles"' in answer.text
        assert here.doctor.post(path(client), {**typed, "bottles": "stay"}).status_code == 303

    def test_bottles_are_called_back_and_the_order_begins_on_a_day_that_they_were_for(self, here: Desks) -> None:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=2)
        here.place.give(client, take_home_days=here.place.ahead(1, 2))
        typed = asked(here)
        assert here.doctor.post(path(client), {**typed, "bottles": "stay"}).status_code == 422

        assert here.doctor.post(path(client), {**typed, "bottles": "call_back"}).status_code == 303

        assert orders(here, client)[0] == ("85.00", day(1, here), None)
        assert "Bottles from Wed 25 Nov on are called back" in text_of(here.doctor.get(f"/consulting/clients/{client}"))

    def test_it_cannot_begin_on_a_day_for_which_the_client_has_a_dose(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.post(path(client), asked(here, from_day=day(0, here)))

        assert answer.status_code == 422
        assert "already has a dose for" in text_of(answer)

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"mg": ""}, "is not an amount in mg"),
            ({"mg": "NaN"}, "is not an amount in mg"),
            ({"mg": "1e500"}, "out of bounds"),
            ({"mg": "62.555"}, "finer than 0.01 mg"),
            ({"mg": "-5"}, "out of bounds"),
            ({"portions": "50+30"}, "The portions add up to 80 mg, the day's dose is 85 mg."),
            ({"portions": "50+x"}, "is not an amount in mg"),
            ({"portions": "17+17+17+17+17"}, "A day has at most 4 portions."),
            ({"from_day": ""}, "This is missing."),
            ({"from_day": "tomorrow"}, "“tomorrow” is not a day."),
            ({"until_day": "2026-11-24"}, "The order ends before it begins."),
            ({"until_day": "9999-12-31"}, "is too far away."),
            ({"reason": "  "}, "This is missing."),
            ({"reason": "x" * 501}, "longer than 500 characters"),
        ],
    )
    def test_what_cannot_be_ordered_is_said_beside_its_field_and_nothing_is_ordered(
        self, here: Desks, client: ClientId, changed: dict[str, str], said: str
    ) -> None:
        answer = here.doctor.post(path(client), asked(here, **changed))

        assert answer.status_code == 422
        assert said in text_of(answer)
        assert 'aria-invalid="true"' in answer.text
        assert len(orders(here, client)) == 1

    def test_it_cannot_begin_on_a_day_that_has_passed(self, here: Desks) -> None:
        client = here.place.client(began=here.today - timedelta(days=9))

        answer = here.doctor.post(path(client), asked(here, from_day=day(-1, here)))

        assert answer.status_code == 422
        assert "An order begins today or later." in text_of(answer)

    def test_every_fault_is_told_at_once(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.post(path(client), asked(here, mg="x", from_day="x", reason=""))

        assert answer.text.count('aria-invalid="true"') == 3

    def test_each_portion_has_its_place_and_two_to_four_may_be_unequal(self, here: Desks, client: ClientId) -> None:
        typed = asked(here, portions="45+25+15", place_1="supervised", place_2="take_home")
        answer = here.doctor.post(path(client), typed)
        assert answer.status_code == 422
        assert "A portion has no place, or a place no portion." in text_of(answer)
        assert '<option value="take_home" selected>' in answer.text

        assert here.doctor.post(path(client), {**typed, "place_3": "supervised"}).status_code == 303

        with here.database.reading() as session:
            order = orders_of(session, client_id=client)[0]
        assert (order.portions, order.places) == ([45, 25, 15], ["supervised", "take_home", "supervised"])

    @pytest.mark.parametrize("place", [{"place_2": "supervised"}, {"place_1": "in the street"}])
    def test_a_place_without_a_portion_or_that_is_none_is_refused(
        self, here: Desks, client: ClientId, place: dict[str, str]
    ) -> None:
        assert here.doctor.post(path(client), asked(here, **place)).status_code == 422

    @pytest.mark.parametrize("role", [Role.NURSE, Role.PHARMACIST, Role.ADMINISTRATOR])
    def test_a_doctor_alone_orders(self, here: Desks, client: ClientId, role: Role) -> None:
        assert here.seat(role).get(path(client)).status_code == 403
        assert here.seat(role).post(path(client), asked(here)).status_code == 403
        assert len(orders(here, client)) == 1

    def test_a_client_of_another_site_is_not_there(self, here: Desks, tmp_path: Path, now: datetime) -> None:
        other = desks(here.database, now, tmp_path, code="SAT").place.client()

        assert here.doctor.post(path(other), asked(here)).status_code == 404


class TestTheGuideline:
    def test_what_it_says_and_where_that_stands_is_read_before_anything_is_signed(
        self, here: Desks, client: ClientId
    ) -> None:
        assert "follows no guideline for starting and raising a dose" in text_of(here.doctor.get(path(client)))
        adopted(here, Topic.INDUCTION, "AU-NAT-2003")

        said = text_of(here.doctor.get(path(client))).replace("\xa0", " ")

        assert "AU-NAT-2003 Steps of 5–10 mg, at least 3 days apart At most 20 mg more in a week" in said
        assert guidelines()["AU-NAT-2003"].section(Topic.INDUCTION).source in said  # type: ignore[union-attr]
        assert "The dose has been the same since Tue 24 Nov" in said

    def test_a_dose_outside_of_it_comes_back_as_a_question_with_its_source_and_the_reason_is_kept(
        self, here: Desks, client: ClientId
    ) -> None:
        adopted(here, Topic.INDUCTION, "AU-NAT-2003")

        answer = here.doctor.post(path(client), asked(here))

        assert answer.status_code == 422
        assert "Outside AU-NAT-2003: The last change was 1 day ago" in text_of(answer)
        assert guidelines()["AU-NAT-2003"].section(Topic.INDUCTION).source in text_of(answer)  # type: ignore[union-attr]
        assert 'name="outside"' in answer.text
        assert here.doctor.post(path(client), asked(here, outside="severe withdrawal")).status_code == 303
        with here.database.reading() as session:
            entry = session.scalars(
                select(AuditEntry).where(AuditEntry.act == "ordered dose").order_by(AuditEntry.seq.desc()).limit(1)
            ).one()
        kept = json.loads(entry.details)
        assert (kept["outside"], kept["guideline"]) == ("severe withdrawal", "allow_with_reason")

    def test_of_a_first_dose_tolerance_is_asked_since_its_limit_depends_on_it(self, here: Desks) -> None:
        adopted(here, Topic.INDUCTION, "WHO-2009")
        client = here.enrolled("H-1")
        first = asked(here, mg="20", from_day=day(0, here))
        assert 'name="tolerance"' in here.doctor.get(path(client)).text

        assert here.doctor.post(path(client), first).status_code == 422
        assert here.doctor.post(path(client), {**first, "tolerance": "usual"}).status_code == 303

    def test_where_the_law_limits_an_order_its_last_day_stands_there_and_a_longer_one_is_refused(
        self, here: Desks, client: ClientId
    ) -> None:
        adopted(here, Topic.PRESCRIPTION, "VN-CIRC26-2023")

        shown = here.doctor.get(path(client)).text

        assert f'value="{day(30, here)}"' in shown
        assert "At most 30 days: VN-CIRC26-2023" in shown
        for last in ("", day(31, here)):
            answer = here.doctor.post(path(client), asked(here, until_day=last, outside="lives far away"))
            assert answer.status_code == 422
            assert "Circular 26/2023/TT-BYT" in text_of(answer)
        assert here.doctor.post(path(client), asked(here, until_day=day(30, here))).status_code == 303

    def test_the_three_actions_still_do_there(self, here: Desks, client: ClientId) -> None:
        adopted(here, Topic.PRESCRIPTION, "VN-CIRC26-2023")
        quick = here.doctor.get(f"/consulting/clients/{client}").text.split('id="quick"')[1].split("</form>")[0]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', quick))
        hidden.pop("_csrf_token")

        answer = here.doctor.post(path(client), {**hidden, "mg": "85", "reason": "craving"})

        assert answer.status_code == 303
        assert orders(here, client)[0] == ("85.00", day(1, here), day(31, here))


class TestTheSameOrderTwice:
    def test_a_form_that_is_sent_again_finds_its_order_written(self, here: Desks, client: ClientId) -> None:
        for _ in range(2):
            assert here.doctor.post(path(client), asked(here)).status_code == 303

        assert here.acts_about(client).count("ordered dose") == 2  # the first one, and this one once
        with here.database.reading() as session:
            assert session.scalars(select(DoseOrder).where(DoseOrder.voided_at.is_not(None))).all() == []

    def test_sixteen_at_once_write_one_order(self, here: Desks, client: ClientId) -> None:
        wanted = dosing_acts.Wanted(
            mg=milligrams("85"),
            parts=(),
            from_day=here.today + timedelta(days=1),
            until_day=None,
            reason="craving",
        )
        written: list[object] = []
        start = threading.Barrier(16)

        def send() -> None:
            start.wait()
            written.append(
                here.database.write(
                    lambda session: dosing_acts.order(
                        session,
                        actor=here.place.doctor,
                        client_id=client,
                        wanted=wanted,
                        today=here.today,
                        at=here.place.now,
                    )
                ).id
            )

        threads = [threading.Thread(target=send) for _ in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert len(written) == 16
        assert len(set(written)) == 1
        assert here.acts_about(client).count("ordered dose") == 2
