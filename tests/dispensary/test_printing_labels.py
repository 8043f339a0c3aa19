"""Labels: each bottle says what it is, for which day, and whom to call; a found one names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import zxingcpp
from PIL import ImageDraw, ImageFilter
from sqlalchemy import select, update

from dispensary.clients.models import Client, Episode
from dispensary.database import Database, WriteSession
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import BadInput, NotThere
from dispensary.staff.models import Site
from dispensary.supplies.models import Bottle, Pickup
from dispensary.supplies.paper import Paper, Printer
from dispensary.supplies.pickups import Prepared, cancel_pickup, prepare_pickup
from dispensary.supplies.printing.label_text import portion_name
from dispensary.supplies.printing.labels import (
    bottle_labels,
    initials_of,
    with_strength,
)
from dispensary.supplies.serials import bottle_code, spoken_serial
from dispensary.units import ClientId, milligrams, millilitres, strength
from tests.builders import Clinic, clinic, enrolled
from tests.dispensary.test_voiding import PIN, void
from tests.dispensary.visiting import has_pin
from tests.paper import PAINTERS, Painter, codes_in, pages_of, painted_squares, words_of

WARNINGS = "Keep locked away from children. May be fatal to others. Do not drive if drowsy. Return the empty bottle."


@dataclass
class Counter:
    """A clinic with the papers of its counter."""

    place: Clinic

    def site(self) -> Site:
        with self.place.database.reading() as session:
            return session.scalars(select(Site)).one()

    def labels(self, *, at: Site | None = None, **of: object) -> bytes:
        """In English unless the site speaks otherwise; what is no bottle's or sheet's is how the site prints."""
        site = at or self.site()
        how = {name: of.pop(name) for name in ("named", "printer") if name in of}
        with self.place.database.reading() as session:
            paper = Paper(languages=(site.language,), **how)  # type: ignore[arg-type]
            return bottle_labels(session, site=site, paper=paper, **of)  # type: ignore[arg-type]

    def serials(self, client_id: ClientId) -> list[str]:
        with self.place.database.reading() as session:
            by_day = (Bottle.dose_day, Bottle.portion)
            return list(session.scalars(select(Bottle.serial).where(Bottle.client_id == client_id).order_by(*by_day)))

    def codes(self, client_id: ClientId) -> list[str]:
        return [bottle_code(serial) for serial in self.serials(client_id)]

    def number(self, client_id: ClientId) -> str:
        with self.place.database.reading() as session:
            return session.get_one(Client, client_id).number

    def prepared(self, client_id: ClientId, *days: int) -> Prepared:
        place = self.place
        with place.database.writing() as session:
            return prepare_pickup(
                session,
                actor=place.pharmacist,
                client_id=client_id,
                collect_on=place.today,
                take_home_days=place.ahead(*days),
                valid=(place.now, place.now + timedelta(hours=10)),
                today=place.today,
                at=place.now,
            )


@pytest.fixture
def counter(database: Database, now: datetime) -> Counter:
    place = clinic(database, now)
    with database.writing() as session:
        session.execute(update(Site).values(address="12 Jalan Ipoh, 51200 Kuala Lumpur", phone="+60 3-4041 2233"))
    return Counter(place)


def carrying(counter: Counter, bottles: int, **order: object) -> tuple[ClientId, UUID]:
    """A client who was handed so many days' bottles, and the supply."""
    client_id = counter.place.client(**order)  # type: ignore[arg-type]
    counter.place.decide(client_id, per_supply=bottles)
    handed = counter.place.give(client_id, take_home_days=counter.place.ahead(*range(1, bottles + 1)))
    return client_id, handed.supply_id


def test_a_label_says_all_that_a_bottle_must_say(counter: Counter) -> None:
    client_id, supply_id = carrying(counter, 1, mg="62.5")
    said = words_of(counter.labels(supply_id=supply_id))
    for words in (
        "Harapan",
        "12 Jalan Ipoh, 51200 Kuala Lumpur, +60 3-4041 2233",
        "Take on",
        "Wednesday 25 November 2026",
        "Bottle 1 of 1",
        f"{counter.number(client_id)} A. T.",
        "Methadone oral solution 5 mg/mL",
        "62.5 mg = 12.5 mL",
        "Drink the whole bottle on this day.",
        "Batch LOT-HRP, expires 29 Dec 2027. Packed 24 Nov 2026 07:00, AY",
    ):
        assert words in said, words
    for warning in WARNINGS.split(". "):
        assert warning.rstrip(".") in said, warning
    (serial,) = counter.serials(client_id)
    assert spoken_serial(serial) in said


def test_a_label_names_nobody_unless_the_site_wants_it(counter: Counter) -> None:
    client_id, supply_id = carrying(counter, 1)
    assert "Ahmad" not in words_of(counter.labels(supply_id=supply_id))
    assert f"{counter.number(client_id)} Ahmad Test" in words_of(counter.labels(supply_id=supply_id, named=True))


@pytest.mark.parametrize("painter", PAINTERS)
def test_fourteen_bottles_have_fourteen_labels_whose_codes_are_their_serials(
    counter: Counter, painter: Painter
) -> None:
    client_id, supply_id = carrying(counter, 14)
    sheet = counter.labels(supply_id=supply_id)
    (page,) = painter(sheet)
    assert codes_in(page) == counter.codes(client_id)
    said = words_of(sheet)
    assert [said.count(f"Bottle {n} of 14") for n in range(1, 15)] == [1] * 14


@pytest.mark.parametrize("painter", PAINTERS)
def test_a_label_printer_gets_a_page_for_each_label(counter: Counter, painter: Painter) -> None:
    client_id, supply_id = carrying(counter, 3)
    roll = counter.labels(supply_id=supply_id, printer=Printer.ROLL)
    assert [codes_in(page) for page in painter(roll)] == [[code] for code in counter.codes(client_id)]


@pytest.mark.parametrize("painter", PAINTERS)
def test_a_label_is_read_when_it_is_blurred_and_when_a_drop_ran_over_it(counter: Counter, painter: Painter) -> None:
    with counter.place.database.writing() as session:
        client_id = enrolled(session, counter.place, mg="80", began=counter.place.today)
        order_id = session.scalars(select(DoseOrder.id)).one()
        pickup_id = waiting(session, counter.place, client_id)
        session.add(
            Bottle(
                serial="019283746556473",  # always the same, so that the drop always falls on the same squares
                site_id=counter.place.site_id,
                client_id=client_id,
                order_id=order_id,
                pickup_id=pickup_id,
                lot_id=counter.place.lot_id,
                dose_day=counter.place.ahead(1)[0],
                portion=1,
                portions=1,
                mg=milligrams("80"),
                ml=millilitres("16"),
                state="prepared",
                packed_by=counter.place.pharmacist.account_id,
                packed_at=counter.place.now,
            )
        )
    (page,) = painter(counter.labels(pickup_ids=[pickup_id], printer=Printer.ROLL))
    assert codes_in(page.filter(ImageFilter.GaussianBlur(2))) == [bottle_code("019283746556473")]
    where = zxingcpp.read_barcodes(page, formats=zxingcpp.BarcodeFormat.QRCodeModel2)[0].position
    side = where.top_right.x - where.top_left.x
    x, y, radius = where.top_left.x + side * 0.6, where.top_left.y + side * 0.6, side * 0.09
    ImageDraw.Draw(page).ellipse((x - radius, y - radius, x + radius, y + radius), fill=40)
    assert codes_in(page) == [bottle_code("019283746556473")]


def waiting(session: WriteSession, place: Clinic, client_id: ClientId) -> UUID:
    """A pickup that waits for the client, still empty."""
    pickup = Pickup(
        site_id=place.site_id,
        client_id=client_id,
        episode_id=session.scalars(select(Episode.id).where(Episode.client_id == client_id)).one(),
        collect_on=place.today,
        state="prepared",
        prepared_by=place.pharmacist.account_id,
        prepared_at=place.now,
    )
    session.add(pickup)
    session.flush()
    return pickup.id


def test_more_bottles_than_a_sheet_has_labels_go_on_on_the_next(counter: Counter) -> None:
    _, supply_id = carrying(counter, 9, mg="80", parts=("50", "30"))
    sheets = pages_of(counter.labels(supply_id=supply_id))
    assert [page.extract_text().count("Take on") for page in sheets] == [15, 3]


def test_labels_that_are_gone_from_the_sheet_are_left_out(counter: Counter) -> None:
    client_id, supply_id = carrying(counter, 3)
    sheet = counter.labels(supply_id=supply_id, skip=13)
    assert [page.extract_text().count("Take on") for page in pages_of(sheet)] == [2, 1]
    whole, after_two = (painted_squares(counter.labels(supply_id=supply_id, skip=n))[0] for n in (0, 2))
    third_column, second_row = whole.width * 2 // 3, whole.height // 4
    assert codes_in(whole.crop((third_column, 0, whole.width, second_row))) == counter.codes(client_id)[2:]
    assert codes_in(after_two.crop((third_column, 0, whole.width, second_row))) == counter.codes(client_id)[:1]


@pytest.mark.parametrize("skip", [-1, 15])
def test_a_sheet_has_no_sixteenth_label(counter: Counter, skip: int) -> None:
    _, supply_id = carrying(counter, 1)
    with pytest.raises(BadInput) as refused:
        counter.labels(supply_id=supply_id, skip=skip)
    assert refused.value.first.field == "skip"


def test_a_split_dose_says_which_bottle_is_for_the_morning(counter: Counter) -> None:
    _, supply_id = carrying(counter, 1, mg="80", parts=("50", "30"))
    first, second = pages_of(counter.labels(supply_id=supply_id, printer=Printer.ROLL))
    morning, evening = (" ".join(page.extract_text().split()) for page in (first, second))
    assert "Morning: 1 of 2" in morning
    assert "50 mg = 10 mL" in morning
    assert "Evening: 2 of 2" in evening
    assert "30 mg = 6 mL" in evening
    assert "Bottle 2 of 2" in evening
    assert "Drink the whole bottle on this day, at the time above." in evening


def test_a_prepared_pickup_is_labelled_before_it_is_collected_and_the_same_after(counter: Counter) -> None:
    client_id = counter.place.client()
    counter.place.decide(client_id, per_supply=3)
    prepared = counter.prepared(client_id, 1, 2, 3)
    before = counter.labels(pickup_ids=[prepared.pickup_id])
    handed = counter.place.give(client_id, pickup_id=prepared.pickup_id)
    assert counter.labels(pickup_ids=[prepared.pickup_id]) == before
    assert counter.labels(supply_id=handed.supply_id) == before


def test_bottles_that_went_back_into_stock_have_no_label(counter: Counter) -> None:
    client_id = counter.place.client()
    counter.place.decide(client_id, per_supply=1)
    prepared = counter.prepared(client_id, 1)
    place = counter.place
    with place.database.writing() as session:
        cancel_pickup(
            session, actor=place.pharmacist, pickup_id=prepared.pickup_id, reason="ill", day=place.today, at=place.now
        )
    with pytest.raises(NotThere):
        counter.labels(pickup_ids=[prepared.pickup_id])


def test_a_voided_supply_has_no_label(counter: Counter) -> None:
    _, supply_id = carrying(counter, 1)
    place = counter.place
    has_pin(place.database, place.doctor, PIN, place.now)
    void(place, supply_id, second=place.doctor, pin=PIN)
    with pytest.raises(NotThere):
        counter.labels(supply_id=supply_id)


def test_a_supply_without_bottles_has_no_label(counter: Counter) -> None:
    client_id = counter.place.client()
    with pytest.raises(NotThere):
        counter.labels(supply_id=counter.place.give(client_id).supply_id)


def test_another_site_prints_none_of_these_labels(counter: Counter) -> None:
    _, supply_id = carrying(counter, 1)
    elsewhere = Site(id=UUID(int=5), code="ELSE", name="Elsewhere", zone="UTC", region="MY", language="en")
    with pytest.raises(NotThere):
        counter.labels(supply_id=supply_id, at=elsewhere)


def test_labels_printed_again_are_the_same_to_the_byte(counter: Counter) -> None:
    _, supply_id = carrying(counter, 4)
    assert counter.labels(supply_id=supply_id) == counter.labels(supply_id=supply_id)


def test_a_long_clinic_name_and_address_stand_in_full(counter: Counter) -> None:
    name = "Klinik Kesihatan Komuniti Harapan Baharu Kuala Lumpur dan Selangor (Cawangan Jalan Ipoh)"
    address = "Tingkat 2, Bangunan Wisma Harapan, No. 1234 Jalan Sultan Azlan Shah, 51200 Kuala Lumpur"
    with counter.place.database.writing() as session:
        session.execute(update(Site).values(name=name, address=address))
    _, supply_id = carrying(counter, 1, mg="137.25")
    said = words_of(counter.labels(supply_id=supply_id, printer=Printer.ROLL))
    assert name in said
    assert f"{address}, +60 3-4041 2233" in said
    assert "Methadone oral solution 5 mg/mL" in said
    assert "137.25 mg = 27.45 mL" in said


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Aishah binti Yusof", "A. b. Y."),
        ("Nguyễn Văn Đức", "N. V. Đ."),
        ("Lim Wei-Ling", "L. W. L."),
        ("陈美玲", "陈."),
        ("கோபால் ராமன்", "கோ. ரா."),
        ("A B C D E F", "A. B. C. D."),
        ("", ""),
    ],
)
def test_initials_are_the_first_letters_with_their_marks(name: str, initials: str) -> None:
    assert initials_of(name) == initials


def test_the_strength_stands_once_behind_the_product() -> None:
    assert with_strength("methadone oral solution 5 mg/mL", strength("5")) == "Methadone oral solution 5 mg/mL"
    assert with_strength("methadone concentrate", strength("10")) == "Methadone concentrate 10 mg/mL"


def test_every_portion_of_a_day_has_a_name_of_its_own() -> None:
    assert portion_name(1, 1) == ""
    for portions in (2, 3, 4):
        names = [portion_name(n, portions) for n in range(1, portions + 1)]
        assert len(set(names)) == portions
        assert all(names)


def test_the_day_on_the_label_is_the_dose_day_and_the_packing_time_the_clinic_s(counter: Counter) -> None:
    """07:00 in Kuala Lumpur is still the evening before in UTC."""
    assert counter.place.now == datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    _, supply_id = carrying(counter, 1)
    assert "Packed 24 Nov 2026 07:00" in words_of(counter.labels(supply_id=supply_id))


def test_a_clinic_whose_name_no_font_can_show_is_called_by_its_code(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispensary.supplies.printing.fonts.standard_folders", lambda: ())
    with counter.place.database.writing() as session:
        session.execute(update(Site).values(name="平安诊所", address="Yuxi"))
    _, supply_id = carrying(counter, 1)
    assert words_of(counter.labels(supply_id=supply_id)).startswith("HRP Yuxi, +60 3-4041 2233 ")
