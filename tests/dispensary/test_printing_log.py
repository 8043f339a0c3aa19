"""The day's log and the register on paper: what an inspector asks for, each line with its balance."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import CheckConstraint, select

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere
from dispensary.staff.models import Site
from dispensary.stock.counting import count_lot
from dispensary.stock.models import RegisterBook, RegisterLine
from dispensary.stock.receiving import receive_lot
from dispensary.stock.service import write_line
from dispensary.supplies.closing import Counted, close_day
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.printing.daylog import day_log
from dispensary.supplies.printing.register import line_kinds
from dispensary.supplies.printing.register_print import register_pdf
from dispensary.supplies.printing.wording import day_runs
from dispensary.units import ClientId, DoseDay, millilitres, strength
from tests.builders import Clinic, clinic
from tests.dispensary.test_voiding import void
from tests.dispensary.unusual_place import spilled
from tests.paper import pages_of, words_of

AT = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)
"""The moment of printing: 18:05 in Kuala Lumpur."""


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def log_of(place: Clinic, day: date | None = None) -> bytes:
    with place.database.reading() as session:
        return day_log(session, site=session.scalars(select(Site)).one(), day=day or place.today, printed_at=AT)


def register_of(place: Clinic, first: date, last: date, book: UUID | None = None) -> bytes:
    with place.database.reading() as session:
        site = session.scalars(select(Site)).one()
        book = book or session.scalars(select(RegisterBook.id)).one()
        return register_pdf(session, book_id=book, first=first, last=last, site=site, printed_at=AT)


def number(place: Clinic, client_id: ClientId) -> str:
    with place.database.reading() as session:
        return session.get_one(Client, client_id).number


def lines(place: Clinic) -> list[RegisterLine]:
    with place.database.reading() as session:
        return list(session.scalars(select(RegisterLine).order_by(RegisterLine.seq)))


def correct(place: Clinic, line: RegisterLine, reason: str, *, day: DoseDay | None = None) -> None:
    with place.database.writing() as session:
        write_line(
            session,
            actor=place.pharmacist,
            lot_id=line.lot_id,
            book_id=line.book_id,
            kind="corrected",
            ml=-line.ml,
            day=day or place.today,
            at=place.now + timedelta(hours=1),
            corrects_id=line.id,
            reason=reason,
        )


def close(place: Clinic, *, bulk: str, reason: str = "") -> None:
    with place.database.writing() as session:
        close_day(
            session,
            actor=place.pharmacist,
            day=place.today,
            today=place.today,
            counts={place.lot_id: Counted(millilitres(bulk), reason)},
            at=place.now + timedelta(hours=10),
        )


def test_the_log_has_the_eight_fields_of_the_law_for_each_supply(place: Clinic) -> None:
    """21 CFR 1304.24(a): substance, strength, form, date, client, consumed, taken home with its form, initials."""
    client_id = place.client(mg="62.5")
    place.decide(client_id, per_supply=3)
    place.give(client_id, take_home_days=place.ahead(1, 2, 4))
    said = words_of(log_of(place))
    columns = ("Dispensed", "Client", "Substance, form, strength", "Consumed, mg", "Taken home, mg", "Form taken home")
    for column in columns:
        assert column in said, column
    line = (
        f"24 Nov 2026 07:00 {number(place, client_id)} Methadone oral solution 5 mg/mL 62.5 12.5 187.5 37.5 "
        "3 bottles for 25 Nov to 26 Nov, 28 Nov AY"
    )
    assert line in said


def test_a_supply_without_bottles_takes_one_line_with_nothing_taken_home(place: Clinic) -> None:
    client_id = place.client(mg="80")
    place.give(client_id)
    assert f"{number(place, client_id)} Methadone oral solution 5 mg/mL 80 16 AY" in words_of(log_of(place))


def test_the_totals_add_up_for_each_product(place: Clinic) -> None:
    first, second = place.client(mg="80"), place.client(mg="62.5")
    place.decide(second, per_supply=2)
    place.give(first)
    place.give(second, take_home_days=place.ahead(1, 2))
    assert "Total Methadone oral solution 5 mg/mL 142.5 28.5 125 25 2 bottles" in words_of(log_of(place))


def test_a_supply_from_two_strengths_takes_a_line_for_each(place: Clinic) -> None:
    """The first lot runs out: the observed dose comes from it, the bottle from the stronger one."""
    with place.database.writing() as session:
        count_lot(
            session,
            actor=place.pharmacist,
            lot_id=place.lot_id,
            measured=millilitres("16"),
            reason="spilt, two saw it",
            day=place.today,
            at=place.now,
        )
        receive_lot(
            session,
            actor=place.pharmacist,
            batch="STRONG",
            strength=strength("10"),
            expires_on=place.today + timedelta(days=500),
            ml=millilitres("100"),
            day=place.today,
            at=place.now,
        )
    client_id = place.client(mg="80")
    place.decide(client_id, per_supply=1)
    place.give(client_id, take_home_days=place.ahead(1))
    said = words_of(log_of(place))
    assert f"{number(place, client_id)} Methadone oral solution 5 mg/mL 80 16 AY" in said
    assert f"{number(place, client_id)} Methadone oral solution 10 mg/mL 80 8 1 bottle for 25 Nov AY" in said
    assert "Register: methadone oral solution 10 mg/mL" in said
    assert "Register: methadone oral solution 5 mg/mL" in said


def test_a_voided_supply_stays_in_the_log_and_out_of_the_totals(place: Clinic) -> None:
    kept, voided = place.client(mg="80"), place.client(mg="50")
    place.give(kept)
    supply_id = place.give(voided).supply_id
    place.now += timedelta(minutes=40)
    void(place, supply_id)
    said = words_of(log_of(place))
    assert f"{number(place, voided)} Methadone oral solution 5 mg/mL 50 10 VOIDED 07:40 AY" in said
    assert "Total Methadone oral solution 5 mg/mL 80 16 0 0 0 bottles" in said


def test_the_register_runs_from_what_was_brought_forward_to_what_is_there(place: Clinic) -> None:
    client_id = place.client(mg="80")
    place.decide(client_id, per_supply=1)
    place.give(client_id, take_home_days=place.ahead(1))
    said = words_of(log_of(place))
    assert "Brought forward 0" in said
    assert "1 24 Nov 2026 07:00 received LOT-HRP 5000 5000 AY" in said
    supplied = f"{number(place, client_id)}: consumed 16 mL, taken home 16 mL"
    assert f"2 24 Nov 2026 07:00 supplied {supplied} LOT-HRP 32 4968 AY" in said
    assert "At the end 5000 32 4968" in said


def test_a_correction_stands_beside_what_it_corrects_and_neither_hides_the_other(place: Clinic) -> None:
    client_id = place.client(mg="80")
    place.give(client_id)
    correct(place, lines(place)[1], "given to nobody: spat out and refused")
    said = words_of(log_of(place))
    assert "consumed 16 mL. See correction in line 3" in said
    assert "corrected Corrects line 2. given to nobody: spat out and refused LOT-HRP 16 5000 AY" in said


def test_lines_of_other_days_are_named_as_left_out_so_that_the_balances_still_follow(place: Clinic) -> None:
    client_id = place.client(mg="80")
    place.give(client_id)
    yesterday, first = place.today, lines(place)[1]
    place.move_on()
    place.give(client_id)
    correct(place, first, "wrong client", day=yesterday)
    said = words_of(register_of(place, yesterday, yesterday))
    assert "Lines 3 to 3 belong to other days 4968" in said
    assert "Corrects line 2. wrong client LOT-HRP 16 4984" in said
    assert said.count("supplied") == 1


def test_a_day_without_entries_shows_the_balance_that_it_had(place: Clinic) -> None:
    client_id = place.client(mg="80")
    place.give(client_id)
    place.move_on(2)
    place.give(client_id)
    quiet = DoseDay(place.today - timedelta(days=1))
    said = words_of(register_of(place, quiet, quiet))
    assert "Brought forward 4984 No entries. At the end 0 0 4984" in said
    before = DoseDay(place.today - timedelta(days=9))
    assert "Brought forward 0 No entries. At the end 0 0 0" in words_of(register_of(place, before, before))


def test_every_kind_of_line_has_a_word() -> None:
    (allowed,) = (
        str(each.sqltext)
        for each in RegisterLine.__table__.constraints
        if isinstance(each, CheckConstraint) and str(each.name).endswith("_kind")
    )
    assert sorted(line_kinds()) == sorted(re.findall(r"'(\w+)'", allowed))


def test_what_was_spilled_is_printed_as_lost_with_its_reason_and_no_word_of_diversion(place: Clinic) -> None:
    spilled(place, place.client(mg="80"))
    for paper in (register_of(place, place.today, place.today), log_of(place)):
        said = words_of(paper)
        assert "lost" in said
        assert "the cup fell" in said
        assert "diver" not in said.casefold()


def test_every_line_of_a_long_register_is_printed_once_under_its_headings(place: Clinic) -> None:
    with place.database.writing() as session:
        book_id = session.scalars(select(RegisterBook.id)).one()
        for n in range(120):
            write_line(
                session,
                actor=place.pharmacist,
                lot_id=place.lot_id,
                book_id=book_id,
                kind="note",
                ml=Decimal(0),
                day=place.today,
                at=place.now,
                reason=f"seal {n} looked at",
            )
    pdf = register_of(place, place.today, place.today)
    said = words_of(pdf)
    assert [n for n in range(120) if said.count(f"seal {n} looked at") != 1] == []
    pages = [" ".join(page.extract_text().split()) for page in pages_of(pdf)]
    assert len(pages) > 2
    for n, page in enumerate(pages, start=1):
        assert f"Page {n} of {len(pages)}" in page
        assert "Harapan (HRP)" in page
        assert "Printed 24 Nov 2026 18:05, Asia/Kuala Lumpur time" in page
        assert "Balance, mL" in page


def test_a_reason_longer_than_a_page_is_printed_to_its_last_word(place: Clinic) -> None:
    with place.database.writing() as session:
        count_lot(
            session,
            actor=place.pharmacist,
            lot_id=place.lot_id,
            measured=millilitres("4990"),
            reason=" ".join(f"word{n}" for n in range(1500)),
            day=place.today,
            at=place.now,
        )
    said = words_of(register_of(place, place.today, place.today)).split()
    assert [n for n in range(1500) if f"word{n}" not in said] == []


def test_the_counts_say_what_was_expected_and_measured_and_why_they_differ(place: Clinic) -> None:
    place.give(place.client(mg="80"))
    close(place, bulk="4983.5", reason="left in the measuring cylinder")
    said = words_of(log_of(place))
    counted = "24 Nov 2026 17:00 methadone oral solution 5 mg/mL LOT-HRP 4984 4983.5 -0.5"
    assert f"{counted} left in the measuring cylinder AY" in said
    assert "counted left in the measuring cylinder LOT-HRP 0.5 4983.5 AY" in said


def test_an_overage_has_a_plus(place: Clinic) -> None:
    close(place, bulk="5002", reason="the maker fills generously")
    assert "5000 5002 +2 the maker fills generously" in words_of(log_of(place))


def test_the_close_is_summed_up(place: Clinic) -> None:
    dosed, missed = place.client(mg="80"), place.client(mg="70")
    assert missed
    place.give(dosed)
    waiting = place.client(mg="60")
    place.decide(waiting, per_supply=2)
    with place.database.writing() as session:
        prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=waiting,
            collect_on=place.today,
            take_home_days=place.ahead(1, 2),
            valid=(place.now, place.now + timedelta(hours=9)),
            today=place.today,
            at=place.now,
        )
    close(place, bulk="4984")
    said = words_of(log_of(place))
    assert "Closed 24 Nov 2026 17:00 by AY." in said
    headings = "Portions observed Portions at home Portions missed Portions held Bottles not collected"
    assert f"{headings} 1 0 2 0 2" in said
    assert "in stock: not collected" in said
    assert "not complete" not in said


def test_an_open_day_says_that_its_log_is_not_complete(place: Clinic) -> None:
    said = words_of(log_of(place))
    assert "This day is not closed: the log is not complete." in said
    assert "Nothing was dispensed on this day." in said
    assert "No count was made." in said
    assert "Nobody dispensed on this day." in said


def test_a_day_that_the_night_closed_says_that_its_count_is_due(place: Clinic) -> None:
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)
    assert "The safe was not counted at the close: the count is still due." in words_of(log_of(place))


def test_each_dispenser_has_a_line_to_initial(place: Clinic) -> None:
    place.give(place.client(mg="80"))
    place.pharmacist, place.doctor = place.doctor, place.pharmacist
    for _ in range(2):
        place.give(place.client(mg="80"))
    said = words_of(log_of(place))
    assert re.search(r"Aishah binti Yusof \(AY\), 1 supply, 1 line Initials Date and time", said)
    assert re.search(r"Dr\. Lim Wei \(LW\), 2 supplies, 2 lines Initials Date and time", said)


def test_no_name_of_a_client_is_on_the_log(place: Clinic) -> None:
    place.give(place.client(mg="80"))
    close(place, bulk="4984")
    assert "Ahmad" not in words_of(log_of(place))


def test_the_same_records_and_moment_give_the_same_bytes(place: Clinic) -> None:
    place.give(place.client(mg="80"))
    assert log_of(place) == log_of(place)
    assert register_of(place, place.today, place.today) == register_of(place, place.today, place.today)


def test_a_register_of_another_site_is_not_there(place: Clinic, database: Database, now: datetime) -> None:
    with database.reading() as session:
        book_id = session.scalars(select(RegisterBook.id)).one()
        elsewhere = Site(id=UUID(int=5), code="ELSE", name="Elsewhere", zone="UTC", region="MY", language="en")
        with pytest.raises(NotThere):
            register_pdf(session, book_id=book_id, first=place.today, last=place.today, site=elsewhere, printed_at=now)


def test_days_the_wrong_way_round_are_refused(place: Clinic) -> None:
    with pytest.raises(BadInput) as refused:
        register_of(place, place.today, DoseDay(place.today - timedelta(days=1)))
    assert refused.value.first.field == "last"


def test_days_that_follow_each_other_are_taken_together() -> None:
    days = [date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 5)]
    assert day_runs(days) == "25 Nov to 26 Nov, 30 Nov to 1 Dec, 5 Dec"
    assert day_runs([]) == ""
