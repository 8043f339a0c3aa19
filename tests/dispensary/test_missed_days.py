"""What the counter is told of somebody who comes back after missed days, by each guideline's own table."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.prescribing.guideline import Guideline, guidelines, guidelines_with
from dispensary.prescribing.missed import missed_days
from dispensary.prescribing.sections import Consequence, Counter, Topic, Verdict

SHIPPED = guidelines()
GIVE, CALL, STOP = Counter.GIVE_AS_ORDERED, Counter.REDUCED_AFTER_CALL, Counter.DO_NOT_SUPPLY
NEW, CANCEL, SUSPEND = (
    Consequence.NEW_INDUCTION,
    Consequence.PRESCRIPTION_CANCELLED,
    Consequence.TAKE_HOME_SUSPENDED,
)
TELL, LOWER, ILLICIT = Consequence.TELL_PRESCRIBER, Consequence.CONSIDER_LOWER_DOSE, Consequence.ASSESS_ILLICIT_USE

some_guideline = st.sampled_from(list(guidelines_with(Topic.MISSED).values()))
doses = st.decimals("0.5", "400", places=2)
absences = st.integers(1, 60)
days = st.none() | st.integers(1, 400)


@pytest.mark.parametrize(
    ("guideline", "mg", "missed", "instruction", "most", "consequences"),
    [
        ("AU-NAT-2003", 100, 1, GIVE, 100, ()),
        ("AU-NAT-2003", 100, 2, GIVE, 100, ()),
        ("AU-NAT-2003", 100, 3, CALL, 50, ()),
        ("AU-NAT-2003", 100, 4, STOP, 40, (Consequence.PRESCRIBER_REVIEW,)),
        ("AU-NAT-2003", 60, 4, STOP, 30, (Consequence.PRESCRIBER_REVIEW,)),
        ("AU-NAT-2003", 100, 5, STOP, None, (NEW,)),
        ("WHO-2009", 100, 3, CALL, 50, ()),
        ("ON-CPSO-2011", 90, 2, GIVE, 90, ()),
        ("ON-CPSO-2011", 90, 3, STOP, 45, (CANCEL, SUSPEND)),
        ("ON-CPSO-2011", 90, 4, STOP, 30, (NEW, CANCEL, SUSPEND)),
        ("ON-CPSO-2011", 40, 4, STOP, 20, (NEW, CANCEL, SUSPEND)),
        ("VN-3140-2010", 80, 3, GIVE, 80, ()),
        ("VN-3140-2010", 80, 5, CALL, 40, (Consequence.RE_EXAMINE,)),
        ("VN-3140-2010", 80, 6, STOP, None, (NEW,)),
        ("VN-3140-2010", 80, 31, STOP, None, (NEW, Consequence.NEW_EPISODE)),
        ("UK-ORANGE-2017", 80, 2, GIVE, 80, ()),
        ("UK-ORANGE-2017", 80, 3, STOP, None, (TELL, LOWER)),
        ("UK-ORANGE-2017", 80, 5, STOP, None, (TELL, LOWER, ILLICIT)),
        ("UK-ORANGE-2017", 80, 6, STOP, None, (TELL, ILLICIT, NEW)),
        ("BC-AB", 30, 3, CALL, 30, ()),
        ("BC-AB", 20, 3, CALL, 20, ()),
        ("BC-AB", 60, 4, CALL, 30, ()),
        ("BC-AB", 61, 4, CALL, 40, ()),
        ("BC-AB", 100, 3, CALL, 50, ()),
        ("BC-AB", 120, 3, CALL, 60, ()),
        ("BC-AB", 130, 3, CALL, 65, ()),
        ("BC-AB", 130, 5, STOP, 30, (NEW,)),
    ],
)
def test_each_guideline_has_its_own_table(
    guideline: str, mg: int, missed: int, instruction: Counter, most: int | None, consequences: tuple[Consequence, ...]
) -> None:
    ruling = missed_days(SHIPPED[guideline], dose_mg=Decimal(mg), missed=missed)
    assert (ruling.instruction, ruling.consequences) == (instruction.value, consequences)
    assert ruling.mg == (None if most is None else Decimal(most))
    assert ruling.answer is (Verdict.ALLOW if instruction is GIVE else Verdict.WITHHOLD_REFER)


def test_the_answer_says_where_it_stands_written() -> None:
    ruling = missed_days(SHIPPED["AU-NAT-2003"], dose_mg=Decimal(100), missed=3)
    assert (ruling.guideline, ruling.version, ruling.source) == ("AU-NAT-2003", "1", "AU-NAT-2003, s3-3.5")
    assert ruling.sentence == "3 missed days: at most 50 mg, after a call to the prescriber."
    assert ruling.as_json()["mg"] == "50"


def test_two_missed_days_ask_whether_the_client_is_intoxicated() -> None:
    assert "if not intoxicated." in missed_days(SHIPPED["AU-NAT-2003"], dose_mg=Decimal(100), missed=2).sentence


@pytest.mark.parametrize("missed", [0, 1, 2, 5])
@pytest.mark.parametrize("guideline", SHIPPED.values(), ids=SHIPPED)
def test_nobody_who_is_intoxicated_is_given_a_dose(guideline: Guideline, missed: int) -> None:
    ruling = missed_days(guideline, dose_mg=Decimal(100), missed=missed, intoxicated=True)
    assert (ruling.answer, ruling.instruction, ruling.mg) == (Verdict.WITHHOLD_REFER, STOP.value, None)
    assert "annex 12" in ruling.source, "the rule is not the guideline's own"


@pytest.mark.parametrize(
    ("day", "missed", "instruction"),
    [(10, 1, GIVE), (10, 2, STOP), (16, 2, STOP), (17, 2, GIVE), (None, 2, GIVE)],
)
def test_an_absence_that_began_in_the_first_two_weeks_asks_for_the_prescriber(
    day: int | None, missed: int, instruction: Counter
) -> None:
    ruling = missed_days(SHIPPED["VN-3140-2010"], dose_mg=Decimal(40), missed=missed, day_of_treatment=day)
    assert ruling.instruction == instruction.value
    assert (Consequence.PRESCRIBER_REVIEW in ruling.consequences) == (instruction is STOP)


def test_without_a_missed_day_the_order_stands() -> None:
    ruling = missed_days(SHIPPED["MY-DRAFT"], dose_mg=Decimal(40), missed=0)
    assert (ruling.answer, ruling.mg) == (Verdict.ALLOW, Decimal(40))


def test_a_superseded_table_says_so() -> None:
    assert (
        "VN-3140-2010 has been superseded."
        in missed_days(SHIPPED["VN-3140-2010"], dose_mg=Decimal(80), missed=1).advice
    )


@given(guideline=some_guideline, dose_mg=doses, missed=absences, longer=absences, day=days)
def test_a_longer_absence_never_gives_more_or_a_laxer_instruction(
    guideline: Guideline, dose_mg: Decimal, missed: int, longer: int, day: int | None
) -> None:
    less, more = sorted((missed, longer))
    # The same start of the absence, so that the client is back later after the longer one.
    back = (day + less, day + more) if day is not None else (None, None)
    short = missed_days(guideline, dose_mg=dose_mg, missed=less, day_of_treatment=back[0])
    long = missed_days(guideline, dose_mg=dose_mg, missed=more, day_of_treatment=back[1])
    assert (long.mg or 0) <= (short.mg or 0) <= dose_mg
    order = [each.value for each in Counter]
    assert order.index(short.instruction) <= order.index(long.instruction)


@given(guideline=some_guideline, dose_mg=doses, missed=absences)
def test_a_draft_answers_with_a_referral_and_no_figure(guideline: Guideline, dose_mg: Decimal, missed: int) -> None:
    ruling = missed_days(guideline, dose_mg=dose_mg, missed=missed)
    assert (ruling.answer is Verdict.REFER) == (not guideline.answers(Topic.MISSED))
    if ruling.answer is Verdict.REFER:
        assert (ruling.mg, ruling.instruction) == (None, STOP.value)


def test_a_guideline_that_is_silent_refers() -> None:
    ruling = missed_days(SHIPPED["US-TIP63"], dose_mg=Decimal(80), missed=1)
    assert ruling.sentence == "US-TIP63 says nothing of missed days: the prescriber decides."
