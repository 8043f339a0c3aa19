"""A main site orders and its satellite dispenses: from its own safe, one dose a day in the country, no paperwork."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.branches import place_site
from dispensary.staff.models import Site
from dispensary.staff.rules import Role, the_program
from dispensary.stock.transfers import receive, send
from dispensary.supplies.closing import close_day
from dispensary.supplies.day_list import day_list
from dispensary.supplies.guests import end
from dispensary.supplies.outage_pack import pack_of
from dispensary.supplies.satellites import send_to, take_on
from dispensary.units import ClientId, millilitres
from dispensary.verification.verifying import verify
from dispensary.wall import behind
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.lending import lent_app
from tests.dispensary.test_outage_entry import enter, paper
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire, text_of

_keys = itertools.count(1)


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def sent(here: Programme, client_id: ClientId, *, to: str = "KLG") -> object:
    def act(session: WriteSession) -> object:
        return send_to(
            session, actor=here.main.pharmacist, client_id=client_id, satellite=to, key=f"satellite-{next(_keys):06d}",
            at=here.main.now,
        ).id  # fmt: skip

    return here.database.write(act)


def number_of(here: Programme, client_id: ClientId) -> str:
    with here.database.reading() as session:
        return str(session.scalar(text("SELECT number FROM client WHERE id = :id"), {"id": client_id}))


def given(place: Clinic, client_id: ClientId, days: int = 0) -> str:
    try:
        with behind(place.site_id):
            place.give(client_id, take_home_days=place.ahead(*range(1, days + 1)))
    except Refused as refused:
        return refused.first.code
    return "given"


def damage(here: Programme) -> list[str]:
    with here.database.reading() as session:
        return [str(each) for each in verify(session, now=here.main.now)]


class TestAnOrderOfTheMainSite:
    def test_is_dispensed_at_the_satellite_from_its_own_safe_and_into_its_own_register(self, here: Programme) -> None:
        client = here.main.client(mg="60")
        here.main.decide(client, per_supply=2)
        assert given(here.satellite, client) == "no-client", "nobody sent them there"
        sent(here, client)

        assert given(here.satellite, client, days=2) == "given"
        assert given(here.main, client) == "at-satellite"
        with here.database.reading() as session:
            books = session.execute(
                text("SELECT s.code, sum(l.ml) FILTER (WHERE l.kind = 'supplied') FROM register_line l"
                     " JOIN register_book b ON b.id = l.book_id JOIN site s ON s.id = b.site_id GROUP BY 1 ORDER BY 1")
            ).all()  # fmt: skip
            lists = {
                place.site_id: [(row.shown_number, row.state) for row in day_list(
                    session, site_id=place.site_id, day=here.main.today)]
                for place in (here.main, here.satellite)
            }  # fmt: skip
        assert books == [("HRP", None), ("KLG", Decimal(-36)), ("OTH", None)]
        number = number_of(here, client)
        assert lists == {here.main.site_id: [(number, "away")], here.satellite.site_id: [(f"{number}@HRP", "dosed")]}
        assert damage(here) == []

    def test_is_dispensed_to_whoever_stands_at_the_satellite_by_the_number_on_the_card(self, here: Programme) -> None:
        client, stranger = here.main.client(), here.other.client()

        def taken(number: str) -> object:
            with behind(here.satellite.site_id):
                return here.database.write(
                    lambda session: (
                        take_on(
                            session, actor=here.satellite.pharmacist, number=number, key="taken-on-1", at=here.main.now
                        ).id
                    )
                )

        assert taken(number_of(here, client)) == taken(number_of(here, client) + "@hrp")
        with pytest.raises(Refused, match="no client with this number"):
            taken(number_of(here, stranger))
        assert given(here.satellite, client) == "given"
        with here.database.reading() as session:
            acts = session.execute(
                text("""SELECT s.code FROM audit_entry a JOIN site s ON s.id = a.site_id
                        WHERE act = 'doses at satellite' ORDER BY 1""")
            ).all()
        assert acts == [("HRP",), ("KLG",)], "both chains have it"

    def test_is_dispensed_through_a_cut_from_the_satellites_own_pack_and_entered_there_afterwards(
        self, here: Programme
    ) -> None:
        client, stays = here.main.client(mg="60"), here.main.client(mg="40")
        here.main.decide(client, per_supply=2)
        sent(here, client)

        def pack(place: Clinic) -> dict[ClientId, object]:
            with behind(place.site_id), here.database.reading() as session:
                site = session.get_one(Site, place.site_id)
                made = pack_of(session, site=site, today=here.main.today, days_ahead=2, made_at=here.main.now)
            return {each.face.client_id: each.here and each.here[1] for each in made.clients if not each.against}

        assert pack(here.satellite) == {client: Decimal(60)}
        assert pack(here.main) == {stays: Decimal(40)}, "nobody is due on two packs"

        line = paper(here.satellite, client, bottle_days=tuple(here.main.ahead(1, 2)))
        with behind(here.satellite.site_id):
            handed = enter(here.satellite, line)
            assert enter(here.satellite, line).supply_id == handed.supply_id, "a sheet that is entered twice"
        assert [dose["mg"] for dose in handed.answer["doses"]] == ["60.00"] * 3
        with here.database.reading() as session:
            drawn = session.execute(
                text("SELECT s.code, sum(l.ml) FROM register_line l JOIN register_book b ON b.id = l.book_id"
                     " JOIN site s ON s.id = b.site_id WHERE l.kind = 'supplied' GROUP BY 1")
            ).all()  # fmt: skip
        assert drawn == [("KLG", Decimal(-36))], "from the satellite's safe"
        assert given(here.satellite, client) == "already-covered"
        assert damage(here) == []

    def test_covers_a_day_once_in_the_country_whoever_races_whom(self, here: Programme) -> None:
        clients = [here.main.client() for _ in range(6)]
        stays = {client: sent(here, client) for client in clients}

        def comes_back(client: ClientId) -> None:
            here.database.write(
                lambda session: end(
                    session, actor=here.main.pharmacist, stay_id=stays[client],  # type: ignore[arg-type]
                    reason="comes here again", at=here.main.now,
                )
            )  # fmt: skip
            given(here.main, client)

        with ThreadPoolExecutor(8) as pool:
            racing = [pool.submit(given, here.satellite, client) for client in clients for _ in range(2)]
            racing += [pool.submit(comes_back, client) for client in clients]
            for each in racing:
                each.result()
        with here.database.reading() as session:
            covered = session.execute(
                text("SELECT client_id, count(*) FROM dose WHERE voided_at IS NULL GROUP BY 1")
            ).all()
        assert sorted(covered) == sorted((client, 1) for client in clients)
        assert damage(here) == []

    def test_is_missed_by_the_close_of_the_satellite_and_never_by_both(self, here: Programme) -> None:
        client = here.main.client()
        sent(here, client)
        for place in (here.main, here.satellite):
            with here.database.writing() as session:
                close_day(
                    session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now
                )
            with here.database.reading() as session:
                outcomes = session.scalars(text("SELECT outcome FROM day_outcome")).all()
            assert outcomes == ([] if place is here.main else ["missed"])
        assert given(here.satellite, client) == "day-closed"
        assert damage(here) == []


class TestASatellite:
    def test_serves_its_own_main_site_alone_and_keeps_it_while_clients_come(self, here: Programme) -> None:
        client = here.main.client()
        with pytest.raises(Refused, match="no satellite of this site"):
            sent(here, client, to="OTH")
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(
                text("""INSERT INTO guest_stay (id, client_id, home_site_id, guest_site_id, from_day, until_day,
                    satellite, bottles, reason, asked_at_site_id, asked_by, asked_at, verified_by, verified_at,
                    confirmed, refusal, end_reason) VALUES (gen_random_uuid(), :client, :home, :there, :day,
                    '9999-12-31', true, true, 'x', :home, :who, now(), :who, now(), '{}', '', '')"""),
                {"client": client, "home": here.main.site_id, "there": here.other.site_id, "day": here.main.today,
                 "who": here.main.pharmacist.account_id},
            )  # fmt: skip
        sent(here, client)
        with pytest.raises(Refused) as refused, here.database.writing() as session:
            place_site(
                session, actor=the_program(here.satellite.site_id), site_id=here.satellite.site_id, parent="OTH",
                lat=None, lon=None, at=here.main.now,
            )  # fmt: skip
        assert refused.value.first.code == "satellite-has-clients"

    def test_gets_its_stock_from_the_main_site_and_what_is_on_the_road_is_in_no_balance(self, here: Programme) -> None:
        def balances() -> list[object]:
            with here.database.reading() as session:
                return list(session.scalars(text("SELECT balance FROM register_book b JOIN site s ON s.id = b.site_id"
                                                 " WHERE s.code IN ('HRP', 'KLG') ORDER BY s.code")))  # fmt: skip

        main, there = here.main, here.satellite
        transfer = main.database.write(
            lambda session: (
                send(
                    session, actor=main.pharmacist, lot_id=main.lot_id, to_site_id=there.site_id, ml=millilitres("250"),
                    carried_by="seal 7", day=main.today, at=main.now, key="to-satellite-1",
                ).id
            )
        )  # fmt: skip
        assert balances() == [Decimal(4750), Decimal(5000)]
        with here.database.writing() as session:
            receive(
                session, actor=there.pharmacist, transfer_id=transfer, measured=millilitres("250"), reason="",
                day=there.today, at=there.now,
            )  # fmt: skip
        assert balances() == [Decimal(4750), Decimal(5250)]


def test_the_pages_of_both_counters_say_where_the_doses_are_given(here: Programme, tmp_path: Path) -> None:
    app = lent_app(demo_settings(tmp_path), here.database, MovableClock(here.main.now))
    seats = {}
    for place in (here.main, here.satellite):
        with here.database.reading() as session:
            site = session.get_one(Site, place.site_id)
        hire(here.database, site, f"at-{site.code.lower()}", [Role.PHARMACIST], here.main.now)
        seats[site.code] = Visitor(app)
        assert seats[site.code].signs_in(f"at-{site.code.lower()}").status_code == 303
    client = here.main.client()
    assert seats["KLG"].get(f"/counter/clients/{client}").status_code == 404
    assert "Which satellite?" in text_of(seats["HRP"].get(f"/guests/clients/{client}"))
    wrong = seats["HRP"].post(f"/guests/clients/{client}/satellite", {"satellite": "OTH"})
    assert (wrong.status_code, "OTH is no satellite" in text_of(wrong)) == (422, True)

    taken = seats["KLG"].post("/guests/satellite", {"number": number_of(here, client)})
    assert taken.status_code == 303
    assert "Of HRP: doses are given here." in text_of(seats["KLG"].get(f"/counter/clients/{client}"))
    assert "Doses are given at the satellite KLG." in text_of(seats["HRP"].get(f"/counter/clients/{client}"))
    for seat in seats.values():
        assert "Clients whose doses a satellite gives: 1" in text_of(seat.get("/guests"))
