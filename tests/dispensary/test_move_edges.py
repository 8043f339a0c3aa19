"""Moves at their edges: what stands at a satellite, a site that runs alone, what a move that is taken back counts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

import scheduling.service
import scheduling.standing
from dispensary.clients.numbers import client_numbered, clients_numbered
from dispensary.clients.service import the_episode
from dispensary.database import Database
from dispensary.homes.asking import turn_down, write_move
from dispensary.homes.going import take_on, undo
from dispensary.homes.queries import bottles_standing
from dispensary.refusals import BadInput, Refused
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.models import Bottle, Pickup
from dispensary.supplies.moment import read_moment
from dispensary.supplies.packing import bottle_row, pack
from dispensary.supplies.rules import Wanted, doses_of
from dispensary.supplies.satellites import send_to
from dispensary.units import ClientId, DoseDay
from dispensary.verification.verifying import verify
from dispensary.wall import behind
from notifications.service import set_contact
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.phones import kl, week
from tests.dispensary.test_closing import close
from tests.dispensary.test_pickups import prepared

_keys = itertools.count(1)


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def at_satellite(here: Programme) -> ClientId:
    """A client of the main site whose doses the satellite gives."""
    client = here.main.client(mg="60")
    here.main.decide(client, per_supply=3)
    with here.database.writing() as session:
        send_to(
            session, actor=here.main.pharmacist, client_id=client, satellite="KLG", key=f"satellite-{next(_keys):06d}",
            at=here.main.now,
        )  # fmt: skip
    return client


def stands_prepared(place: Clinic, client: ClientId, *days: int, collect: int = 0) -> UUID:
    """Bottles from the satellite's own lot that wait there, for today or a later day."""
    on = DoseDay(place.today + timedelta(days=collect))
    wanted = Wanted(observed=False, take_home_days=place.ahead(*days))
    with place.database.writing() as session:
        reading = read_moment(session, site_id=place.site_id, client_id=client, today=on, days=wanted.take_home_days)
        plans = doses_of(reading.moment, wanted)
        packed = pack(session, site_id=place.site_id, plans=plans, bottles=[], day=on)
        pickup = Pickup(
            site_id=place.site_id, client_id=client, episode_id=the_episode(session, client, on).id,
            collect_on=on, state="prepared", prepared_by=place.pharmacist.account_id, prepared_at=place.now,
        )  # fmt: skip
        session.add(pickup)
        session.flush()
        rows = [
            bottle_row(place.pharmacist, client, one, place.now, state="prepared", pickup_id=pickup.id)
            for one in packed
        ]
        session.execute(insert(Bottle), rows)
        return pickup.id


def writes(place: Clinic, client: ClientId, to: str) -> UUID:
    with behind(place.site_id):
        return place.database.write(
            lambda session: (
                write_move(
                    session, actor=place.doctor, client_id=client, to_code=to, reason="lives there now",
                    key=f"move-key-{next(_keys):06d}", at=place.now,
                ).id
            )
        )  # fmt: skip


def takes_on(place: Clinic, move: UUID, number: str = "K7") -> str:
    with behind(place.site_id):
        return place.database.write(
            lambda session: (
                take_on(session, actor=place.pharmacist, move_id=move, number=number, seen=True, at=place.now).state
            )
        )


def refused(act: Callable[[], Any]) -> Refused:
    with pytest.raises((Refused, BadInput)) as why:
        act()
    return why.value


def rows(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql), values)]


def damage(database: Database, at: datetime) -> list[str]:
    with database.reading() as session:
        return [str(each) for each in verify(session, now=at)]


class TestAtASatellite:
    def test_what_stands_prepared_is_named_and_goes_back_into_the_satellites_own_stock(self, here: Programme) -> None:
        client = at_satellite(here)
        stands_prepared(here.satellite, client, 1, 2)
        with behind(here.main.site_id), here.database.reading() as session:
            assert [
                (each.site, each.bottles, each.carried) for each in bottles_standing(session, client_id=client)
            ] == [("KLG", 2, False)]
        move = writes(here.main, client, "OTH")
        assert takes_on(here.other, move) == "done"
        assert rows(here.database, "SELECT state, reason FROM pickup") == [("cancelled", "moved to OTH")]
        assert rows(
            here.database,
            "SELECT s.code, count(*) FROM register_line l JOIN register_book b ON b.id = l.book_id"
            " JOIN site s ON s.id = b.site_id WHERE l.kind = 'note' GROUP BY 1",
        ) == [("KLG", 2)]
        assert rows(here.database, "SELECT DISTINCT state FROM bottle") == [("back_in_stock",)]
        assert rows(here.database, "SELECT bottles_back FROM client_move") == [(2,)]
        assert damage(here.database, here.main.now) == []

    def test_a_satellite_that_has_closed_its_day_keeps_what_stands_there_until_tomorrow(self, here: Programme) -> None:
        client = at_satellite(here)
        stands_prepared(here.satellite, client, 2, collect=1)
        move = writes(here.main, client, "OTH")
        close(here.satellite, counted=False)
        why = refused(lambda: takes_on(here.other, move))
        assert [each.code for each in why.refusals] == ["move-day-closed"]
        assert "KLG" in why.first.sentence
        assert rows(here.database, "SELECT state FROM pickup") == [("prepared",)]

    def test_what_a_carrier_of_the_satellite_has_is_in_the_way_and_says_where(self, here: Programme) -> None:
        client = at_satellite(here)
        pickup = stands_prepared(here.satellite, client, 1)
        with here.database.writing() as session:
            session.add(
                Carrying(
                    site_id=here.satellite.site_id, client_id=client, pickup_id=pickup, bottles=1, state="counted",
                    carrier_id=here.satellite.doctor.account_id, counted_out_at=here.main.now,
                    counted_out_by=here.satellite.pharmacist.account_id,
                )
            )  # fmt: skip
        why = refused(lambda: writes(here.main, client, "OTH"))
        assert [each.code for each in why.refusals] == ["move-bottles-out"]
        assert why.first.sentence == "Bottles for this client are out with a carrier of KLG: 1."
        assert rows(here.database, "SELECT count(*) FROM client_move") == [(0,)]


class TestWhileASiteRunsAlone:
    @pytest.mark.parametrize("apart", ["HRP", "KLG", "OTH"])
    def test_nobody_moves_from_it_to_it_or_from_its_doses_and_nothing_is_lost(
        self, here: Programme, apart: str
    ) -> None:
        client = at_satellite(here)
        before = writes(here.main, client, "OTH")
        with here.database.writing() as session:
            session.execute(
                text("INSERT INTO site_apart (site_id, since, known_at, whole)"
                     " SELECT id, :at, :at, true FROM site WHERE code = :code"),
                {"at": here.main.now, "code": apart},
            )  # fmt: skip
        why = refused(lambda: takes_on(here.other, before))
        assert [each.code for each in why.refusals] == ["move-apart"]
        assert apart in why.first.sentence
        assert rows(here.database, "SELECT state FROM client_move") == [("asked",)]
        with behind(here.main.site_id), here.database.writing() as session:
            turn_down(session, actor=here.main.doctor, move_id=before, reason="later", at=here.main.now)
        assert [each.code for each in refused(lambda: writes(here.main, client, "OTH")).refusals] == ["move-apart"]
        assert rows(here.database, "SELECT site_id FROM client WHERE id = :c", c=client) == [(here.main.site_id,)]

        with here.database.writing() as session:
            session.execute(text("UPDATE site_apart SET until = :at"), {"at": here.main.now})
        assert takes_on(here.other, writes(here.main, client, "OTH")) == "done"
        assert damage(here.database, here.main.now) == []


@pytest.fixture
def sites(database: Database, now: datetime) -> TwoSites:
    return two_sites(database, now)


def test_a_move_that_is_taken_back_keeps_what_was_counted_back_at_either_site(sites: TwoSites) -> None:
    home, guest, database = sites.home, sites.guest, sites.database
    client = home.client()
    home.decide(client, per_supply=4)
    prepared(home, client, 1, 2)
    move = writes(home, client, "KLG")
    assert takes_on(guest, move) == "done"
    guest.decide(client, per_supply=4)
    prepared(guest, client, 1, 2, 3)
    with behind(guest.site_id), database.writing() as session:
        undo(session, actor=guest.pharmacist, move_id=move, at=guest.now)
    assert rows(database, "SELECT state, bottles_back, undone_bottles_back FROM client_move") == [("undone", 2, 3)]
    assert rows(
        database,
        "SELECT s.code, count(*) FROM bottle b JOIN site s ON s.id = b.site_id"
        " WHERE b.state = 'back_in_stock' GROUP BY 1 ORDER BY 1",
    ) == [("HRP", 2), ("KLG", 3)]
    assert sites.damage() == []


def test_a_weekly_time_that_goes_along_tells_the_days_on_which_it_is_full(sites: TwoSites) -> None:
    home, guest, database = sites.home, sites.guest, sites.database
    client = home.client()
    with database.writing() as session:
        for each in (home, guest):
            capacity = 1 if each is guest else 2
            scheduling.service.set_hours(session, place_id=each.site_id, hours=week(capacity), from_day=each.today)
        set_contact(
            session, vault=session.vault, recipient_id=client, phone="+60123000001", language="en", region="MY",
            now=home.now, place_id=home.site_id,
        )  # fmt: skip
        scheduling.standing.set_weekly(
            session, place_id=home.site_id, holder_id=client, weekdays=[3], at=time(9), now=home.now, channel="desk"
        )
    for day in (26,):
        with database.writing() as session:
            scheduling.service.book(
                session, place_id=guest.site_id, holder_id=guest.client(), starts_at=kl(day, 9), now=home.now,
                channel="desk",
            )  # fmt: skip
    assert takes_on(guest, writes(home, client, "KLG")) == "done"
    texted = rows(database, "SELECT kind FROM message WHERE recipient_id = :c ORDER BY kind", c=client)
    assert ("regular_full",) in texted
    assert ("regular_set",) in texted


def test_a_number_is_looked_up_in_one_way_and_one_that_two_sites_have_is_nobodys(here: Programme) -> None:
    client = here.main.client()
    (number,) = rows(here.database, "SELECT number FROM client WHERE id = :c", c=client)[0]
    with here.database.writing() as session:
        session.execute(
            text("""INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)
                 SELECT gen_random_uuid(), :other, number, name_sealed, sex, made_at FROM client WHERE id = :c"""),
            {"c": client, "other": here.other.site_id},
        )
    both = [here.main.site_id, here.other.site_id]
    with here.database.reading() as session:
        assert client_numbered(session, site_id=here.main.site_id, number=f" {number.lower()} ") == client
        assert clients_numbered(session, site_ids=both[:1], numbers=[number.lower()], field="numbers") == {client}
        for site_ids, numbers, code in (
            (both, [number], ["number-of-two"]),
            (both, [number, "X9"], ["no-such-number", "number-of-two"]),
            (both, [], ["no-number"]),
        ):
            with pytest.raises(BadInput) as why:
                clients_numbered(session, site_ids=site_ids, numbers=numbers, field="numbers")
            assert [each.code for each in why.value.refusals] == code
