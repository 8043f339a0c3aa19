"""Take-home decisions that carry on: what goes on afterwards is never more than what was decided for a day."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from dispensary.database import Database
from dispensary.staff.rules import the_program
from dispensary.takehome.models import Assessment
from dispensary.takehome.nightly import assess_everybody
from dispensary.takehome.terms import Occasion
from dispensary.units import ClientId
from tests.dispensary.takehome_place import CLINIC, TODAY, US, Place, opened

MONTH = TODAY + timedelta(days=30)


@pytest.fixture
def place(database: Database, now: datetime) -> Place:
    return opened(database, now)


@pytest.fixture
def assessed(place: Place) -> Assessment:
    place.adopt(CLINIC)
    return place.assess(place.client("c" * 28, lockbox=True, housing_stable=True))


def test_of_decisions_that_follow_each_other_the_least_goes_on_after_a_suspension(
    place: Place, assessed: Assessment
) -> None:
    place.decide(assessed, 4, 4, reason="until the new work begins")
    place.decide(assessed, 1, 1, days_from=MONTH, reason="nobody at home then")
    client = ClientId(assessed.client_id)
    place.suspend(client)

    place.restore(client)

    assert place.live(client) == [(TODAY, None, 1)]


def test_what_was_granted_once_does_not_go_on_for_good_once_the_law_has_cut_it(place: Place) -> None:
    place.adopt(CLINIC)
    client = place.client("c" * 10)
    assessed, once = place.assess(client), TODAY + timedelta(days=20)
    place.decide(assessed, 1, 1, reason="a careful beginning")
    place.decide(assessed, 14, days_until=once, occasion=Occasion.TRAVEL, reason="a funeral")
    tomorrow = TODAY + timedelta(days=1)
    place.adopt(US, tomorrow)
    place.now += timedelta(days=1)
    place.do(
        lambda session: assess_everybody(
            session, actor=the_program(place.site_id), site_id=place.site_id, on=tomorrow, at=place.now
        )
    )
    assert place.live(client) == [(TODAY, tomorrow, 14), (tomorrow, once, 7), (once, None, 1)]
    place.suspend(client, tomorrow)

    place.restore(client, tomorrow)

    assert place.live(client) == [(TODAY, tomorrow, 14), (tomorrow, None, 1)]


def test_alone_it_goes_on_to_its_last_day(place: Place, assessed: Assessment) -> None:
    client, once = ClientId(assessed.client_id), TODAY + timedelta(days=10)
    place.decide(assessed, 9, days_until=once, occasion=Occasion.TRAVEL, reason="a funeral")
    place.suspend(client)

    restored = place.restore(client)

    assert (restored.kind, restored.occasion) == ("one_off", "travel")
    assert place.live(client) == [(TODAY, once, 9)]


def test_a_suspension_during_which_something_was_granted_once_is_restored_to_what_it_suspended(
    place: Place, assessed: Assessment
) -> None:
    client, once = ClientId(assessed.client_id), TODAY + timedelta(days=5)
    place.decide(assessed, 2, 2, reason="careful")
    place.suspend(client)
    place.decide(assessed, 4, days_until=once, occasion=Occasion.TRAVEL, reason="a funeral")
    place.suspend(client, reason="the journey is off")

    place.restore(client)

    assert place.live(client) == [(TODAY, None, 2)]
