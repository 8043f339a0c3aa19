"""Two people at once, at the places where one of them must see what the other did."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Barrier
from uuid import UUID

import pytest

from dispensary.database import Database, WriteSession
from dispensary.prescribing.service import hold_doses
from dispensary.refusals import Refused
from dispensary.staff.queries import place as site_of
from dispensary.stock.models import Lot
from dispensary.supplies.closing import Counted, close_day, to_count
from dispensary.supplies.pickups import Prepared, cancel_pickup, prepare_pickup
from dispensary.takehome.suspending import suspend
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from dispensary.web.consultation import looked_at
from tests.builders import Clinic, clinic


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each act returned, or what it was refused with; anything else that is raised fails the test."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def wrong(place: Clinic) -> list[str]:
    """What `dispensary verify` would say."""
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now)]


def packed(place: Clinic, client: ClientId, *ahead: int) -> UUID:
    def prepare(session: WriteSession) -> Prepared:
        return prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=place.today,
            take_home_days=place.ahead(*ahead),
            valid=site_of(session, place.site_id).window_of(place.today),
            today=place.today,
            at=place.now,
        )

    return place.database.write(prepare).pickup_id


def closing(place: Clinic) -> Callable[[], object]:
    """Closes today as the counter does: counts, measured as the register says."""

    def act(session: WriteSession) -> object:
        counts = {
            row.lot.id: Counted(row.expected_bulk) for row in to_count(session, site_id=place.site_id, day=place.today)
        }
        return close_day(
            session, actor=place.pharmacist, day=place.today, today=place.today, counts=counts, at=place.now
        )

    return lambda: place.database.write(act)


def look(place: Clinic, client: ClientId) -> None:
    """A page of the client is opened: an audit entry, which refers to the site."""
    with place.database.writing() as session:
        looked_at(session, actor=place.doctor, client_id=client, at=place.now, page="client")


def hold(place: Clinic, client: ClientId) -> None:
    with place.database.writing() as session:
        hold_doses(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.today,
            until_day=None,
            reason="QTc",
            at=place.now,
        )


def cancel(place: Clinic, pickup: UUID) -> None:
    with place.database.writing() as session:
        cancel_pickup(session, actor=place.pharmacist, pickup_id=pickup, reason="late", day=place.today, at=place.now)


def stop_bottles(place: Clinic, client_id: ClientId) -> None:
    with place.database.writing() as session:
        suspend(
            session,
            actor=place.doctor,
            client_id=client_id,
            from_day=place.today,
            reason="lost",
            review_on=place.ahead(7)[0],
            at=place.now,
        )


class TestTheCloseOfTheDay:
    def test_while_everybody_is_dosed_and_looked_at_nobody_waits_in_a_circle(self, here: Clinic) -> None:
        clients = [here.client() for _ in range(9)]
        for client in clients[:4]:
            here.decide(client, per_supply=6)
            packed(here, client, 1, 2)

        doses = [partial(here.give, client) for client in clients]
        looks = [partial(look, here, client) for client in clients[:6]]
        found = at_once(*doses[:4], closing(here), *looks, *doses[4:])

        refused = {one.first.code for one in found if isinstance(one, Refused)}
        assert refused <= {"day-closed", "count-differs"}
        assert wrong(here) == []

    def test_twice_is_once(self, here: Clinic) -> None:
        here.client()

        found = at_once(*[closing(here)] * 6)

        assert sum(isinstance(one, Refused) for one in found) == 5
        assert wrong(here) == []


class TestOneClient:
    """Each of these waits for the client's lock: whoever comes second sees what the first did."""

    def test_a_hold_comes_before_the_dose_or_after_it(self, here: Clinic) -> None:
        for client in [here.client() for _ in range(6)]:
            given, _ = at_once(partial(here.give, client), partial(hold, here, client))

            assert not isinstance(given, Refused) or given.first.code == "held"
        assert wrong(here) == []

    def test_a_pickup_is_cancelled_or_collected(self, here: Clinic) -> None:
        for client in [here.client() for _ in range(6)]:
            here.decide(client, per_supply=6)
            pickup = packed(here, client, 1, 2)

            found = at_once(partial(here.give, client, pickup_id=pickup), *[partial(cancel, here, pickup)] * 2)

            assert sum(isinstance(one, Refused) for one in found) == 2
        with here.database.reading() as session:
            assert session.get_one(Lot, here.lot_id).bottled == 0
        assert wrong(here) == []

    def test_a_suspension_lets_no_bottle_out_afterwards(self, here: Clinic) -> None:
        for client in [here.client() for _ in range(6)]:
            here.decide(client, per_supply=6)

            given, _ = at_once(
                partial(here.give, client, take_home_days=here.ahead(1)), partial(stop_bottles, here, client)
            )

            assert not isinstance(given, Refused) or given.first.code == "take-home-per-supply"
        assert wrong(here) == []


class TestTheLot:
    def test_it_is_never_promised_or_poured_beyond_what_is_there(self, database: Database, now: datetime) -> None:
        here = clinic(database, now, ml="64")  # four doses of 16 mL
        clients = [here.client(mg="80") for _ in range(8)]
        for client in clients:
            here.decide(client, per_supply=6)

        found = at_once(
            *[partial(here.give, client) for client in clients[:4]],
            *[partial(packed, here, client, 1) for client in clients[4:]],
        )

        assert sum(isinstance(one, Refused) for one in found) == 4
        assert wrong(here) == []
