from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from dispensary.clients.models import Episode
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.prescribing.models import DayOutcome
from dispensary.refusals import Refused
from dispensary.staff.queries import place as site_of
from dispensary.stock.models import Lot
from dispensary.supplies.closing import close_day
from dispensary.supplies.day_list import day_list
from dispensary.supplies.models import Pickup
from dispensary.supplies.pickups import Prepared, prepare_pickup
from dispensary.supplies.queries import at_the_window
from dispensary.units import ClientId, DoseDay
from tests.builders import Clinic, clinic
from tests.dispensary.test_audit_counter import orders


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def packed(place: Clinic, client: ClientId, *days: DoseDay) -> Prepared:
    """A pickup for today."""
    with place.database.writing() as session:
        return prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=place.today,
            take_home_days=days,
            valid=site_of(session, place.site_id).window_of(place.today),
            today=place.today,
            at=place.now,
        )


def closes(place: Clinic) -> None:
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)


def became(place: Clinic, client: ClientId) -> list[tuple[int, int, str, Decimal, Decimal]]:
    """The frozen outcomes of today."""
    frozen = DayOutcome
    with place.database.reading() as session:
        rows = session.execute(
            select(frozen.portion, frozen.portions, frozen.outcome, frozen.ordered_mg, frozen.given_mg)
            .where(frozen.client_id == client, frozen.dose_day == place.today)
            .order_by(frozen.portion)
        )
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


class TestBottlesThatAreNotNeeded:
    def test_a_pickup_is_not_collected_while_one_of_its_bottles_stays_behind(self, here: Clinic) -> None:
        """A bottle of a collected pickup would be promised for ever, and its millilitres could never be counted."""
        client = here.client(mg="80", parts=("40", "40"))
        here.decide(client, per_supply=6)
        prepared = packed(here, client, here.today, *here.ahead(1))

        with pytest.raises(Refused) as refused:
            here.give(client, pickup_id=prepared.pickup_id)

        assert refused.value.first.code == "prepared-not-due"
        with here.database.reading() as session:
            assert session.get_one(Pickup, prepared.pickup_id).state == "prepared"

    def test_it_is_collected_when_all_of_them_leave(self, here: Clinic) -> None:
        client = here.client(mg="80", parts=("40", "40"))
        here.decide(client, per_supply=6)
        prepared = packed(here, client, here.today, *here.ahead(1))

        here.give(client, observed=False, pickup_id=prepared.pickup_id)

        with here.database.reading() as session:
            assert session.get_one(Lot, here.lot_id).bottled == 0


class TestADayThatIsCoveredInOtherPortions:
    """A bottle for the day after tomorrow is at home; then the doctor changes how the dose is divided from tomorrow."""

    def at_home(self, here: Clinic, before: tuple[str, ...], after: tuple[str, ...]) -> ClientId:
        client = here.client(mg="80", parts=before)
        here.decide(client, per_supply=6)
        here.give(client, take_home_days=here.ahead(2))
        orders(here, client, "80", first=here.ahead(1)[0], parts=after, bottles_seen=True)
        here.move_on(2)
        return client

    @pytest.mark.parametrize(
        ("before", "after"), [((), ("40", "40")), (("40", "40"), ()), (("60", "20"), ("30",) * 2 + ("20",))]
    )
    def test_nothing_of_it_is_due(self, here: Clinic, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        client = self.at_home(here, before, after)

        with here.database.reading() as session:
            window = at_the_window(session, site_id=here.site_id, client_id=client, today=here.today)
            listed = day_list(session, site_id=here.site_id, day=here.today)

        assert window.due_mg is None
        assert window.refusals[0].code == "already-covered"
        assert [row.state for row in listed] == ["at home"]
        with pytest.raises(Refused, match="already has the dose"):
            here.give(client)

    @pytest.mark.parametrize(
        ("before", "after", "frozen"),
        [
            ((), ("40", "40"), [(1, 1, "take_home", Decimal(80), Decimal(80))]),
            (
                ("60", "20"),
                (),
                [(1, 2, "take_home", Decimal(60), Decimal(60)), (2, 2, "take_home", Decimal(20), Decimal(20))],
            ),
        ],
    )
    def test_it_is_frozen_as_it_was_covered_and_not_as_missed(
        self, here: Clinic, before: tuple[str, ...], after: tuple[str, ...], frozen: list[tuple[object, ...]]
    ) -> None:
        client = self.at_home(here, before, after)

        closes(here)

        assert became(here, client) == frozen


class TestTheLastDayOfAStay:
    def test_a_dose_that_was_given_on_it_is_frozen_and_what_was_not_given_is_not_missed(self, here: Clinic) -> None:
        dosed, gone = here.client(mg="80", parts=("40", "40")), here.client()
        here.give(dosed)
        for client in (dosed, gone):
            with here.database.writing() as session:
                stay = session.scalar(select(Episode.id).where(Episode.client_id == client))
                assert stay is not None
                end_episode(
                    session,
                    actor=here.doctor,
                    episode_id=stay,
                    ended_on=here.today,
                    reason=ExitReason.TRANSFERRED,
                    at=here.now,
                )

        closes(here)

        assert became(here, dosed) == [(1, 2, "observed", Decimal(40), Decimal(40))]
        assert became(here, gone) == []
