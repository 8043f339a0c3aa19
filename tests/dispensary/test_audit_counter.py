from __future__ import annotations

from datetime import datetime

import pytest

from dispensary.database import Database
from dispensary.prescribing.service import order_dose, stop_order
from dispensary.refusals import Refused
from dispensary.units import ClientId, DoseDay, milligrams
from tests.builders import Clinic, clinic


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def orders(
    place: Clinic, client: ClientId, mg: str, *, first: DoseDay, parts: tuple[str, ...] = (), bottles_seen: bool = False
) -> None:
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams(mg),
            parts=[milligrams(part) for part in parts],
            from_day=first,
            reason="as planned",
            second_look="as planned",
            bottles_seen=bottles_seen,
            today=place.today,
            at=place.now,
        )


class TestAbsence:
    def test_a_step_that_was_planned_before_an_absence_does_not_know_of_it(self, here: Clinic) -> None:
        """Ordered in steps ahead, the dose would even rise for somebody whose tolerance may be lost."""
        client = here.client(mg="60")
        here.give(client)
        orders(here, client, "70", first=here.ahead(4)[0])

        here.move_on(5)
        with pytest.raises(Refused) as refused:
            here.give(client)

        assert refused.value.first.code == "absent"

    def test_an_order_that_was_written_after_it_does(self, here: Clinic) -> None:
        client = here.client(mg="60")
        here.give(client)
        here.move_on(5)
        orders(here, client, "50", first=here.today)

        assert here.give(client).answer["doses"][0]["mg"] == "50.00"

    def test_a_bottle_for_tomorrow_is_refused_like_the_dose_of_today(self, here: Clinic) -> None:
        client = here.client(mg="60")
        here.decide(client, per_supply=6)
        here.give(client)
        with here.database.writing() as session:
            stop_order(
                session,
                actor=here.doctor,
                client_id=client,
                from_day=here.ahead(5)[0],
                reason="a journey",
                today=here.today,
                at=here.now,
            )
        orders(here, client, "60", first=here.ahead(6)[0])
        here.move_on(5)

        with pytest.raises(Refused) as refused:
            here.give(client, observed=False, take_home_days=here.ahead(1))

        assert [refusal.code for refusal in refused.value.refusals] == ["absent"]
