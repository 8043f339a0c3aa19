"""What leaves is what the counter's screen showed, however long the page stood open."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.prescribing.service import order_dose
from dispensary.staff.rules import Role
from dispensary.supplies.exceptions import withhold
from dispensary.units import ClientId, milligrams
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client)
    here.days_pass(1)
    return client


def at_counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


def opened(here: Desks, client: ClientId) -> dict[str, str]:
    """The form as the page has it now, with the checks ticked."""
    page = at_counter(here).get(f"/counter/clients/{client}").text
    form = page[page.index('id="supply"') :]
    hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">', form))
    return {**hidden, "identified_by": "second_identifier", "well": "yes"}


def ordered(here: Desks, client: ClientId, mg: str, ahead: int = 0) -> None:
    with here.database.writing() as session:
        order_dose(
            session,
            actor=here.place.doctor,
            client_id=client,
            mg=milligrams(mg),
            from_day=here.place.ahead(ahead)[0],
            reason="sedated",
            today=here.today,
            at=here.place.now,
        )


def hands_over(here: Desks, client: ClientId, form: dict[str, str], **more: str) -> tuple[int, str]:
    answer = at_counter(here).post(f"/counter/clients/{client}/supply", {**form, **more})
    return answer.status_code, text_of(answer) if answer.status_code != 303 else ""


def test_what_the_page_shows_leaves(here: Desks, client: ClientId) -> None:
    form = opened(here, client)
    assert (form["shown_day"], form["shown_mg"]) == (str(here.today), "80")
    assert hands_over(here, client, form, take_home_days=str(here.place.ahead(1)[0])) == (303, "")


def test_a_dose_that_the_doctor_changed_meanwhile_is_not_recorded_as_poured(here: Desks, client: ClientId) -> None:
    form = opened(here, client)
    ordered(here, client, "70")

    status, said = hands_over(here, client, form)

    assert status == 409
    assert "70 mg is due now, and not the 80 mg that the page showed." in said
    again = opened(here, client)
    assert again["shown_mg"] == "70"
    assert hands_over(here, client, again) == (303, "")


def test_after_midnight_nothing_leaves_from_yesterdays_page(here: Desks, client: ClientId) -> None:
    form = opened(here, client)
    at_counter(here)
    here.days_pass(1)
    at_counter(here).signs_in("pharmacist")

    assert hands_over(here, client, form)[0] == 403, "it was drawn for the sign-in before"
    status, said = hands_over(here, client, form, **at_counter(here).drawn())

    assert status == 409
    assert "Look at what is due today, then hand over." in said


def test_a_bottle_is_not_filled_from_an_order_that_gave_way(here: Desks, client: ClientId) -> None:
    form = opened(here, client)
    ordered(here, client, "70", ahead=1)

    status, said = hands_over(here, client, form, take_home_days=str(here.place.ahead(1)[0]))

    assert status == 409
    assert "was changed since the page was opened" in said
    assert hands_over(here, client, form) == (303, ""), "today's dose is what it was"


@pytest.mark.parametrize("lost", [{"shown_mg": "x"}, {"shown_day": "x"}, {"shown_orders": "x"}])
def test_a_page_that_lost_what_it_showed_is_told_so(here: Desks, client: ClientId, lost: dict[str, str]) -> None:
    status, said = hands_over(here, client, opened(here, client), **lost)

    assert status == 409
    assert "The page has lost what it showed." in said


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"poured_mg": "80"}, 201),
        ({"poured_mg": "70"}, 409),
        ({"dose_day": "2026-01-01"}, 409),
        ({"poured_mg": "x"}, 422),
    ],
)
def test_a_program_may_say_what_was_poured_too(
    here: Desks, client: ClientId, told: dict[str, str], status: int
) -> None:
    request = {"key": "poured-1", "identified_by": "second_identifier", "well": True, **told}

    answer = at_counter(here).send("POST", f"/api/clients/{client}/supplies", request)

    assert answer.status_code == status


def test_on_a_day_on_which_a_dose_was_withheld_for_intoxication_no_bottle_leaves(here: Desks, client: ClientId) -> None:
    with here.database.writing() as session:
        withhold(
            session,
            actor=here.place.pharmacist,
            client_id=client,
            observation="drowsy",
            key="withheld-1",
            today=here.today,
            at=here.place.now,
        )
    assert 'name="take_home_days"' not in at_counter(here).get(f"/counter/clients/{client}").text

    status, said = hands_over(here, client, opened(here, client), take_home_days=str(here.place.ahead(1)[0]))

    assert status == 409
    assert "no bottle is carried home" in said
    assert hands_over(here, client, opened(here, client)) == (303, ""), "well again, the dose is given here"
    here.days_pass(1)
    at_counter(here).signs_in("pharmacist")
    assert hands_over(here, client, opened(here, client), take_home_days=str(here.place.ahead(1)[0])) == (303, "")
