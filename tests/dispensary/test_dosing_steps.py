"""First doses, first days, steps up and down, divided doses and the length of orders, by guideline."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.prescribing.guideline import Guideline, guidelines, guidelines_with
from dispensary.prescribing.lengths import order_length
from dispensary.prescribing.section_documents import STRICTNESS
from dispensary.prescribing.sections import Topic, Verdict
from dispensary.prescribing.splitting import Dividing, split
from dispensary.prescribing.steps import Tolerance, first_day, start, step
from dispensary.prescribing.tapering import taper_plan, taper_step

SHIPPED = guidelines()
ALLOW, REASON, REFUSE, REFER = Verdict.ALLOW, Verdict.ALLOW_WITH_REASON, Verdict.REFUSE, Verdict.REFER
LOW, UNCERTAIN, USUAL, HIGH = Tolerance.LOW, Tolerance.UNCERTAIN, Tolerance.USUAL, Tolerance.HIGH

doses = st.decimals("0.5", "400", places=2)
inducing = st.sampled_from(list(guidelines_with(Topic.INDUCTION).values()))
tapering = st.sampled_from(list(guidelines_with(Topic.TAPER).values()))


@pytest.mark.parametrize(
    ("guideline", "mg", "tolerance", "at_risk", "answer"),
    [
        ("WHO-2009", 20, UNCERTAIN, False, REASON),
        ("WHO-2009", 15, LOW, False, ALLOW),
        ("WHO-2009", 20, USUAL, False, ALLOW),
        ("WHO-2009", 25, USUAL, False, REASON),
        ("WHO-2009", 30, HIGH, False, ALLOW),
        ("WHO-2009", 35, HIGH, False, REFER),
        ("US-ASAM-2020", 10, LOW, False, ALLOW),
        ("US-ASAM-2020", 11, LOW, False, REASON),
        ("US-ASAM-2020", 30, USUAL, False, ALLOW),
        ("UK-ORANGE-2017", 30, USUAL, False, ALLOW),
        ("UK-ORANGE-2017", 30, USUAL, True, REASON),
        ("UK-ORANGE-2017", 30, LOW, False, REASON),
        ("UK-ORANGE-2017", 45, USUAL, False, REFER),
        ("AU-NAT-2003", 20, USUAL, False, ALLOW),
        ("AU-NAT-2003", 25, USUAL, False, REASON),
        ("PRODUCT-DEFAULT", 30, USUAL, False, ALLOW),
        ("PRODUCT-DEFAULT", 35, USUAL, False, REASON),
        ("PRODUCT-DEFAULT", 45, USUAL, False, REFER),
        ("US-42CFR8.12h-2001", 30, USUAL, False, ALLOW),
        ("US-42CFR8.12h-2024", 30, USUAL, False, REFER),
        ("ON-METAPHI-2021", 30, USUAL, False, REFER),
    ],
)
def test_a_first_dose_is_held_against_what_is_known_of_tolerance(
    guideline: str, mg: int, tolerance: Tolerance, at_risk: bool, answer: Verdict
) -> None:
    assert start(SHIPPED[guideline], mg=Decimal(mg), tolerance=tolerance, at_risk=at_risk).answer is answer


def test_a_first_dose_says_which_range_it_is_outside_of_and_how_long_to_observe() -> None:
    ruling = start(SHIPPED["WHO-2009"], mg=Decimal(25), tolerance=UNCERTAIN)
    assert ruling.sentence == "25 mg is outside of the start of 10-15 mg where tolerance is uncertain."
    assert "Observe the client for 2 to 3 hours after the dose." in ruling.advice
    assert "More than 20 mg on the first day calls for caution." in ruling.advice
    assert (ruling.reason_needed, ruling.limits) == (True, ("start",))


def test_a_small_first_dose_is_allowed_and_said() -> None:
    ruling = start(SHIPPED["WHO-2009"], mg=Decimal(5), tolerance=LOW)
    assert ruling.answer is ALLOW
    assert "5 mg is below the guideline's start of 10-15 mg." in ruling.advice


@pytest.mark.parametrize(
    ("guideline", "total", "answer"),
    [
        ("US-42CFR8.12h-2024", 50, ALLOW),
        ("US-42CFR8.12h-2024", 55, REASON),
        ("US-42CFR8.12h-2001", 40, ALLOW),
        ("US-42CFR8.12h-2001", 45, REASON),
        ("AU-NAT-2003", 30, ALLOW),
        ("AU-NAT-2003", 41, REASON),
        ("UK-ORANGE-2017", 35, REASON),
        ("UK-ORANGE-2017", 41, REFER),
        ("WHO-2009", 30, ALLOW),
        ("WHO-2009", 31, REFER),
        ("ON-CPSO-2011", 31, REFER),
        ("US-TIP63", 20, REFER),
    ],
)
def test_the_first_day_has_a_limit(guideline: str, total: int, answer: Verdict) -> None:
    assert first_day(SHIPPED[guideline], total_mg=Decimal(total)).answer is answer


def test_a_documented_rationale_is_what_an_excess_on_the_first_day_needs() -> None:
    rule = SHIPPED["US-42CFR8.12h-2024"]
    without = first_day(rule, total_mg=Decimal(55))
    assert without.reason_needed
    documented = first_day(rule, total_mg=Decimal(55), reason="Transfer, dose verified by telephone.")
    assert (documented.answer, documented.reason_needed) == (REASON, False)


@pytest.mark.parametrize(
    ("guideline", "current", "new", "days", "more", "answer", "limits"),
    [
        ("US-ASAM-2020", 60, 70, 3, {}, REASON, ("days-between",)),
        ("US-ASAM-2020", 60, 70, 5, {}, ALLOW, ()),
        ("US-ASAM-2020", 60, 75, 5, {}, REASON, ("step",)),
        ("US-ASAM-2020", 60, 75, 2, {}, REASON, ("step", "days-between", "settling")),
        ("WHO-2009", 30, 40, 3, {}, ALLOW, ()),
        ("WHO-2009", 30, 40, 2, {}, REASON, ("settling",)),
        ("UK-ORANGE-2017", 50, 60, 3, {"start_mg": 30, "day_of_treatment": 7}, ALLOW, ()),
        ("UK-ORANGE-2017", 55, 65, 3, {"start_mg": 30, "day_of_treatment": 7}, REASON, ("week-1",)),
        ("UK-ORANGE-2017", 55, 65, 3, {"start_mg": 30, "day_of_treatment": 8}, ALLOW, ()),
        ("AU-NAT-2003", 40, 50, 3, {"mg_a_week_ago": 30}, ALLOW, ()),
        ("AU-NAT-2003", 45, 55, 3, {"mg_a_week_ago": 30}, REASON, ("weekly",)),
        ("AU-NAT-2003", 35, 45, 3, {"start_mg": 20, "day_of_treatment": 6}, REASON, ("weekly",)),
        ("VN-3140-2010", 20, 25, 3, {"start_mg": 20, "day_of_treatment": 3}, REASON, ("no-rise-yet",)),
        ("VN-3140-2010", 20, 25, 3, {"start_mg": 20, "day_of_treatment": 4}, ALLOW, ()),
        ("PRODUCT-DEFAULT", 60, 70, 3, {}, ALLOW, ()),
        ("US-42CFR8.12h-2024", 60, 70, 9, {}, REFER, ()),
        ("ON-METAPHI-2021", 60, 70, 9, {}, REFER, ()),
        ("ON-METAPHI-2021", 60, 50, 1, {}, ALLOW, ()),
    ],
)
def test_a_step_is_held_against_every_limit_of_the_guideline(
    guideline: str, current: int, new: int, days: int, more: dict[str, int], answer: Verdict, limits: tuple[str, ...]
) -> None:
    known = {key: value if key == "day_of_treatment" else Decimal(value) for key, value in more.items()}
    ruling = step(
        SHIPPED[guideline],
        current_mg=Decimal(current),
        new_mg=Decimal(new),
        days_since_change=days,
        **known,  # type: ignore[arg-type]
    )
    assert (ruling.answer, ruling.limits) == (answer, limits)


@pytest.mark.parametrize(("mg", "advice"), [(100, None), (105, "electrocardiogram"), (125, "specialist's review")])
@pytest.mark.parametrize("guideline", ["US-ASAM-2020", "ON-METAPHI-2021", "US-TIP63"])
def test_a_high_dose_is_advised_on_whatever_the_guideline(guideline: str, mg: int, advice: str | None) -> None:
    ruling = step(SHIPPED[guideline], current_mg=Decimal(mg - 5), new_mg=Decimal(mg), days_since_change=9)
    assert any("Above" in each for each in ruling.advice) == (advice is not None)
    assert advice is None or any(advice in each for each in ruling.advice)


def test_a_limit_that_could_not_be_checked_is_said() -> None:
    ruling = step(SHIPPED["AU-NAT-2003"], current_mg=Decimal(40), new_mg=Decimal(50), days_since_change=3)
    assert "The rise over a week was not checked: the dose of a week ago is not given." in ruling.advice


@given(guideline=inducing, mg=doses, other=doses, at_risk=st.booleans())
def test_more_or_less_tolerance_never_makes_a_larger_first_dose_easier(
    guideline: Guideline, mg: Decimal, other: Decimal, at_risk: bool
) -> None:
    smaller, larger = sorted((mg, other))

    def strict(amount: Decimal, tolerance: Tolerance) -> int:
        return STRICTNESS.index(start(guideline, mg=amount, tolerance=tolerance, at_risk=at_risk).answer)

    assert all(strict(smaller, tolerance) <= strict(larger, tolerance) for tolerance in Tolerance)
    assert strict(mg, LOW) >= strict(mg, USUAL) >= strict(mg, HIGH)


@given(
    guideline=inducing,
    current=doses,
    rises=st.tuples(doses, doses),
    days=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    start_mg=doses,
    day=st.integers(1, 60),
    week_ago=st.none() | doses,
)
def test_a_larger_or_earlier_rise_is_never_answered_more_readily(
    guideline: Guideline,
    current: Decimal,
    rises: tuple[Decimal, Decimal],
    days: tuple[int, int],
    start_mg: Decimal,
    day: int,
    week_ago: Decimal | None,
) -> None:
    def strict(rise: Decimal, since: int) -> int:
        ruling = step(
            guideline,
            current_mg=current,
            new_mg=current + rise,
            days_since_change=since,
            start_mg=start_mg,
            day_of_treatment=day,
            mg_a_week_ago=week_ago,
        )
        assert since >= 3 or ruling.answer is not ALLOW, "the level has not settled"
        assert ruling.answer is REFER or (ruling.answer is ALLOW) == (ruling.limits == ())
        return STRICTNESS.index(ruling.answer)

    assert strict(min(rises), max(days)) <= strict(max(rises), min(days))


@pytest.mark.parametrize(
    ("guideline", "current", "new", "days", "answer", "limits"),
    [
        ("US-TIP63", 80, 72, 7, ALLOW, ()),
        ("US-TIP63", 80, 71, 7, REASON, ("step",)),
        ("US-TIP63", 80, 72, 6, REASON, ("days-between",)),
        ("UK-ORANGE-2017", 80, 75, 7, ALLOW, ()),
        ("UK-ORANGE-2017", 80, 74, 7, REASON, ("step",)),
        ("AU-NAT-2003", 60, 50, 7, ALLOW, ()),
        ("AU-NAT-2003", 45, 40, 7, ALLOW, ()),
        ("AU-NAT-2003", 45, 35, 7, REASON, ("step",)),
        ("AU-NAT-2003", 40, 35, 7, ALLOW, ()),
        ("AU-NAT-2003", 5, 0, 7, ALLOW, ()),
        ("AU-NAT-2003", 40, 30, 1, REASON, ("step", "days-between")),
        ("BC-AB", 40, 39, 30, REFER, ()),
        ("BC-AB", 40, 40, 30, ALLOW, ()),
    ],
)
def test_a_taper_goes_as_low_and_as_fast_as_the_guideline(
    guideline: str, current: int, new: int, days: int, answer: Verdict, limits: tuple[str, ...]
) -> None:
    ruling = taper_step(SHIPPED[guideline], current_mg=Decimal(current), new_mg=Decimal(new), days_since_change=days)
    assert (ruling.answer, ruling.limits) == (answer, limits)


@pytest.mark.parametrize("guideline", SHIPPED.values(), ids=SHIPPED)
def test_in_pregnancy_a_taper_is_the_prescribers_alone(guideline: Guideline) -> None:
    ruling = taper_step(guideline, current_mg=Decimal(80), new_mg=Decimal(79), days_since_change=90, pregnant=True)
    assert ruling.answer is REFER
    plan = taper_plan(guideline, from_mg=Decimal(80), to_mg=Decimal(0), first_day=date(2026, 12, 1), pregnant=True)
    assert (plan.ruling.answer, plan.steps) == (REFER, ())


def test_a_planned_taper_has_its_dates() -> None:
    plan = taper_plan(SHIPPED["AU-NAT-2003"], from_mg=Decimal(55), to_mg=Decimal(30), first_day=date(2026, 12, 1))
    assert plan.ruling.answer is ALLOW
    assert [(each.first_day, each.mg) for each in plan.steps] == [
        (date(2026, 12, 1), Decimal(45)),
        (date(2026, 12, 8), Decimal(40)),
        (date(2026, 12, 15), Decimal(35)),
        (date(2026, 12, 22), Decimal(30)),
    ]


def test_sixty_mg_at_five_a_week_take_twelve_steps_to_nothing() -> None:
    plan = taper_plan(SHIPPED["UK-ORANGE-2017"], from_mg=Decimal(60), to_mg=Decimal(0), first_day=date(2026, 12, 1))
    assert len(plan.steps) == 12, "about twelve weeks to zero"


def test_a_percentage_never_reaches_zero_and_the_plan_says_where_it_stops() -> None:
    plan = taper_plan(SHIPPED["US-TIP63"], from_mg=Decimal(20), to_mg=Decimal(0), first_day=date(2026, 12, 1))
    assert plan.ruling.answer is REFER
    assert plan.steps[-1].mg == Decimal(9)
    assert "reach 9 mg" in plan.ruling.sentence


@given(
    guideline=tapering,
    from_mg=st.decimals(1, 250, places=1),
    to_mg=st.decimals(0, 200, places=1),
    finest_mg=st.sampled_from([Decimal("0.5"), Decimal(1), Decimal("2.5"), Decimal(5)]),
)
def test_every_step_of_a_planned_taper_is_one_that_the_guideline_allows(
    guideline: Guideline, from_mg: Decimal, to_mg: Decimal, finest_mg: Decimal
) -> None:
    first = date(2026, 12, 1)
    plan = taper_plan(guideline, from_mg=from_mg, to_mg=to_mg, first_day=first, finest_mg=finest_mg)
    current, changed = from_mg, first - timedelta(days=90)
    for each in plan.steps:
        ruling = taper_step(
            guideline,
            current_mg=current,
            new_mg=each.mg,
            days_since_change=(each.first_day - changed).days,
        )
        assert ruling.answer is ALLOW
        assert to_mg <= each.mg < current
        current, changed = each.mg, each.first_day
    assert (plan.ruling.answer is ALLOW) == (current <= max(to_mg, Decimal(0)) or from_mg <= to_mg)


@pytest.mark.parametrize(
    ("trough", "peak", "more", "answer", "instruction"),
    [
        (250, 600, {}, ALLOW, Dividing.CONSIDER_SPLIT),
        (300, 600, {}, REASON, Dividing.NOT_INDICATED),
        (300, 600, {"pregnant": True}, ALLOW, Dividing.CONSIDER_SPLIT),
        (None, None, {"pregnant": True}, ALLOW, Dividing.CONSIDER_SPLIT),
        (None, None, {"pregnant": True, "portions": 4}, ALLOW, Dividing.CONSIDER_SPLIT),
        (250, 600, {"portions": 3}, REASON, Dividing.CONSIDER_SPLIT),
        (None, 600, {}, REFER, None),
        (250, 600, {"days_on_dose": 4}, REFER, None),
        (250, 600, {"days_on_dose": 5}, ALLOW, Dividing.CONSIDER_SPLIT),
    ],
)
def test_a_divided_dose_is_considered_above_twice_the_trough_or_in_pregnancy(
    trough: int | None, peak: int | None, more: dict[str, int], answer: Verdict, instruction: Dividing | None
) -> None:
    levels = {
        "trough_ng_ml": None if trough is None else Decimal(trough),
        "peak_ng_ml": None if peak is None else Decimal(peak),
    }
    ruling = split(SHIPPED["PRODUCT-DEFAULT"], **levels, **more)  # type: ignore[arg-type]
    assert ruling.answer is answer
    assert ruling.instruction == (instruction.value if instruction else "")


def test_the_ratio_and_what_the_levels_mean_are_told() -> None:
    ruling = split(SHIPPED["PRODUCT-DEFAULT"], trough_ng_ml=Decimal(250), peak_ng_ml=Decimal(600))
    assert ruling.sentence == "Peak divided by trough is 2.4, more than 2: consider a divided dose."
    assert ruling.figures["ratio"] == Decimal("2.4")
    assert any("below the 400 ng/mL" in each for each in ruling.advice)
    assert any("counts as a take-home dose" in each for each in ruling.advice)
    assert split(SHIPPED["WHO-2009"], trough_ng_ml=Decimal(250), peak_ng_ml=Decimal(600)).answer is REFER


@pytest.mark.parametrize(
    ("guideline", "days", "answer"),
    [
        ("UK-FP10MDA", 14, ALLOW),
        ("UK-FP10MDA", 15, REFUSE),
        ("UK-FP10MDA", None, REFUSE),
        ("VN-CIRC26-2023", 30, ALLOW),
        ("VN-CIRC26-2023", 31, REFUSE),
        ("VN-CIRC26-2023", None, REFUSE),
        ("UK-ORANGE-2017", 30, ALLOW),
        ("UK-ORANGE-2017", 31, REASON),
        ("UK-ORANGE-2017", None, REASON),
        ("UK-ORANGE-2017", 0, REFUSE),
        ("WHO-2009", 400, REFER),
    ],
)
def test_how_long_an_order_may_run_is_law_or_good_practice(guideline: str, days: int | None, answer: Verdict) -> None:
    first = date(2026, 12, 1)
    last = None if days is None else first + timedelta(days=days - 1)
    ruling = order_length(SHIPPED[guideline], first_day=first, last_day=last)
    assert ruling.answer is answer
    assert (ruling.mg, ruling.topic) == (None, Topic.PRESCRIPTION)


def test_an_order_that_must_name_both_dates_says_so() -> None:
    ruling = order_length(SHIPPED["VN-CIRC26-2023"], first_day=date(2026, 12, 1), last_day=None)
    assert ruling.sentence == "The order has no last day, which must be written; at most 30 days."
