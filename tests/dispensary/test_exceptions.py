"""What is not as usual at the counter: what may be given then, what the safe says, and that it happens once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.database import Database
from dispensary.prescribing.sections import Topic
from dispensary.prescribing.service import hold_doses
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.models import SignIn
from dispensary.supplies import exceptions
from dispensary.supplies.closing import close_day
from dispensary.supplies.exceptions_rules import Allowing, OrderedSince, may_replace, top_up_left
from dispensary.supplies.unusual import awaiting_review, to_see_again
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.unusual_place import (
    allowed,
    follows,
    gave,
    key,
    one,
    orders,
    partly,
    register,
    replaced,
    spilled,
    topped_up,
    vomited,
)
from tests.dispensary.visiting import has_pin

ML = Decimal("0.001")


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture(autouse=True)
def nothing_is_broken_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each act here the safe, the register and the record agree."""
    place: Clinic | None = request.getfixturevalue("place") if "place" in request.fixturenames else None
    yield
    if place is not None:
        with place.database.reading() as session:
            assert [str(finding) for finding in verify(session, now=place.now)] == []


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


def lines(*expected: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(ml).quantize(ML)) for kind, ml in expected]


# What may be given again, and on top


@pytest.mark.parametrize(
    ("mg", "ruled", "beyond", "code"),
    [
        ("40", "40", False, None),
        ("40.01", "40", False, "above-guideline"),
        ("60", "40", True, None),
        ("80", "0", True, None),
        ("80.01", "80", True, "above-vomited"),
        ("80.01", None, True, "above-vomited"),
        ("80", None, False, None),
    ],
)
def test_nobody_gives_more_than_was_vomited_and_more_than_the_guideline_only_by_the_prescribers_word(
    mg: str, ruled: str | None, beyond: bool, code: str | None
) -> None:
    fault = may_replace(Allowing(Decimal(mg), Decimal(80), Decimal(ruled) if ruled else None, beyond))
    assert (fault.code if fault else None) == code


EIGHT = datetime(2026, 11, 24, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
amounts = st.decimals("0", "300", places=2)
some_orders = st.lists(
    st.builds(OrderedSince, amounts, st.sampled_from([EIGHT - HOUR, EIGHT, EIGHT + HOUR]), st.booleans()), max_size=3
)


def test_a_step_that_was_planned_for_tomorrow_gives_no_top_up_today() -> None:
    before, after = (OrderedSince(Decimal(90), EIGHT + hours, for_today=False) for hours in (-HOUR, HOUR))
    assert top_up_left([before], taken_mg=Decimal(80), taken_at=EIGHT) == 0
    assert top_up_left([after], taken_mg=Decimal(80), taken_at=EIGHT) == 10


@given(some_orders, amounts, st.none() | amounts)
def test_dose_and_top_up_are_never_more_than_some_order_or_than_was_agreed(
    ordered: list[OrderedSince], taken: Decimal, most: Decimal | None
) -> None:
    left = top_up_left(ordered, taken_mg=taken, taken_at=EIGHT, most_today=most)
    assert left >= 0
    if left:
        assert taken + left <= max(order.mg for order in ordered)
        assert most is None or taken + left <= most


# Vomited


@pytest.mark.parametrize(("minutes", "witnessed", "mg"), [(10, True, "80"), (20, True, "40"), (40, True, "0")])
def test_what_the_guideline_gives_again_is_written_down_and_given_once(
    place: Clinic, minutes: int, witnessed: bool, mg: str
) -> None:
    follows(place, Topic.VOMITED, "US-TIP63")
    client = place.client(mg="80")
    place.give(client)
    about = vomited(place, client, minutes, witnessed=witnessed)
    assert about.ruling is not None
    assert Decimal(about.ruling["mg"]) == Decimal(mg)
    if mg == "0":
        return
    with pytest.raises(Refused, match="No prescriber has allowed"):
        replaced(place, about)
    allowed(place, about, mg)
    handed = replaced(place, about)
    assert [extra["mg"] for extra in handed.answer["extra"]] == [f"{Decimal(mg):.2f}"]
    assert register(place)[-1] == ("supplied", -(Decimal(mg) / 5).quantize(ML))
    assert one(place, "SELECT outcome FROM dose_exception") == f"{mg} mg given again"
    with pytest.raises(Refused) as refused:
        replaced(place, about)
    assert codes(refused) == ["closed-already"]
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["already-covered"], "a replacement is no other dose of the day"


def test_a_take_home_dose_that_was_vomited_at_home_is_replaced_only_when_the_prescriber_himself_says_so(
    place: Clinic,
) -> None:
    follows(place, Topic.VOMITED, "US-TIP63")
    client = place.client(mg="80")
    place.decide(client, per_supply=1)
    place.give(client, take_home_days=place.ahead(1))
    place.move_on()
    about = vomited(place, client, 5)
    assert about.ruling is not None
    assert about.ruling["mg"] == "0"
    with pytest.raises(BadInput) as refused:
        allowed(place, about, "40")
    assert codes(refused) == ["above-guideline"]
    allowed(place, about, "40", beyond=True)
    assert one(place, "SELECT count(*) FROM alert WHERE cause LIKE 'beyond guideline:%'") == 1
    assert replaced(place, about).answer["extra"][0]["mg"] == "40.00"


def test_a_dose_is_replaced_once_even_when_it_is_said_to_be_vomited_again(place: Clinic) -> None:
    client = place.client(mg="80")
    place.give(client)
    first = vomited(place, client, 5)
    with pytest.raises(Refused) as refused:
        vomited(place, client, 6)
    assert codes(refused) == ["recorded-already"]
    allowed(place, first, "40")
    replaced(place, first)
    second = vomited(place, client, 5)
    allowed(place, second, "40")
    with pytest.raises(Refused) as refused:
        replaced(place, second)
    assert codes(refused) == ["given-already"]


def test_nothing_is_given_again_while_held_to_somebody_unwell_or_on_another_day(place: Clinic) -> None:
    client = place.client(mg="80")
    place.give(client)
    about = vomited(place, client, 5)
    allowed(place, about, "40")
    with place.database.writing() as session:
        hold_doses(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.today,
            until_day=None,
            reason="ECG first",
            at=place.now,
        )
    with pytest.raises(Refused) as refused:
        replaced(place, about)
    assert codes(refused) == ["held"]
    place.move_on()
    with pytest.raises(Refused) as refused:
        replaced(place, about)
    assert codes(refused) == ["not-allowed-mg"]


def test_16_counters_replace_one_vomited_dose_once(place: Clinic) -> None:
    client = place.client(mg="80")
    place.give(client)
    about = vomited(place, client, 5)
    allowed(place, about, "80")
    start = threading.Barrier(16)

    def try_to_replace(number: int) -> str:
        start.wait()
        try:
            replaced(place, about, with_key=f"replace-{number % 12:04d}")
        except Refused as refused:
            return refused.first.code
        return "given"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(try_to_replace, range(16)))
    assert "given" in answers
    assert set(answers) <= {"given", "closed-already"}
    assert one(place, "SELECT count(*) FROM extra_dose") == 1
    assert one(place, "SELECT count(*) FROM supply") == 2
    assert one(place, "SELECT balance FROM lot") == Decimal("4968.000")


# Withheld, refused, late


def test_a_client_whose_dose_was_withheld_is_seen_again_today_and_leaves_the_list_when_dosed(place: Clinic) -> None:
    client = place.client()
    with place.database.writing() as session:
        exceptions.withhold(
            session, actor=place.pharmacist, client_id=client, observation="drowsy", today=place.today, at=place.now
        )
    with place.database.reading() as session:
        (waits,) = to_see_again(session, site_id=place.site_id, day=place.today)
    assert (waits.client_id, waits.words) == (client, "drowsy")
    place.give(client)
    with place.database.reading() as session:
        assert not to_see_again(session, site_id=place.site_id, day=place.today)
    assert one(place, "SELECT outcome FROM dose_exception") == "seen again, dosed"


def test_a_dose_that_nobody_wanted_stays_due_and_is_missed_when_the_day_closes(place: Clinic) -> None:
    client = place.client()
    with place.database.writing() as session:
        exceptions.dose_refused(
            session,
            actor=place.pharmacist,
            client_id=client,
            reason="wants to stop",
            key=key(),
            today=place.today,
            at=place.now,
        )
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)
    assert one(place, "SELECT outcome FROM day_outcome") == "missed"
    assert one(place, "SELECT outcome FROM dose_exception") == "not seen again that day"


def test_what_is_written_twice_with_one_key_is_written_once(place: Clinic) -> None:
    client = place.client()
    said = {"client_id": client, "key": "the-same-key", "today": place.today, "at": place.now}
    for _ in range(2):
        with place.database.writing() as session:
            exceptions.late(session, actor=place.pharmacist, note="missed the bus", **said)  # type: ignore[arg-type]
            exceptions.withhold(session, actor=place.pharmacist, observation="asleep", **{**said, "key": "other-key"})  # type: ignore[arg-type]
    assert one(place, "SELECT count(*) FROM dose_exception") == 2
    assert one(place, "SELECT count(*) FROM alert") == 1


def test_who_comes_late_after_an_absence_is_noted_with_what_the_guideline_says(place: Clinic) -> None:
    follows(place, Topic.MISSED, "VN-3140-2010")
    client = place.client(mg="80")
    place.give(client)
    place.move_on(20)
    orders(place, client, "80")
    place.give(client)
    place.move_on(5)
    with place.database.writing() as session:
        about = exceptions.late(
            session,
            actor=place.pharmacist,
            client_id=client,
            note="was travelling",
            key=key(),
            today=place.today,
            at=place.now,
        )
    assert about.ruling is not None
    assert about.ruling["mg"] == "40"
    assert about.details["days_without"] == 4


# Spilled, partly taken


def test_a_dose_that_was_spilled_before_it_was_recorded_is_lost_and_can_be_poured_again(place: Clinic) -> None:
    client = place.client(mg="80")
    spilled(place, client)
    assert register(place) == lines(("lost", "-16"))
    assert place.give(client).answer["doses"]
    assert register(place) == lines(("lost", "-16"), ("supplied", "-16"))
    assert one(place, "SELECT outcome FROM dose_exception") == "seen again, dosed"


def test_a_dose_that_was_recorded_and_then_spilled_is_undone_by_a_counter_entry(place: Clinic) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=2)
    place.give(client, take_home_days=place.ahead(1, 2))
    spilled(place, client, key="spilled-once")
    spilled(place, client, key="spilled-once")
    assert register(place) == lines(("supplied", "-48"), ("corrected", "48"), ("supplied", "-32"), ("lost", "-16"))
    assert place.give(client).answer["doses"][0]["kind"] == "observed"
    assert one(place, "SELECT balance FROM lot") == Decimal("4936.000")


@pytest.mark.parametrize("recorded_before", [False, True])
def test_a_dose_that_was_swallowed_in_part_is_what_was_swallowed_and_the_rest_is_lost(
    place: Clinic, recorded_before: bool
) -> None:
    client = place.client(mg="80")
    if recorded_before:
        place.give(client)
    handed = partly(place, client, "50")
    assert handed.answer["doses"][0]["mg"] == "50.00"
    undone = lines(("supplied", "-16"), ("corrected", "16")) if recorded_before else []
    assert register(place) == undone + lines(("supplied", "-10"), ("lost", "-6"))
    assert one(place, "SELECT mg FROM dose WHERE voided_at IS NULL") == Decimal(50)
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["already-covered"]
    assert topped_up(place, client, "30").answer["extra"][0]["mg"] == "30.00", "the rest, by the prescriber's word"


@pytest.mark.parametrize("mg", ["80", "90"])
def test_the_whole_is_no_part(place: Clinic, mg: str) -> None:
    with pytest.raises(BadInput) as refused:
        partly(place, place.client(mg="80"), mg)
    assert codes(refused) == ["not-a-part"]
    assert register(place) == []


def test_what_is_missing_of_a_part_is_said_at_once_and_so_is_that_nobody_looked_who_it_was(place: Clinic) -> None:
    client = place.client(mg="80")
    with pytest.raises(BadInput) as refused:
        partly(place, client, "90", identified_by="", reason=" ")
    assert codes(refused) == ["not-identified", "reason", "not-a-part"]
    with pytest.raises(BadInput) as refused:
        partly(place, client, "50", identified_by="import")
    assert codes(refused) == ["not-identified"]
    assert register(place) == []


def test_a_loss_is_seen_by_a_second_person_where_one_is_signed_in(place: Clinic) -> None:
    client = place.client(mg="80")
    with place.database.writing() as session:
        session.add(
            SignIn(
                token_digest=b"-" * 32,
                account_id=place.doctor.account_id,
                site_id=place.site_id,
                began_at=place.now,
                seen_at=place.now,
                ends_at=place.now + timedelta(hours=12),
            )
        )
    with pytest.raises(BadInput) as refused:
        spilled(place, client)
    assert codes(refused) == ["no-second"]
    has_pin(place.database, place.doctor, "271839", place.now)
    spilled(place, client, second_id=place.doctor.account_id, second_pin="271839")
    assert one(place, "SELECT second_id FROM register_line WHERE kind = 'lost'") == place.doctor.account_id


# On top


def test_an_increase_after_the_dose_was_taken_is_topped_up_to_the_new_order(place: Clinic) -> None:
    client = place.client(mg="80")
    place.give(client)
    place.now += timedelta(hours=2)
    with pytest.raises(BadInput) as refused:
        topped_up(place, client, "5")
    assert codes(refused) == ["above-increase"]
    orders(place, client, "90", ahead=1)
    with pytest.raises(BadInput) as refused:
        topped_up(place, client, "10.01")
    assert codes(refused) == ["above-increase"]
    topped_up(place, client, "4")
    topped_up(place, client, "6", key="the-last-bit")
    topped_up(place, client, "6", key="the-last-bit")
    with pytest.raises(BadInput):
        topped_up(place, client, "0.01")
    assert one(place, "SELECT sum(mg) FROM extra_dose") == Decimal(10)
    place.move_on()
    assert place.give(client).answer["doses"][0]["mg"] == "90.00", "the guard compares with 80 and 10 mg"


# A wrong dose


def test_a_dose_above_the_order_is_recorded_as_it_was_and_blocks_the_next_until_a_prescriber_has_reviewed_it(
    place: Clinic,
) -> None:
    follows(place, Topic.WRONG_DOSE, "AU-NAT-2003")
    client = place.client(mg="60")
    place.give(client)
    handed = gave(place, client, "100", with_key="wrong-dose")
    assert gave(place, client, "100", with_key="wrong-dose").repeated
    assert (handed.answer["doses"], handed.answer["extra"]) == (
        [],
        [{"kind": "in_error", "mg": "40.00", "ml": "8.000"}],
    )
    assert register(place) == lines(("supplied", "-12"), ("supplied", "-8"))
    assert one(place, "SELECT observe_until FROM dose_exception") == place.now + timedelta(hours=4)
    assert one(place, "SELECT severity FROM alert WHERE cause LIKE 'wrong dose:%'") == "urgent"
    place.move_on()
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["review-first"]
    with place.database.reading() as session:
        (open_one,) = awaiting_review(session, site_id=place.site_id, today=place.today)
    with pytest.raises(NotAllowed), place.database.writing() as session:
        exceptions.close(
            session, actor=place.pharmacist, exception_id=open_one.row.id, outcome="looked well", at=place.now
        )
    with place.database.writing() as session:
        exceptions.close(
            session, actor=place.doctor, exception_id=open_one.row.id, outcome="seen, as ordered", at=place.now
        )
    assert one(place, "SELECT resolution FROM alert WHERE cause LIKE 'wrong dose:%'") == "seen, as ordered"
    place.now += timedelta(minutes=5)
    assert place.give(client).answer["doses"]


def test_a_wrong_dose_that_was_not_recorded_yet_is_the_dose_and_what_was_above_it(place: Clinic) -> None:
    client = place.client(mg="60")
    handed = gave(place, client, "100")
    assert [dose["mg"] for dose in handed.answer["doses"]] == ["60.00"]
    assert [extra["mg"] for extra in handed.answer["extra"]] == ["40.00"]
    assert register(place) == lines(("supplied", "-20"))


def test_a_dose_to_somebody_for_whom_none_was_due_is_all_in_error_and_an_emergency(place: Clinic) -> None:
    follows(place, Topic.WRONG_DOSE, "AU-NAT-2003")
    client = place.client(mg="60")
    with place.database.writing() as session:
        hold_doses(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.today,
            until_day=None,
            reason="drowsy",
            at=place.now,
        )
    handed = gave(place, client, "60")
    assert (handed.answer["doses"], handed.answer["extra"][0]["mg"]) == ([], "60.00")
    assert one(place, "SELECT ruling ->> 'instruction' FROM dose_exception") == "emergency"


def test_less_than_ordered_makes_the_dose_what_was_given_and_blocks_nothing(place: Clinic) -> None:
    client = place.client(mg="60")
    place.give(client)
    gave(place, client, "50")
    assert register(place) == lines(("supplied", "-12"), ("corrected", "12"), ("supplied", "-10"))
    assert one(place, "SELECT mg FROM dose WHERE voided_at IS NULL") == Decimal(50)
    assert not one(place, "SELECT blocks FROM dose_exception")
    assert topped_up(place, client, "10").answer["extra"][0]["mg"] == "10.00"


@pytest.mark.parametrize(("given", "code"), [({}, "nothing-wrong"), ({"happened": ""}, "happened")])
def test_a_wrong_dose_says_what_was_wrong(place: Clinic, given: dict[str, str], code: str) -> None:
    client: ClientId = place.client(mg="60")
    place.give(client)
    with pytest.raises(BadInput) as refused:
        gave(place, client, "60", **given)
    assert code in codes(refused)


def test_nothing_is_given_again_before_a_wrong_dose_was_reviewed(place: Clinic) -> None:
    client = place.client(mg="60")
    place.give(client)
    about = vomited(place, client, 5)
    allowed(place, about, "60")
    gave(place, client, "90")
    with pytest.raises(Refused) as refused:
        replaced(place, about)
    assert codes(refused) == ["review-first"]
