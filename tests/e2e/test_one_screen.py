"""The worst client there can be fits one screen of the counter, and none of its pages is wider than a phone."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select, text

from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.jobs import run_night
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.sections import Topic
from dispensary.prescribing.service import order_dose
from dispensary.staff.models import Site
from dispensary.staff.queries import place as site_of
from dispensary.staff.rules import Role
from dispensary.supplies import exceptions
from dispensary.supplies.flags import set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.supplies.losses import Lost, report_loss
from dispensary.supplies.models import Bottle, Supply
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.recalls import call_back
from dispensary.units import ClientId, milligrams
from dispensary.web.signed_in import forget_night
from tests.builders import Clinic, clinic
from tests.dispensary.unusual_place import follows, orders
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person, fits

SENTENCE = "your blood test and the recording of the heart are on Friday at half past eight"


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "pharmacist", [Role.PHARMACIST], place.now)
    return place


def long_named(place: Clinic, mg: str) -> ClientId:
    with place.database.writing() as session:
        enrolled = enrol(
            session,
            actor=place.doctor,
            number="W0001",
            identity=Identity(
                name="Mohammad Firdaus Shahrizal bin Abdul Rahman Al-Hafiz",
                born=date(1984, 5, 6),
                second_identifier="a green ring on the left hand, worn since childhood",
            ),
            began_on=place.today,
            today=place.today,
            at=place.now,
        )
        client = ClientId(enrolled.id)
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams(mg),
            from_day=place.today,
            reason="stable",
            today=place.today,
            at=place.now,
        )
    return client


def flagged(place: Clinic, client: ClientId, *kinds: FlagKind) -> None:
    for kind in kinds:
        with place.database.writing() as session:
            set_flag(
                session,
                actor=place.doctor,
                client_id=client,
                kind=kind,
                sentence=SENTENCE,
                from_day=place.today,
                last_day=None,
                owner_id=None,
                owner_role=None,
                today=place.today,
                at=place.now,
            )


def alerted(place: Clinic, client: ClientId) -> None:
    for cause, sentence in (
        ("qtc", "The QTc of the last recording was 482 ms: the next one is due before the dose is raised."),
        ("interaction", "Rifampicin was begun elsewhere: the dose may be too small within two weeks."),
    ):
        with place.database.writing() as session:
            open_alert(
                session,
                site_id=place.site_id,
                client_id=client,
                cause=cause,
                severity="warning",
                role=Role.DOCTOR,
                sentence=sentence,
                at=place.now,
            )


def called_back(place: Clinic, client: ClientId) -> None:
    with place.database.writing() as session:
        call_back(
            session,
            actor=place.doctor,
            client_id=client,
            cause="check",
            from_day=place.today,
            bring_by=place.today + timedelta(days=2),
            at=place.now,
        )


def refused_this_morning(place: Clinic, client: ClientId) -> None:
    """They would not take it in the morning, and come again."""
    with place.database.writing() as session:
        exceptions.dose_refused(
            session,
            actor=place.pharmacist,
            client_id=client,
            reason="had not eaten, would rather come back after the market closes",
            key="refused this morning",
            today=place.today,
            at=place.now,
        )


def prepared(place: Clinic, client: ClientId, *days: int) -> None:
    with place.database.writing() as session:
        prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=place.today,
            take_home_days=place.ahead(*days),
            valid=(place.now, place.now + timedelta(hours=10)),
            today=place.today,
            at=place.now,
        )


def the_night_went_well(place: Clinic, house: House) -> None:
    """What runs by itself has run, as it does in a clinic, so that nobody is greeted by it."""
    house.clock.moment = place.now
    with house.database.reading() as session:
        site = site_of(session, place.site_id)
    run_night(house.database, house.clock, site=site, data=house.data)


def the_night_went_badly(place: Clinic, house: House) -> None:
    """All that can greet at once: as many words as a greeting ever has."""
    for job in ("recall at random", "look at the safe", "downtime pack"):
        with place.database.writing() as session:
            session.execute(
                text(
                    """INSERT INTO job_run (job, slot, began_at, failure, result)
                       VALUES (:job, 'HRP again', :at, 'the disk is full', '{}')"""
                ),
                {"job": job, "at": house.clock()},
            )
    forget_night(place.site_id)


def can_be_handed_over(counter: Person) -> None:
    box = counter.page.get_by_role("button", name="Hand over").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= DESK["height"], "the one button is on the screen"


def jumping(place: Clinic) -> ClientId:
    """A dose that jumps, six bottles to carry, bottles called back, alerts, a message, and refused this morning."""
    client = long_named(place, "60")
    place.decide(client, per_supply=7)
    place.give(client, take_home_days=place.ahead(8), well=False, found="unwell", observation="a cough for a week")
    place.move_on()
    orders(place, client, "100")
    called_back(place, client)
    flagged(place, client, FlagKind.SAY_FIRST)
    alerted(place, client)
    refused_this_morning(place, client)
    return client


def long_away(place: Clinic) -> ClientId:
    """Days without a dose, of which the prescriber is called, with the pickup of today and a stop of bottles."""
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = long_named(place, "100")
    place.give(client)
    place.move_on(20)
    orders(place, client, "100")
    place.give(client, second_look="as before")
    place.move_on(4)
    place.decide(client, per_supply=6)
    prepared(place, client, 1, 2, 3, 4, 5, 6)
    flagged(place, client, FlagKind.SAY_FIRST, FlagKind.STOP_BOTTLES)
    alerted(place, client)
    return client


def test_a_jump_with_six_bottles_a_recall_two_alerts_a_message_and_a_bad_morning(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = jumping(place)
    the_night_went_well(place, house)
    counter = Person(chromium, house, DESK).signs_in("pharmacist", f"/counter/clients/{client}")
    counter.sees("Why is it right?", "called back", "Say first:", "482 ms")
    counter.picture("counter-worst")
    assert counter.page.locator("[name=take_home_days]").count() >= 6
    fits(counter)
    can_be_handed_over(counter)

    counter.presses("9")
    counter.sees("Not sober")
    counter.picture("counter-worst-asked")
    box = counter.page.get_by_text("Not sober").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= DESK["height"], "what is asked next is on the screen"
    fits(counter)
    can_be_handed_over(counter)

    the_night_went_badly(place, house)
    counter.page.reload()
    counter.sees("Chance did not choose", "100 mg")
    counter.picture("counter-worst-greeted")
    fits(counter)
    can_be_handed_over(counter)
    counter.presses("9")
    counter.sees("Not sober")
    counter.picture("counter-worst-greeted-asked")
    fits(counter)
    can_be_handed_over(counter)


def test_days_without_a_dose_with_a_call_a_prepared_pickup_a_stop_and_a_message(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = long_away(place)
    the_night_went_well(place, house)
    counter = Person(chromium, house, DESK).signs_in("pharmacist", f"/counter/clients/{client}")
    counter.sees("after a call to the prescriber", "6 prepared bottles wait until the prescriber has spoken")
    counter.picture("counter-worst-away")
    fits(counter)

    counter.presses("8")
    counter.types("50")
    counter.presses("Tab")
    counter.types("half of it, see me tomorrow")
    counter.page.keyboard.press("Enter")
    counter.sees("as agreed with Dr. Lim Wei", "6 prepared bottles")
    counter.picture("counter-worst-called")
    fits(counter)
    can_be_handed_over(counter)
    for below in ("/flags", "/bottles"):
        counter.page.goto(f"/counter/clients/{client}{below}")
        counter.picture(f"counter-worst{below.replace('/', '-')}")
        fits(counter)


def test_no_page_of_the_counter_is_wider_than_a_phone(chromium: Browser, house: House, place: Clinic) -> None:
    client = jumping(place)
    other = place.client(mg="80")
    place.decide(other, per_supply=6)
    place.give(other, take_home_days=place.ahead(1, 2, 3))
    with place.database.reading() as session:
        supply = session.scalars(select(Supply.id).where(Supply.client_id == other)).one()
        bottle = session.scalars(select(Bottle.id).where(Bottle.client_id == other).limit(1)).one()
    report = lost(place, other, bottle)
    third = collecting(place)
    with place.database.reading() as session:
        pickup = session.execute(text("SELECT id FROM pickup WHERE client_id = :c"), {"c": third}).scalar_one()
    house.clock.moment = place.now
    phone = Person(chromium, house, PHONE).signs_in("pharmacist", "/counter")
    wide = {}
    for page in (
        "/counter",
        "/counter/day",
        f"/counter/clients/{client}",
        f"/counter/clients/{client}/flags",
        f"/counter/clients/{client}/unusual",
        f"/counter/clients/{other}/bottles",
        f"/counter/clients/{other}/lost",
        f"/reports/{report}",
        f"/counter/supplies/{supply}",
        f"/counter/clients/{third}/pickup",
        f"/counter/pickups/{pickup}",
        "/counter/pickups",
        "/counter/pack",
        "/counter/check",
        "/counter/returned",
        "/counter/stock",
        "/counter/close",
    ):
        answer = phone.page.goto(page)
        assert answer is not None
        assert answer.status == 200, page
        width = phone.page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide[page] = width
    assert wide == {}
    assert phone.troubles == []


def lost(place: Clinic, client: ClientId, bottle: UUID) -> UUID:
    with place.database.writing() as session:
        report = report_loss(
            session,
            actor=place.pharmacist,
            client_id=client,
            bottle_ids=[bottle],
            what=Lost.STOLEN,
            told="The bag was taken on the bus from Petaling Jaya, with the phone and all the papers in it.",
            police_number="PJ/2026/11/000123456789",
            key="a key of its own",
            at=place.now,
        )
        return report.id


def collecting(place: Clinic) -> ClientId:
    """Another client, with a pickup that is prepared for today."""
    client = place.client(mg="80")
    place.decide(client, per_supply=6)
    prepared(place, client, 1, 2)
    return client
