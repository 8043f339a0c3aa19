"""What a policy can say beyond levels by the record, word by word, and what an assessment tells beside the level."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from dispensary.documents import BadDocument, Status
from dispensary.takehome.carrying import DecisionLimits, take_home_allowed
from dispensary.takehome.findings import State
from dispensary.takehome.history import History, canonical, measured
from dispensary.takehome.measures import AT_LEAST, AT_MOST, Fact, Measure
from dispensary.takehome.permitted import differs, may_decide
from dispensary.takehome.policy import Kind, parse
from dispensary.takehome.proposals import cut_to_law
from dispensary.takehome.rules import Allowance, Answer, Assessment, assess
from dispensary.takehome.terms import Terms
from tests.dispensary.policy_documents import EVERYTHING, SHIPPED, filled

TODAY = date(2026, 11, 24)  # a Tuesday
ALL = parse(EVERYTHING)
JUDGED = {"ruled out": False, "weighed": True, "tests": True}


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def recorded(record: str, **more: object) -> History:
    """A client of whom everything is known that speaks for them, with this record up to yesterday."""
    first = ago(len(record))
    known = History(
        first,
        first,
        record,
        first,
        lockbox=True,
        housing_stable=True,
        employed=True,
        health_stable=True,
        judged=JUDGED,
        children_at_home=False,
        guardian=True,
        distance_km=12,
        bottles_are_returned=True,
        last_review_on=ago(20),
        agreement_signed_on=first,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def state_of(said: Assessment, criterion: str) -> State:
    return next(finding.state for finding in said.findings if finding.criterion == criterion)


class TestWhatIsAskedAtMost:
    def test_everything_asked_for_is_there(self) -> None:
        said = assess(ALL, recorded("c" * 60), TODAY)
        assert (said.level, said.allowance.answer, said.changes) == ("high", Answer.ALLOW, ())

    @pytest.mark.parametrize(
        ("more", "level"),
        [
            ({"record": "c" * 50 + "m" + "c" * 9}, "high"),
            ({"record": "c" * 50 + "mm" + "c" * 8}, "low"),  # two in a row
            ({"record": "c" * 40 + "mcmcmcm" + "c" * 13}, "low"),  # four of sixty days
            ({"record": "c" * 40 + "mcmcm" + "c" * 15}, "high"),  # three
            ({"record": "c" * 50 + "mmm" + "c" * 7}, "none"),  # three in a row
            ({"intoxicated_days": (ago(60),)}, "low"),
            ({"intoxicated_days": (ago(61),)}, "high"),  # before the window
            ({"last_review_on": ago(90)}, "high"),
            ({"last_review_on": ago(91)}, "low"),
            ({"last_review_on": None}, "low"),
            ({"last_review_on": TODAY + timedelta(days=1)}, "low"),  # no review yet
            ({"distance_km": 4}, "low"),
            ({"distance_km": 5}, "high"),
            ({"distance_km": None}, "low"),
        ],
        ids=lambda value: value if isinstance(value, str) else "-".join(f"{k}" for k in value),
    )
    def test_each_figure_decides_at_its_cut_point(self, more: dict[str, object], level: str) -> None:
        assert assess(ALL, replace(recorded("c" * 60), **more), TODAY).level == level  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("first", "on", "months"),
        [
            (date(2026, 1, 15), date(2026, 1, 15), 0),
            (date(2026, 1, 15), date(2026, 2, 14), 0),
            (date(2026, 1, 15), date(2026, 2, 15), 1),
            (date(2025, 11, 30), date(2026, 2, 27), 2),
            (date(2025, 11, 30), date(2026, 2, 28), 3),  # February has no 30th
            (date(2026, 8, 31), date(2026, 9, 30), 1),
            (date(2024, 2, 29), date(2025, 2, 28), 12),
            (date(2026, 3, 1), date(2026, 2, 28), None),
        ],
        ids=str,
    )
    def test_months_are_whole_calendar_months(self, first: date, on: date, months: int | None) -> None:
        history = History(first, first, "")
        assert measured(ALL, history, on)[Measure.MONTHS_OF_TREATMENT] == months


class TestFacts:
    @pytest.mark.parametrize(
        ("criterion", "more", "state"),
        [
            ("bottles", {}, State.MET),
            ("bottles", {"unreturned_bottle_days": (ago(9),)}, State.NOT_MET),
            ("bottles", {"unreturned_bottle_days": (ago(61),)}, State.MET),
            ("bottles", {"bottles_are_returned": None}, State.UNKNOWN),
            ("bottles", {"failed_recalls": (ago(30),)}, State.NOT_MET),
            ("bottles", {"failed_recalls": (ago(61),)}, State.MET),
            ("bottles", {"overdue_recalls": (ago(2),)}, State.NOT_MET),
            ("bottles", {"agreement_signed_on": None}, State.NOT_MET),
            ("life", {}, State.MET),
            ("life", {"children_at_home": True}, State.NOT_MET),
            ("life", {"children_at_home": None}, State.UNKNOWN),
            ("life", {"guardian": False}, State.NOT_MET),
        ],
        ids=lambda value: (
            str(value.value) if isinstance(value, State) else value if isinstance(value, str) else "-".join(value)
        ),
    )
    def test_the_record_says_yes_no_or_nothing(self, criterion: str, more: dict[str, object], state: State) -> None:
        assert state_of(assess(ALL, recorded("c" * 60, **more), TODAY), criterion) is state

    @pytest.mark.parametrize(
        ("employed", "guardian", "state"),
        [
            (True, None, State.MET),
            (None, True, State.MET),
            (False, True, State.MET),
            (False, False, State.NOT_MET),
            (False, None, State.UNKNOWN),
            (None, None, State.UNKNOWN),
        ],
    )
    def test_work_or_somebody_who_vouches(self, employed: bool | None, guardian: bool | None, state: State) -> None:
        policy = filled("MY-TAKEAWAY")
        history = recorded("c" * 400, employed=employed, guardian=guardian)
        assert state_of(assess(policy, history, TODAY), "work or guardian") is state


class TestWhatRulesOut:
    """All inclusions and none of the exclusions: what the pilot of Viet Nam asks for."""

    @pytest.mark.parametrize(
        ("answer", "level"), [(False, "the pilot's"), (True, "none"), (None, "none")], ids=("no", "yes", "open")
    )
    def test_a_practitioners_yes_rules_out_and_an_open_question_is_no_no(self, answer: bool | None, level: str) -> None:
        policy = filled("VN-PILOT-2021", min_months=6, stable_days=30, no_missed_days=90, days_at_once=5)
        judged = {"maintenance phase": True, "urine": True}
        judged |= {} if answer is None else {"an exclusion": answer}
        said = assess(policy, recorded("c" * 240, judged=judged), TODAY)
        assert said.level == level
        if answer:
            assert said.sentence == "Ruled out, or not known not to be: an exclusion. The prescriber decides."

    def test_every_inclusion_is_needed(self) -> None:
        policy = filled("VN-PILOT-2021", min_months=6, stable_days=30, no_missed_days=90, days_at_once=5)
        judged = {"maintenance phase": True, "an exclusion": False, "urine": True}
        good = recorded("c" * 240, judged=judged)
        assert assess(policy, good, TODAY).level == "the pilot's"
        for worse in (
            replace(good, record="c" * 200 + "m" + "c" * 39),
            replace(good, agreement_signed_on=None),
            replace(good, dose_stable_since=ago(20)),
            replace(good, first_dose_day=ago(100)),
            replace(good, judged={**judged, "maintenance phase": False}),
        ):
            assert assess(policy, worse, TODAY).level == "none"

    def test_a_drug_test_is_weighed_and_never_refuses(self) -> None:
        policy = filled("VN-PILOT-2021", min_months=6, stable_days=30, no_missed_days=90, days_at_once=5)
        judged = {"maintenance phase": True, "an exclusion": False, "urine": False}
        said = assess(policy, recorded("c" * 240, judged=judged), TODAY)
        assert (said.level, said.allowance.answer) == ("the pilot's", Answer.ALLOW_WITH_REASON)

    @pytest.mark.parametrize("kind", ["required", "exclusion"])
    def test_no_document_can_make_a_drug_test_refuse(self, kind: str) -> None:
        document = EVERYTHING.replace('name = "tests"\nkind = "consideration"', f'name = "tests"\nkind = "{kind}"')
        with pytest.raises(BadDocument, match="drug tests, which never refuse by themselves"):
            parse(document)
        with pytest.raises(BadDocument, match="drug tests never refuse a level by themselves"):
            parse(EVERYTHING.replace('requires = ["weighed", "bottles"]', 'requires = ["tests"]'))


class TestProgrammes:
    def test_south_australia_gives_two_a_week_at_moderate_risk_and_none_at_high(self) -> None:
        policy = SHIPPED["SA-MATOD"]
        moderate = {"stabilised": True, "not high risk": True}
        allowance = assess(policy, recorded("c" * 100, judged=moderate), TODAY).allowance
        assert (allowance.per_week, allowance.consecutive) == (2, 4)
        high = assess(policy, recorded("c" * 100, judged={**moderate, "not high risk": False}), TODAY)
        assert (high.level, high.allowance.answer, high.allowance.per_supply) == ("none", Answer.REFER, 0)

    @pytest.mark.parametrize(("months", "level"), [(91, "none"), (92, "after three months")])
    def test_victoria_gives_four_a_week_three_in_a_row_after_three_months(self, months: int, level: str) -> None:
        judged = {"stability": True, "attendance": True, "injecting": True, "other use and health": True}
        said = assess(SHIPPED["VIC-2016"], recorded("c" * months, judged=judged), TODAY)  # 24 August to 24 November
        assert said.level == level
        if level != "none":
            assert said.sentence.startswith(f"Level “{level}”: up to 4 a week, 3 days at once, 3 in a row")
            assert said.allowance.answer is Answer.ALLOW

    def test_england_gives_a_week_and_the_form_allows_two_to_a_prescriber_who_says_why(self) -> None:
        said = assess(
            SHIPPED["UK-ORANGE-2017"], recorded("c" * 200, judged={"compliance": True, "settled": True}), TODAY
        )
        assert (said.allowance.per_supply, said.allowance.most_per_supply) == (7, 14)
        allowed = [may_decide(said.allowance, per_supply=n, per_week=None, reason="travel") for n in (14, 15)]
        assert [[fault.code for fault in faults] for faults in allowed] == [[], ["above-legal-limit"]]

    def test_the_form_binds_before_the_three_months_are_over_too(self) -> None:
        said = assess(SHIPPED["UK-ORANGE-2017"], recorded("c" * 10), TODAY)
        assert (said.allowance.answer, said.allowance.per_supply, said.allowance.most_per_supply) == (
            Answer.REFER,
            0,
            14,
        )

    @pytest.mark.parametrize(
        ("day", "per_supply", "per_week"),
        [(1, 1, 1), (90, 1, 1), (91, 2, 2), (181, 3, 3), (271, 6, 6), (365, 6, 6), (366, 14, None), (731, 28, None)],
    )
    def test_the_rule_of_2001_went_by_quarters_and_years(self, day: int, per_supply: int, per_week: int | None) -> None:
        then = date(2019, 5, 1)
        first = then - timedelta(days=day - 1)
        allowance = assess(SHIPPED["US-42CFR8.12i-2001"], History(first, then, ""), then).allowance
        assert (allowance.per_supply, allowance.per_week, allowance.closed_days_in_a_row) == (per_supply, per_week, 1)

    @pytest.mark.parametrize(("stable", "days"), [(True, 28), (False, 14), (None, 14)])
    def test_the_exemption_of_2020_told_stable_from_less_stable(self, stable: bool | None, days: int) -> None:
        then = date(2021, 5, 1)
        judged = {"handles it safely": True} | ({} if stable is None else {"stable": stable})
        history = History(then - timedelta(days=9), then, "", judged=judged)
        said = assess(SHIPPED["US-SAMHSA-2020-03-16"], history, then)
        assert (said.allowance.answer, said.allowance.per_supply) == (Answer.ALLOW, days)

    def test_harapan_gives_two_weeks_for_stable_health_and_work_to_whom_a_practitioner_says_so(self) -> None:
        policy = SHIPPED["HARAPAN-STYLE"]
        history = recorded("c" * 90, judged={"attendance": True, "bottles": True})
        said = assess(policy, history, TODAY)
        assert (said.level, said.allowance.answer) == ("none", Answer.REFER), "nobody reaches it by days alone"
        judged = {**history.judged, "health": True, "employment": True}
        assert assess(policy, replace(history, judged=judged), TODAY).allowance.per_supply == 14
        out_of_work = assess(policy, replace(history, judged=judged, employed=False), TODAY)
        assert out_of_work.level == "none"

    def test_ontario_keeps_one_observed_day_a_week_at_its_highest(self) -> None:
        assert SHIPPED["ON-CPSO-2011"].levels[-1].per_week == 6

    @pytest.mark.parametrize("name", sorted(name for name, one in SHIPPED.items() if one.status is Status.DRAFT))
    def test_a_draft_has_no_number_of_its_own(self, name: str) -> None:
        policy = SHIPPED[name]
        assert policy.parameters
        assert all(parameter.value is None for parameter in policy.parameters)
        said = assess(policy, recorded("c" * 300, judged=dict.fromkeys((c.name for c in policy.criteria), True)), TODAY)
        assert (said.allowance.answer, said.allowance.per_supply) == (Answer.REFER, None)


class TestWhatWouldChangeTheAnswer:
    def test_each_thing_that_alone_would_do(self) -> None:
        said = assess(ALL, recorded("c" * 60, lockbox=None), TODAY)
        assert said.level == "none"
        assert said.changes == (
            "Once “storage” is met: up to 6 a week, 5 in a row. Ask, and write the answer on the client's record.",
        )

    def test_what_only_does_it_together_is_told_together(self) -> None:
        said = assess(ALL, recorded("c" * 60, lockbox=False, judged={**JUDGED, "ruled out": True}), TODAY)
        assert said.changes == ("Once “storage” is met and “ruled out” no longer holds: up to 6 a week, 5 in a row.",)

    def test_days_come_first_and_are_exact(self) -> None:
        said = assess(ALL, recorded("c" * 44, agreement_signed_on=None), TODAY)
        assert said.level == "low"
        assert said.next is None, "days alone do not do it"
        assert said.changes == ("Once “bottles” is met: up to 6 a week, 5 in a row. Have the agreement signed.",)
        young = assess(ALL, recorded("c" * 43), TODAY)
        assert young.changes == ("1 more day without a missed day, to 2026-11-25: up to 6 a week, 5 in a row.",)

    def test_a_review_stays_as_fresh_as_it_is_when_days_are_counted_ahead(self) -> None:
        said = assess(ALL, recorded("c" * 20, last_review_on=ago(85)), TODAY)
        assert said.next is not None
        assert said.next.level == "low"
        later = assess(ALL, recorded("c" * 35, last_review_on=ago(85)), TODAY)
        assert later.next is not None, "it would be reviewed in time"
        assert later.next.level == "high"

    def test_a_draft_promises_nothing(self) -> None:
        assert assess(SHIPPED["NSW-2018"], recorded("c" * 100), TODAY).changes == ()


class TestOldRecords:
    def test_what_was_kept_before_there_was_more_to_keep_is_read_and_written_as_it_was(self) -> None:
        old = History(ago(30), ago(30), "c" * 30, ago(30), lockbox=True)
        kept = old.as_json()
        assert set(kept) == {
            "first_dose_day",
            "record_from",
            "record",
            "dose_stable_since",
            "lockbox",
            "housing_stable",
            "employed",
            "health_stable",
            "open_alerts",
            "judged",
        }
        assert canonical(History.from_json(kept).as_json()) == canonical(kept)

    def test_an_allowance_without_days_in_a_row_is_written_as_before(self) -> None:
        allowance = Allowance(Answer.ALLOW, 4, 4, False)
        assert set(allowance.as_json()) == {
            "answer",
            "per_supply",
            "per_week",
            "closed_days_apart",
            "most_per_supply",
            "most_per_week",
        }

    @pytest.mark.parametrize("name", ["intoxicated_days", "overdue_recalls"])
    def test_what_is_no_list_of_days_is_no_history(self, name: str) -> None:
        with pytest.raises((TypeError, ValueError)):
            History.from_json({**recorded("c").as_json(), name: "2026-01-01"})


class TestDeciding:
    LIMITED = Allowance(Answer.ALLOW, 3, 4, False, consecutive=3, most_consecutive=4)

    def test_days_in_a_row_are_decided_like_the_others(self) -> None:
        asked = {"per_supply": 3, "per_week": 4}
        assert not differs(self.LIMITED, **asked, consecutive=3)
        assert differs(self.LIMITED, **asked, consecutive=2)
        assert differs(self.LIMITED, **asked, consecutive=None)
        assert not differs(replace(self.LIMITED, consecutive=None), **asked, consecutive=2)

    @pytest.mark.parametrize(
        ("consecutive", "codes"), [(3, []), (4, []), (5, ["above-legal-limit"]), (None, ["above-legal-limit"])]
    )
    def test_the_laws_days_in_a_row_bind_whatever_the_reason(self, consecutive: int | None, codes: list[str]) -> None:
        faults = may_decide(self.LIMITED, per_supply=3, per_week=4, consecutive=consecutive, reason="travel")
        assert [fault.code for fault in faults] == codes
        assert may_decide(self.LIMITED, per_supply=0, per_week=None, reason="not now") == ()

    def test_what_is_in_force_above_the_law_is_cut_to_it(self) -> None:
        assert cut_to_law(self.LIMITED, Terms(3, 4, None)) == Terms(3, 4, 4)
        assert cut_to_law(self.LIMITED, Terms(3, 4, 6)) == Terms(3, 4, 4)
        assert cut_to_law(self.LIMITED, Terms(3, 4, 2)) is None


class TestCarrying:
    """2026-11-24 is a Tuesday."""

    def allowed(
        self, limits: DecisionLimits, *wanted: int, carried: tuple[int, ...] = (), closed: tuple[int, ...] = ()
    ) -> list[str]:
        def days(offsets: tuple[int, ...]) -> list[date]:
            return [TODAY + timedelta(days=n) for n in offsets]

        faults = take_home_allowed(limits, days(wanted), days(carried), days(closed), today=TODAY)
        return [fault.code for fault in faults]

    def test_no_more_days_in_a_row_than_decided_with_what_is_at_home_already(self) -> None:
        limits = DecisionLimits(9, None, True, consecutive=3)
        assert self.allowed(limits, 1, 2, 3) == []
        assert self.allowed(limits, 1, 2, 3, 4) == ["take-home-consecutive"]
        assert self.allowed(limits, 1, 2, 3, 5, 6, 7) == []
        assert self.allowed(limits, 3, 4, carried=(1, 2)) == ["take-home-consecutive"]
        assert self.allowed(limits, 6, carried=(1, 2, 3, 4)) == [], "a run that no wanted day is in was judged before"

    def test_a_closed_day_kept_apart_joins_a_run_and_does_not_count_in_it(self) -> None:
        limits = DecisionLimits(9, None, True, consecutive=3)
        assert self.allowed(limits, 1, 2, 3, 4, closed=(2,)) == []
        assert self.allowed(limits, 1, 2, 3, 4, 5, closed=(2,)) == ["take-home-consecutive"]
        assert self.allowed(replace(limits, closed_days_apart=False), 1, 2, 3, 4, closed=(2,)) == [
            "take-home-consecutive"
        ]

    def test_only_days_of_the_weekly_pattern(self) -> None:
        limits = DecisionLimits(9, None, True, weekdays=frozenset({2, 5}))  # Wednesday and Saturday
        assert self.allowed(limits, 1, 4) == []
        assert self.allowed(limits, 1, 2) == ["take-home-weekday"]
        assert self.allowed(limits, 1, 5, closed=(5,)) == [], "a closed day kept apart is no matter of the pattern"


@pytest.mark.parametrize(
    ("changed", "by", "problem"),
    [
        (
            "closed_days_apart = true",
            "closed_days_apart = false",
            "how many closed days in a row are apart and that none",
        ),
        (
            'requires = ["weighed", "bottles"]',
            'requires = ["nobody"]',
            "Level “high” requires “nobody”, which is no criterion.",
        ),
        ("observed_per_week = 1", "observed_per_week = 1\nper_week = 7", "asks for 1 observed days of the same seven"),
        (
            "observed_per_week = 1",
            "observed_per_week = 0",
            "Level “high” allows more than the law that the policy names.",
        ),
        ("at_most = { consecutive_missed_days = 2 }", "at_most = { day_of_treatment = 2 }", "bears “day_of_treatment”"),
        (
            "needs = { months_of_treatment = 1,",
            "needs = { missed_days = 1,",
            "needs “missed_days”, which is not measured",
        ),
        ('about = "drug_tests"', 'about = "weather"', "needs one of drug_tests for about"),
        ("consecutive = 5", "consecutive = 0", "Level “high” allows less than “low” before it."),
        ("window_days = 60\n", "", "does not say over how many (window_days)"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_with_a_policy_is_named(changed: str, by: str, problem: str) -> None:
    assert changed in EVERYTHING
    with pytest.raises(BadDocument) as bad:
        parse(EVERYTHING.replace(changed, by, 1))
    assert any(problem in told for told in bad.value.problems), bad.value.problems


def test_the_policy_of_the_tests_says_everything_that_can_be_said() -> None:
    """So that the properties above hold for each word of the vocabulary."""
    used: set[Measure] = {measure for needs in ALL.all_needs() for measure in needs}
    assert used == set(Measure) == {*AT_LEAST, *AT_MOST}
    assert {fact for criterion in ALL.criteria for fact in criterion.reads} == set(Fact)
    assert {criterion.kind for criterion in ALL.criteria} == set(Kind)
