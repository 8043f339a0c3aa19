"""A dose that was vomited, and a dose that was not the ordered one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.prescribing.guideline import Guideline, guidelines, guidelines_with
from dispensary.prescribing.sections import Action, Consequence, Topic, Verdict
from dispensary.prescribing.vomited import Replacement, replacement
from dispensary.prescribing.wrong_dose import after_wrong_dose

SHIPPED = guidelines()
AU = SHIPPED["AU-NAT-2003"]
ALLOW, REASON, WITHHOLD, REFER = (
    Verdict.ALLOW,
    Verdict.ALLOW_WITH_REASON,
    Verdict.WITHHOLD_REFER,
    Verdict.REFER,
)
ADVISE, OBSERVE, EMERGENCY = Action.ADVISE, Action.OBSERVE, Action.EMERGENCY

some_guideline = st.sampled_from(list(guidelines_with(Topic.VOMITED).values()))
doses = st.decimals("0.5", "400", places=2)
minutes = st.decimals(0, 240, places=1)


@pytest.mark.parametrize(
    ("guideline", "after", "withdrawal", "answer", "mg"),
    [
        ("US-TIP63", 10, False, ALLOW, 80),
        ("US-TIP63", 15, False, ALLOW, 80),
        ("US-TIP63", 20, False, ALLOW, 40),
        ("US-TIP63", 30, False, ALLOW, 40),
        ("US-TIP63", 40, False, WITHHOLD, 0),
        ("AU-NAT-2003", 9, False, REASON, 80),
        ("AU-NAT-2003", 10, False, ALLOW, 40),
        ("AU-NAT-2003", 60, False, ALLOW, 40),
        ("AU-NAT-2003", 61, False, WITHHOLD, 0),
        ("AU-NAT-2003", 61, True, ALLOW, 40),
        ("VN-3140-2010", 5, False, REFER, None),
        ("ON-CPSO-2011", 5, False, REFER, None),
        ("CA-CAMH", 5, False, REFER, None),
        ("MY-DRAFT", 5, False, REFER, None),
        ("UK-ORANGE-2017", 5, False, REFER, None),
    ],
)
def test_what_is_replaced_depends_on_the_minutes_and_the_guideline(
    guideline: str, after: int, withdrawal: bool, answer: Verdict, mg: int | None
) -> None:
    ruling = replacement(
        SHIPPED[guideline], dose_mg=Decimal(80), minutes=Decimal(after), witnessed=True, withdrawal=withdrawal
    )
    assert ruling.answer is answer
    assert ruling.mg == (None if mg is None else Decimal(mg))
    assert ruling.instruction == (Replacement.REPLACE if mg else Replacement.DO_NOT_REPLACE).value


@pytest.mark.parametrize("guideline", SHIPPED.values(), ids=SHIPPED)
@pytest.mark.parametrize(("witnessed", "take_home"), [(False, False), (True, True), (False, True)])
def test_what_nobody_saw_or_was_taken_at_home_is_not_replaced(
    guideline: Guideline, witnessed: bool, take_home: bool
) -> None:
    ruling = replacement(guideline, dose_mg=Decimal(80), minutes=Decimal(10), witnessed=witnessed, take_home=take_home)
    assert (ruling.answer, ruling.mg) == (REFER, Decimal(0))


def test_in_pregnancy_the_prescriber_decides() -> None:
    ruling = replacement(SHIPPED["US-TIP63"], dose_mg=Decimal(80), minutes=Decimal(10), witnessed=True, pregnant=True)
    assert (ruling.answer, ruling.mg) == (REFER, None)


@given(guideline=some_guideline, dose_mg=doses, first=minutes, second=minutes, withdrawal=st.booleans())
def test_never_more_than_the_dose_and_never_more_after_a_longer_time(
    guideline: Guideline, dose_mg: Decimal, first: Decimal, second: Decimal, withdrawal: bool
) -> None:
    sooner, later = (
        replacement(guideline, dose_mg=dose_mg, minutes=each, witnessed=True, withdrawal=withdrawal)
        for each in sorted((first, second))
    )
    assert (later.mg or 0) <= (sooner.mg or 0) <= dose_mg
    assert (sooner.answer is REFER) == (not guideline.answers(Topic.VOMITED))


@pytest.mark.parametrize(
    ("ordered", "given_mg", "day", "takes_home", "action", "hours", "at_once"),
    [
        (30, 35, 10, False, OBSERVE, 4, False),
        (30, 35, 14, False, OBSERVE, 4, False),
        (50, 60, 15, False, ADVISE, None, False),
        (50, 76, 40, False, OBSERVE, 4, True),
        (50, 75, 40, False, ADVISE, None, False),
        (30, 50, 300, False, OBSERVE, 4, True),
        (40, 70, 300, False, OBSERVE, 4, True),
        (80, 160, 300, False, ADVISE, None, True),
        (80, 161, 300, False, OBSERVE, 4, True),
        (80, 130, 300, True, OBSERVE, None, True),
        (80, 160, 300, True, OBSERVE, None, True),
        (80, 161, 300, True, OBSERVE, 4, True),
        (80, 120, 300, True, ADVISE, None, False),
        (80, 85, None, False, OBSERVE, 4, False),
        (80, 130, 62, False, OBSERVE, 4, True),
        (80, 130, 63, False, ADVISE, None, True),
        (0, 20, 300, False, EMERGENCY, None, True),
    ],
)
def test_a_dose_above_the_order_is_answered_by_what_is_known_of_tolerance(
    ordered: int,
    given_mg: int,
    day: int | None,
    takes_home: bool,
    action: Action,
    hours: int | None,
    at_once: bool,
) -> None:
    ruling = after_wrong_dose(
        AU,
        ordered_mg=Decimal(ordered),
        given_mg=Decimal(given_mg),
        day_of_treatment=day,
        takes_home_or_not_daily=takes_home,
    )
    assert ruling.answer is WITHHOLD, "the next dose waits for the prescriber"
    assert ruling.instruction == action.value
    assert ruling.figures["observe_hours"] == (None if hours is None else Decimal(hours))
    assert (Consequence.CALL_PRESCRIBER_AT_ONCE in ruling.consequences) == at_once
    assert (Consequence.TELL_PRESCRIBER in ruling.consequences) != at_once
    assert {Consequence.GIVE_NALOXONE, Consequence.NEXT_DOSE_AFTER_REVIEW} <= set(ruling.consequences)


def test_any_excess_in_somebody_intoxicated_is_an_emergency() -> None:
    ruling = after_wrong_dose(
        AU,
        ordered_mg=Decimal(80),
        given_mg=Decimal(81),
        day_of_treatment=300,
        takes_home_or_not_daily=False,
        intoxicated=True,
    )
    assert ruling.instruction == EMERGENCY.value
    assert Consequence.CALL_PRESCRIBER_AT_ONCE in ruling.consequences


def test_less_than_ordered_is_told_to_the_prescriber_and_the_right_dose_is_no_mishap() -> None:
    less, right = (
        after_wrong_dose(
            AU,
            ordered_mg=Decimal(80),
            given_mg=Decimal(mg),
            day_of_treatment=300,
            takes_home_or_not_daily=False,
        )
        for mg in (60, 80)
    )
    assert (less.answer, less.consequences) == (REFER, (Consequence.TELL_PRESCRIBER,))
    assert less.sentence.startswith("20 mg less than ordered")
    assert right.answer is ALLOW


def test_a_guideline_without_a_table_still_calls_the_prescriber_at_once() -> None:
    ruling = after_wrong_dose(
        SHIPPED["WHO-2009"],
        ordered_mg=Decimal(80),
        given_mg=Decimal(90),
        day_of_treatment=300,
        takes_home_or_not_daily=False,
    )
    assert (ruling.answer, ruling.instruction) == (REFER, EMERGENCY.value)
    assert Consequence.CALL_PRESCRIBER_AT_ONCE in ruling.consequences


@given(
    ordered=st.decimals(0, 300, places=1),
    excesses=st.tuples(st.decimals("0.1", 400, places=1), st.decimals("0.1", 400, places=1)),
    day=st.none() | st.integers(1, 400),
    takes_home=st.booleans(),
)
def test_a_larger_excess_never_leads_to_a_milder_action(
    ordered: Decimal, excesses: tuple[Decimal, Decimal], day: int | None, takes_home: bool
) -> None:
    smaller, larger = (
        after_wrong_dose(
            AU,
            ordered_mg=ordered,
            given_mg=ordered + excess,
            day_of_treatment=day,
            takes_home_or_not_daily=takes_home,
        )
        for excess in sorted(excesses)
    )
    order = [each.value for each in Action]
    assert order.index(smaller.instruction) <= order.index(larger.instruction)


@given(
    ordered=st.decimals(1, 300, places=1),
    excess=st.decimals("50.1", 400, places=1),
    day=st.none() | st.integers(1, 400),
)
def test_whoever_takes_doses_home_is_never_told_that_double_is_tolerated(
    ordered: Decimal, excess: Decimal, day: int | None
) -> None:
    ruling = after_wrong_dose(
        AU,
        ordered_mg=ordered,
        given_mg=ordered + ordered * excess / 100,
        day_of_treatment=day,
        takes_home_or_not_daily=True,
    )
    assert ruling.instruction == OBSERVE.value
