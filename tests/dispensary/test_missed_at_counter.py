"""What the counter does for a client who comes back after missed days: by the site's guideline, or the site's rule."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.database import Database
from dispensary.prescribing.guideline import guidelines
from dispensary.prescribing.sections import Topic
from dispensary.refusals import BadInput, Refused
from dispensary.supplies.absence import Absence, Reduced, absence_refusal, judged, ordered_knowing
from dispensary.supplies.exceptions_rules import reduced_portions
from dispensary.supplies.queries import at_the_window
from dispensary.supplies.returns import take_back
from dispensary.units import ClientId, DoseDay, Milligrams, milligrams
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.unusual_place import called, follows, one, orders

DAY = date(2026, 11, 24)
AU = guidelines()["AU-NAT-2003"]


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


def absence(days: int, *, guideline: str | None = "AU-NAT-2003", usual: str | None = None) -> Absence:
    return Absence(
        days=days,
        last_covered=DoseDay(DAY - timedelta(days=days + 1)),
        ask_from=3,
        guideline=guidelines()[guideline] if guideline else None,
        day_of_treatment=200,
        usual_mg=Decimal(usual) if usual else None,
    )


@pytest.mark.parametrize(
    ("guideline", "days", "code"),
    [
        ("AU-NAT-2003", 2, None),
        ("AU-NAT-2003", 3, "absent-call"),
        ("AU-NAT-2003", 4, "absent"),
        ("VN-3140-2010", 3, None),
        ("VN-3140-2010", 4, "absent-call"),
        ("VN-3140-2010", 6, "absent"),
        ("UK-ORANGE-2017", 2, None),
        ("UK-ORANGE-2017", 3, "absent"),
        ("MY-DRAFT", 2, None),  # a draft answers nothing: the site's own rule stays
        ("MY-DRAFT", 3, "absent"),
        (None, 2, None),
        (None, 3, "absent"),
    ],
)
def test_each_guideline_judges_the_absence_and_without_one_the_site_does(
    guideline: str | None, days: int, code: str | None
) -> None:
    refusal = absence_refusal(absence(days, guideline=guideline), Decimal(100), None)
    assert (refusal.code if refusal else None) == code


def test_a_step_that_was_planned_for_missed_days_does_not_raise_the_reduced_dose() -> None:
    ruling = judged(absence(3, usual="80"), Decimal(100))
    assert ruling is not None
    assert ruling.mg == Decimal(40)


@pytest.mark.parametrize(
    ("days", "ordered_before", "knows"),
    [
        (3, 0, True),  # today
        (3, 1, False),  # after two missed days: as ordered, then
        (3, 30, False),
        (5, 0, True),
        (5, 1, False),  # four missed days ask for less than a new start
        (9, 4, True),  # a new start already, and still
        (0, 30, True),
    ],
)
def test_an_order_stands_when_it_was_written_knowing_what_the_absence_asks(
    days: int, ordered_before: int, knows: bool
) -> None:
    written = DAY - timedelta(days=ordered_before)
    assert ordered_knowing(absence(days), Decimal(100), written) is knows


def test_a_reduction_covers_the_absence_that_the_prescriber_was_told_of_and_no_longer_one() -> None:
    agreed = Reduced(Milligrams(Decimal(50)), DAY, missed=3)
    assert absence_refusal(absence(3), Decimal(100), agreed) is None
    longer = Absence(4, DoseDay(DAY - timedelta(days=4)), 3, AU, 200)
    refusal = absence_refusal(longer, Decimal(100), agreed)
    assert refusal is not None
    assert refusal.code == "absent"


@given(st.integers(0, 40), st.integers(0, 40), st.decimals("1", "300", places=2))
def test_a_longer_absence_never_becomes_laxer(one_days: int, other_days: int, mg: Decimal) -> None:
    order = [None, "absent-call", "absent"]
    less, more = sorted((one_days, other_days))
    for guideline in ("AU-NAT-2003", "ON-CPSO-2011", "UK-ORANGE-2017", "VN-3140-2010", "BC-AB", None):
        short = absence_refusal(absence(less, guideline=guideline), mg, None)
        long = absence_refusal(absence(more, guideline=guideline), mg, None)
        assert order.index(short and short.code) <= order.index(long and long.code)


portions = st.lists(st.decimals("0.01", "200", places=2), min_size=1, max_size=4)


@given(portions, st.decimals("0.01", "400", places=2))
def test_reduced_portions_add_up_to_no_more_than_was_agreed_and_none_grows(
    ordered: list[Decimal], most: Decimal
) -> None:
    reduced = reduced_portions([Milligrams(part) for part in ordered], most)
    assert sum(reduced) == min(most, sum(ordered))
    assert all(0 <= part <= before for part, before in zip(reduced, ordered, strict=True))


def test_after_three_missed_days_the_counter_gives_what_the_prescriber_agreed_to(place: Clinic) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = place.client(mg="100", parts=("60", "40"))
    place.decide(client, per_supply=7)
    place.give(client)
    place.move_on(20)  # past the first weeks of treatment
    orders(place, client, "100", parts=[milligrams("60"), milligrams("40")])
    place.give(client, take_home_days=(place.today,))
    place.move_on(4)
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["absent-call"]
    assert "50 mg" in refused.value.first.sentence
    assert "AU-NAT-2003, s3-3.5" in refused.value.first.sentence

    called(place, client, "50")
    with place.database.reading() as session:
        window = at_the_window(session, site_id=place.site_id, client_id=client, today=place.today)
    assert (window.due_mg, window.ordered_mg, window.refusals) == (Decimal(30), Decimal(60), ())
    handed = place.give(client, take_home_days=(place.today,))
    assert [dose["mg"] for dose in handed.answer["doses"]] == ["30.00", "20.00"]
    assert one(place, "SELECT sentence FROM task WHERE role = 'doctor' AND done_at IS NULL").startswith("At most 50 mg")

    place.move_on()
    assert place.give(client).answer["doses"][0]["mg"] == "30.00", "until the prescriber orders again"
    place.move_on()
    orders(place, client, "60")
    assert place.give(client, second_look="as ordered").answer["doses"][0]["mg"] == "60.00"
    with place.database.reading() as session:
        assert list(verify(session, now=place.now)) == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"mg": "50.01"}, "above-guideline"),
        ({"said": " "}, "nothing-said"),
        ({"prescriber_id": None}, "no-prescriber"),
    ],
)
def test_a_call_names_a_prescriber_what_they_said_and_no_more_than_the_guideline(
    place: Clinic, asked: dict[str, str | None], code: str
) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = absent(place, 3)
    with pytest.raises(BadInput) as refused:
        called(place, client, **{"mg": "50", **asked})  # type: ignore[arg-type]
    assert codes(refused) == [code]
    assert one(place, "SELECT count(*) FROM reduction") == 0


def test_the_pharmacist_is_no_prescriber(place: Clinic) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = absent(place, 3)
    with pytest.raises(BadInput, match="which prescriber"):
        called(place, client, "50", prescriber_id=place.pharmacist.account_id)


@pytest.mark.parametrize("days", [2, 4])
def test_no_call_makes_a_dose_where_the_guideline_gives_it_whole_or_wants_the_client_seen(
    place: Clinic, days: int
) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = absent(place, days)
    with pytest.raises(Refused) as refused:
        called(place, client, "30")
    assert codes(refused) == ["no-reduction"]


def test_the_same_call_is_written_down_once_and_another_takes_its_place(place: Clinic) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = absent(place, 3)
    first = called(place, client, "50")
    assert called(place, client, "50").id == first.id
    called(place, client, "40")
    assert one(place, "SELECT mg FROM reduction WHERE ended_at IS NULL") == Decimal(40)
    assert one(place, "SELECT count(*) FROM reduction") == 2


def test_postgresql_has_the_last_word_on_what_was_agreed(place: Clinic) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = absent(place, 3)
    called(place, client, "50")
    handed = place.give(client)
    assert handed.answer["doses"][0]["mg"] == "50.00"
    with place.database.reading() as session:
        row = session.execute(text("SELECT * FROM dose ORDER BY id DESC LIMIT 1")).mappings().one()
    more = {**row, "mg": Decimal("50.01"), "dose_day": place.ahead(1)[0]}
    names = ", ".join(more)
    with pytest.raises(Exception, match="more than was agreed"), place.database.writing() as session:
        session.execute(
            text(f"INSERT INTO dose ({names}) SELECT {', '.join(':' + name for name in more)}"),
            {**more, "id": place.lot_id},
        )


def test_a_full_bottle_that_came_back_uncovers_its_day_though_the_day_was_frozen(place: Clinic) -> None:
    client = place.client(mg="100")
    place.decide(client, per_supply=3)
    place.give(client, take_home_days=place.ahead(1, 2, 3))
    with place.database.reading() as session:
        bottles = list(session.scalars(text("SELECT id FROM bottle ORDER BY dose_day")))
    place.move_on(4)
    with place.database.reading() as session:
        assert at_the_window(session, site_id=place.site_id, client_id=client, today=place.today).days_without == 0
    with place.database.writing() as session:
        take_back(
            session,
            actor=place.pharmacist,
            client_id=client,
            bottles=[(bottle, True) for bottle in bottles],
            reason="was in hospital",
            today=place.today,
            at=place.now,
        )
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["absent"], "three days without a dose"


def test_a_day_on_which_a_part_was_swallowed_is_no_measure_for_the_next(place: Clinic) -> None:
    client = place.client(mg="80", parts=("8", "72"))
    place.give(client)
    place.move_on()
    with place.database.reading() as session:
        moment = at_the_window(session, site_id=place.site_id, client_id=client, today=place.today).reading.moment
    assert moment.last_mg == Decimal(80), "the day had only its small portion: the order of that day is the measure"


def test_16_calls_and_a_new_order_at_once_leave_the_order_in_force_and_no_reduction(place: Clinic) -> None:
    follows(place, Topic.MISSED, "AU-NAT-2003")
    client = absent(place, 3)
    start = threading.Barrier(17)

    def call(number: int) -> str:
        start.wait()
        try:
            if number == 16:
                orders(place, client, "60")
                return "ordered"
            called(place, client, str(30 + number))
        except Refused as refused:
            return refused.first.code
        return "called"

    with ThreadPoolExecutor(17) as pool:
        answers = list(pool.map(call, range(17)))
    assert answers[16] == "ordered"
    assert set(answers[:16]) <= {"called", "no-reduction"}
    assert one(place, "SELECT count(*) FROM reduction WHERE ended_at IS NULL") == 0
    assert place.give(client, second_look="as ordered").answer["doses"][0]["mg"] == "60.00"
    with place.database.reading() as session:
        assert list(verify(session, now=place.now)) == []


def absent(place: Clinic, days: int) -> ClientId:
    """A client of 100 mg who was dosed for three weeks and then did not come for so many days."""
    client = place.client(mg="100")
    place.give(client)
    place.move_on(20)
    orders(place, client, "100")
    place.give(client, second_look="-")
    place.move_on(days + 1)
    return client
