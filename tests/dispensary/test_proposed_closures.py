"""The bottles of closed days are proposed beside what was decided: for a holiday, and for a day without hours."""

from __future__ import annotations

from datetime import datetime, time

import pytest

import scheduling.service
from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.supplies.queries import at_the_window
from dispensary.units import ClientId
from scheduling.rules import Hours
from tests.builders import Clinic, clinic

SUNDAY = 6


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """A clinic on a Tuesday that is open every day but Sunday."""
    place = clinic(database, now)
    with database.writing() as session:
        hours = [Hours(day, time(6), time(11), 15, 5, 2) for day in range(7) if day != SUNDAY]
        scheduling.service.set_hours(session, place_id=place.site_id, hours=hours, from_day=place.today)
    return place


def shut(place: Clinic, ahead: int) -> None:
    (day,) = place.ahead(ahead)
    with place.database.writing() as session:
        scheduling.service.close(session, place_id=place.site_id, first_day=day, last_day=day, reason="Deepavali")


def proposed(place: Clinic, client: ClientId) -> list[int]:
    """How many days ahead each proposed bottle is."""
    with place.database.reading() as session:
        window = at_the_window(session, site_id=place.site_id, client_id=client, today=place.today)
    return [(day - place.today).days for day in window.proposed]


def test_a_holiday_and_a_day_without_hours_come_on_top_of_what_was_decided(here: Clinic) -> None:
    client = here.client()
    here.decide(client, per_supply=2)
    assert proposed(here, client) == [1, 2]

    shut(here, 2)

    assert proposed(here, client) == [1, 2, 3], "the holiday does not count"
    here.give(client, take_home_days=here.ahead(1, 2, 3))
    with pytest.raises(Refused):
        here.give(client, observed=False, take_home_days=here.ahead(4))


def test_the_sunday_after_what_was_decided_is_proposed_with_it(here: Clinic) -> None:
    here.move_on(3)  # Friday
    client = here.client()
    here.decide(client, per_supply=1)

    assert proposed(here, client) == [1, 2], "Saturday, and Sunday on top"
