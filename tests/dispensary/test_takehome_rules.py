"""What a policy says of a record, and what a doctor may decide on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.takehome.findings import State
from dispensary.takehome.history import History, OpenAlert, canonical, digest, measured, window_of
from dispensary.takehome.measures import LONGEST_RECORD, Measure
from dispensary.takehome.permitted import differs, may_decide
from dispensary.takehome.policy import Policy, Status, parse, shipped_policies
from dispensary.takehome.rules import Allowance, Answer, Assessment, assess, if_all_covered
from tests.dispensary.policy_documents import EXTRA

SHIPPED = {parse(document).policy: parse(document) for document in shipped_policies()}
US = SHIPPED["US-42CFR8.12i-2024"]
PING_AN = SHIPPED["PING-AN-ADHERENCE"]
CLINIC = SHIPPED["DEMONSTRATION-CLINIC-ADHERENCE"]
SIX = [criterion.name for criterion in US.criteria]
TODAY = date(2026, 11, 24)  # a Tuesday


def on_day(day: int, **more: object) -> History:
    """A client who today is on this day of treatment and came every day."""
    first = TODAY - timedelta(days=day - 1)
    since = max(first, TODAY - timedelta(days=LONGEST_RECORD))
    return replace(History(first, since, "c" * (TODAY - since).days), **more)  # type: ignore[arg-type]


def recorded(record: str, **more: object) -> History:
    """A client whose record up to yesterday is this, with nothing else to be said against them."""
    first = TODAY - timedelta(days=len(record))
    known = History(first, first, record, first, lockbox=True, housing_stable=True, employed=True, health_stable=True)
    return replace(known, **more)  # type: ignore[arg-type]


REVIEWED = dict.fromkeys(SIX, True)


def codes(allowance: Allowance, per_supply: int, per_week: int | None = None, reason: str = "") -> list[str]:
    return [r.code for r in may_decide(allowance, per_supply=per_supply, per_week=per_week, reason=reason)]


class TestUnitedStates:
    @pytest.mark.parametrize(("day", "cap"), [(1, 7), (14, 7), (15, 14), (30, 14), (31, 28), (400, 28)])
    def test_the_cap_follows_the_day_of_treatment(self, day: int, cap: int) -> None:
        """42 CFR 8.12(i)(3): the bands by day of treatment."""
        allowance = assess(US, on_day(day, judged=REVIEWED), TODAY).allowance
        assert (allowance.answer, allowance.per_supply, allowance.per_week) == (Answer.ALLOW, cap, None)

    def test_day_14_with_criteria_reviewed_allows_7_and_refuses_8(self) -> None:
        """42 CFR 8.12(i)(1): closed days are extra."""
        allowance = assess(US, on_day(14, judged=REVIEWED), TODAY).allowance
        assert allowance.closed_days_apart
        assert codes(allowance, 7) == []
        assert codes(allowance, 8) == ["above-legal-limit", "reason-missing"]
        assert codes(allowance, 8, reason="far away") == ["above-legal-limit"], "no reason lifts the law's limit"

    def test_day_40_with_one_no_and_a_rationale_allows_10_days(self) -> None:
        """42 CFR 8.12(i)(2): a consideration that speaks against asks for a rationale."""
        said = assess(US, on_day(40, judged={**REVIEWED, "diversion": False}), TODAY)
        assert said.allowance.answer is Answer.ALLOW_WITH_REASON
        assert said.allowance.per_supply == 28, "a no takes nothing away by itself"
        assert codes(said.allowance, 10, reason="bottles counted twice, all full") == []
        assert codes(said.allowance, 10) == ["reason-missing"]
        assert codes(said.allowance, 28) == ["reason-missing"], "a no asks for one also where nothing differs"

    def test_a_consideration_that_nobody_has_weighed_asks_for_a_reason(self) -> None:
        said = assess(US, on_day(40), TODAY)
        assert said.allowance.answer is Answer.ALLOW_WITH_REASON
        assert {finding.state for finding in said.findings} == {State.UNKNOWN}

    def test_what_the_practitioner_answers_outweighs_the_record_and_the_record_is_shown(self) -> None:
        said = assess(US, on_day(40, lockbox=False, housing_stable=True, judged=REVIEWED), TODAY)
        storage = next(finding for finding in said.findings if finding.criterion == "storage")
        assert storage.state is State.MET
        assert storage.evidence == {"lockbox": False, "housing_stable": True, "judged": True}

    def test_a_flag_that_says_no_is_a_no_until_the_practitioner_has_weighed_it(self) -> None:
        alert = OpenAlert("diversion report", "urgent", TODAY)
        said = assess(US, on_day(40, lockbox=False, open_alerts=(alert,)), TODAY)
        states = {finding.criterion: finding.state for finding in said.findings}
        assert states["storage"] is State.NOT_MET
        assert states["other"] is State.NOT_MET
        assert said.allowance.per_supply == 28

    def test_before_the_first_dose_the_law_allows_nothing(self) -> None:
        allowance = assess(US, History(None, TODAY, "", judged=REVIEWED), TODAY).allowance
        assert (allowance.answer, allowance.per_supply) == (Answer.REFUSE, 0)
        assert codes(allowance, 1, reason="urgent travel") == ["above-legal-limit"]

    def test_missed_days_are_shown_for_a_person_to_judge(self) -> None:
        history = replace(on_day(40), record="c" * 30 + "mm" + "c" * 7)
        attendance = next(f for f in assess(US, history, TODAY).findings if f.criterion == "attendance")
        assert attendance.state is State.UNKNOWN
        assert attendance.evidence["missed_days"] == ["2026-11-15", "2026-11-16"]
        assert attendance.sentence.startswith("2 of 39 dose days missed since 2026-10-16.")

    def test_the_next_band_is_named_with_its_day(self) -> None:
        coming = assess(US, on_day(10), TODAY).next
        assert coming is not None
        assert (coming.days, coming.on, coming.level) == (5, date(2026, 11, 29), "days 15 to 30")
        assert coming.sentence == "5 more days, to 2026-11-29: up to 14 days at once."
        assert assess(US, on_day(31), TODAY).next is None

    def test_the_rule_is_not_applied_before_it_was_in_force(self) -> None:
        allowance = assess(US, on_day(40), date(2024, 4, 1)).allowance
        assert (allowance.answer, allowance.per_supply) == (Answer.REFER, None)


class TestAdherenceTable:
    @pytest.mark.parametrize(
        ("record", "per_week"),
        [
            ("c" * 28, 6),
            ("c" * 27 + "m", 5),  # 96.4 %
            ("c" * 26 + "mm", 4),  # 92.8 %
            ("c" * 25 + "mmm", 3),  # 89.2 %
            ("c" * 24 + "m" * 4, 3),  # 85.7 %
            ("c" * 23 + "m" * 5, 2),  # 82.1 %
            ("c" * 21 + "m" * 7, 2),  # 75 % exactly
            ("c" * 20 + "m" * 8, 0),
            ("m" * 200 + "c" * 28, 6),  # what lies before the window does not count
            ("c" * 21, 6),
            ("c" * 20, 0),  # too short a record, however good
            ("c" * 21 + "h" * 7, 6),  # held days leave the count
            ("c" * 26 + "oo", 6),  # days not closed yet are nobody's fault
            ("c" * 27 + "p", 6),  # a day taken in part was covered
            ("", 0),
        ],
    )
    def test_the_share_of_covered_days_gives_the_level(self, record: str, per_week: int) -> None:
        allowance = assess(CLINIC, recorded(record), TODAY).allowance
        assert (allowance.per_week or 0) == per_week
        assert allowance.per_supply == per_week
        assert allowance.answer is not Answer.REFUSE, "only the law refuses"

    def test_below_the_table_the_prescriber_decides(self) -> None:
        said = assess(CLINIC, recorded("m" * 28), TODAY)
        assert (said.level, said.allowance.answer) == ("none", Answer.REFER)
        assert codes(said.allowance, 2, 2, reason="three weeks in hospital") == []

    def test_a_share_just_below_the_cut_point_does_not_reach_it_nor_look_like_it(self) -> None:
        document = next(d for d in shipped_policies() if '"DEMONSTRATION-CLINIC-ADHERENCE"' in d)
        long = parse(document.replace("window_days = 28", "window_days = 365"))
        said = assess(long, recorded("c" * 339 + "m" * 18), TODAY)  # 94.957... %
        assert said.level == "4 a week"
        assert said.figures["adherence_percent"] == "94.9"

    def test_the_first_day_of_a_higher_level_is_exact(self) -> None:
        record = "c" * 20 + "mm" + "c" * 6  # the missed days leave the window after 21 and 22 days
        said = assess(CLINIC, recorded(record), TODAY)
        assert said.level == "4 a week"
        assert said.next is not None
        assert said.next.sentence == "21 more days without a missed day, to 2026-12-15: up to 5 a week."
        then = recorded(record + "c" * 21, first_dose_day=TODAY - timedelta(days=28))
        then = replace(then, record_from=TODAY - timedelta(days=28))
        assert assess(CLINIC, then, said.next.on).level == "5 a week"
        day_before = replace(then, record=then.record[:-1])
        assert assess(CLINIC, day_before, said.next.on - timedelta(days=1)).level == "4 a week"

    def test_nobody_reaches_a_higher_level_while_a_requirement_is_unmet(self) -> None:
        strict = parse_required(CLINIC)
        said = assess(strict, recorded("c" * 28, lockbox=None), TODAY)
        assert (said.level, said.allowance.answer, said.allowance.per_supply) == ("none", Answer.REFER, 0)
        assert said.sentence == "Required and not met: storage. The prescriber decides."
        assert said.next is None

    def test_a_requirement_of_time_is_met_on_its_day(self) -> None:
        strict = parse_required(CLINIC)
        history = recorded("c" * 28, dose_stable_since=TODAY - timedelta(days=9))
        said = assess(strict, history, TODAY)
        stable = next(f for f in said.findings if f.criterion == "stable dose")
        assert (stable.state, stable.remedy) == (State.NOT_MET, "4 more.")
        assert said.next is not None
        assert (said.next.days, said.next.level) == (4, "6 a week")

    def test_no_answer_outweighs_the_record_for_a_requirement(self) -> None:
        strict = parse_required(CLINIC)
        said = assess(strict, recorded("c" * 28, lockbox=False, judged={"storage": True}), TODAY)
        assert (said.level, said.findings[0].state) == ("none", State.NOT_MET)
        refused = assess(strict, recorded("c" * 28, judged={"storage": False}), TODAY)
        assert refused.level == "none", "a practitioner's no always counts"

    @pytest.mark.parametrize(
        ("record", "state"),
        [("cchc", State.MET), ("ccmc", State.UNKNOWN), ("ccpc", State.UNKNOWN), ("ooo", State.UNKNOWN)],
    )
    def test_only_a_record_without_a_missed_day_speaks_for_itself(self, record: str, state: State) -> None:
        document = next(d for d in shipped_policies() if '"DEMONSTRATION-CLINIC-ADHERENCE"' in d)
        policy = parse(document.replace('reads = ["employed"]', 'reads = ["attendance"]'))
        assert assess(policy, recorded(record), TODAY).findings[-1].state is state

    def test_advice_changes_nothing(self) -> None:
        with_work, without = (assess(CLINIC, recorded("c" * 28, employed=work), TODAY) for work in (True, False))
        assert with_work.allowance == without.allowance
        assert without.findings[-1].state is State.NOT_MET


def parse_required(policy: Policy) -> Policy:
    """The same policy with its considerations made requirements."""
    document = next(d for d in shipped_policies() if f'"{policy.policy}"' in d)
    return parse(document.replace('kind = "consideration"', 'kind = "required"'))


class TestDraft:
    @given(st.text("cpmho-", max_size=60))
    def test_a_draft_answers_ask_the_prescriber_and_no_number(self, record: str) -> None:
        said = assess(PING_AN, recorded(record), TODAY)
        assert said.level == "undetermined"
        assert (said.allowance.answer, said.allowance.per_supply) == (Answer.REFER, None)
        assert said.next is None

    def test_a_doctor_decides_on_a_draft_with_a_reason(self) -> None:
        allowance = assess(PING_AN, recorded("c" * 90), TODAY).allowance
        assert codes(allowance, 4, 4) == ["reason-missing"]
        assert codes(allowance, 4, 4, reason="90 days without a missed one") == []


class TestDeciding:
    def test_agreeing_needs_no_reason_and_every_departure_does(self) -> None:
        allowance = assess(CLINIC, recorded("c" * 26 + "mm"), TODAY).allowance
        assert codes(allowance, 4, 4) == []
        for per_supply, per_week in ((3, 4), (4, 3), (4, None), (5, 5), (0, 0)):
            assert differs(allowance, per_supply=per_supply, per_week=per_week)
            assert codes(allowance, per_supply, per_week) == ["reason-missing"]
            assert codes(allowance, per_supply, per_week, reason="  ") == ["reason-missing"]
            assert codes(allowance, per_supply, per_week, reason="agreed") == []

    @pytest.mark.parametrize(
        ("per_supply", "per_week", "code"),
        [
            (-1, None, "per-supply-out-of-bounds"),
            (29, None, "per-supply-out-of-bounds"),
            (1, -1, "per-week-out-of-bounds"),
            (1, 8, "per-week-out-of-bounds"),
        ],
    )
    def test_impossible_numbers_are_refused(self, per_supply: int, per_week: int | None, code: str) -> None:
        allowance = assess(CLINIC, recorded("c" * 28), TODAY).allowance
        assert codes(allowance, per_supply, per_week, reason="because") == [code]

    def test_a_weekly_limit_of_the_law_cannot_be_left_out(self) -> None:
        allowance = Allowance(Answer.ALLOW, 4, 4, False, most_per_supply=4, most_per_week=4)
        assert codes(allowance, 4, None, reason="travel") == ["above-legal-limit"]
        assert codes(allowance, 4, 5, reason="travel") == ["above-legal-limit"]
        assert codes(allowance, 4, 4) == []


records = st.text("cpmho-", max_size=120)
policies = st.sampled_from([*SHIPPED.values(), parse_required(CLINIC), *EXTRA])
NAMES = sorted({criterion.name for policy in [*SHIPPED.values(), *EXTRA] for criterion in policy.criteria})
answers = st.dictionaries(st.sampled_from(NAMES), st.booleans())
flags = st.none() | st.booleans()
first_days = st.none() | st.integers(0, 500).map(lambda n: TODAY - timedelta(days=n))
past_days = st.integers(0, 200).map(lambda n: TODAY - timedelta(days=n))
some_days = st.lists(past_days, max_size=2).map(lambda days: tuple(sorted(days)))


@st.composite
def histories(draw: st.DrawFn) -> History:
    record = draw(records)
    alert = st.builds(OpenAlert, st.text(max_size=8), st.sampled_from(["info", "urgent"]), st.just(TODAY))
    return History(
        first_dose_day=draw(first_days),
        record_from=TODAY - timedelta(days=len(record)),
        record=record,
        dose_stable_since=draw(first_days),
        lockbox=draw(flags),
        housing_stable=draw(flags),
        employed=draw(flags),
        health_stable=draw(flags),
        open_alerts=tuple(draw(st.lists(alert, max_size=2))),
        judged=draw(answers),
        children_at_home=draw(flags),
        guardian=draw(flags),
        distance_km=draw(st.none() | st.integers(0, 40)),
        intoxicated_days=draw(some_days),
        failed_recalls=draw(some_days),
        overdue_recalls=draw(some_days),
        bottles_are_returned=draw(st.sampled_from([True, None])),
        unreturned_bottle_days=draw(some_days),
        last_review_on=draw(st.none() | past_days),
        agreement_signed_on=draw(st.none() | past_days),
    )


@st.composite
def good_histories(draw: st.DrawFn) -> History:
    """Records near the cut points, where most of what a policy asks is met: anything at all rarely reaches a level."""
    n = draw(st.integers(20, 130))
    record = "c" * n
    for at in draw(st.lists(st.integers(0, n - 1), max_size=4)):
        record = record[:at] + draw(st.sampled_from("mmpho")) + record[at + 1 :]
    first = TODAY - timedelta(days=n)
    names = draw(st.sets(st.sampled_from(NAMES), max_size=2))
    return replace(
        draw(histories()),
        first_dose_day=first,
        record_from=first,
        record=record,
        dose_stable_since=first + timedelta(days=draw(st.integers(0, n))),
        lockbox=draw(st.sampled_from([True, True, None])),
        housing_stable=True,
        employed=True,
        health_stable=True,
        open_alerts=(),
        judged={name: name not in ("an exclusion", "ruled out") for name in NAMES if name not in names},
        distance_km=draw(st.sampled_from([4, 5, 30])),
        intoxicated_days=draw(st.sampled_from([(), (TODAY - timedelta(days=30),)])),
        failed_recalls=draw(st.sampled_from([(), (TODAY - timedelta(days=50),)])),
        overdue_recalls=(),
        bottles_are_returned=True,
        unreturned_bottle_days=draw(st.sampled_from([(), (TODAY - timedelta(days=20),)])),
        last_review_on=TODAY - timedelta(days=10),
        agreement_signed_on=first,
    )


ORDER = [Answer.REFUSE, Answer.REFER, Answer.ALLOW_WITH_REASON, Answer.ALLOW]


def height(said: Assessment) -> tuple[int, float, int]:
    """How much an assessment allows, and how freely."""
    allowance = said.allowance
    weekly = inf if allowance.per_week is None and allowance.per_supply else allowance.per_week or 0
    return allowance.per_supply or 0, weekly, ORDER.index(allowance.answer)


class TestAlways:
    @given(policies, histories() | good_histories())
    def test_never_more_than_the_highest_level_of_the_policy(self, policy: Policy, history: History) -> None:
        allowance = assess(policy, history, TODAY).allowance
        assert (allowance.per_supply or 0) <= policy.levels[-1].per_supply
        for found, highest in (
            (allowance.per_week, policy.levels[-1].per_week),
            (allowance.consecutive, policy.levels[-1].consecutive),
        ):
            if highest is not None and allowance.per_supply:
                assert found is not None
                assert found <= highest

    @given(policies, histories() | good_histories(), st.data())
    def test_an_assessment_never_rises_when_a_day_becomes_missed(
        self, policy: Policy, history: History, data: st.DataObject
    ) -> None:
        if not history.record:
            return
        n = data.draw(st.integers(0, len(history.record) - 1))
        worse = replace(history, record=history.record[:n] + "m" + history.record[n + 1 :])
        before, after = (assess(policy, one, TODAY) for one in (history, worse))
        assert all(was >= now for was, now in zip(height(before), height(after), strict=True))

    @given(policies, histories() | good_histories())
    def test_written_down_and_read_again_it_is_judged_the_same(self, policy: Policy, history: History) -> None:
        kept = history.as_json()
        again = History.from_json(kept)
        assert again == history
        assert digest(kept) == digest(again.as_json())
        said = assess(policy, history, TODAY)
        assert canonical(said.as_json()) == canonical(assess(policy, again, TODAY).as_json())
        assert Allowance.from_json(said.as_json()["allowance"]) == said.allowance  # type: ignore[arg-type]

    @given(policies, histories() | good_histories())
    def test_the_day_that_is_named_gives_more_and_no_day_before_it_does(self, policy: Policy, history: History) -> None:
        said = assess(policy, history, TODAY)

        def after(n: int) -> Assessment:
            then = if_all_covered(history, TODAY, n)
            if then.last_review_on:  # who comes each day is reviewed as often as now
                then = replace(then, last_review_on=then.last_review_on + timedelta(days=n))
            return assess(policy, then, TODAY + timedelta(days=n))

        if said.next is None:
            assert all(height(after(n))[:2] <= height(said)[:2] for n in (1, 7, 30, 100, 400))
            return
        assert after(said.next.days).level == said.next.level
        assert height(after(said.next.days))[:2] > height(said)[:2]
        assert after(said.next.days - 1).level == said.level

    @given(policies, histories() | good_histories(), st.integers(0, 28), st.none() | st.integers(0, 7))
    def test_no_decision_exceeds_the_law(
        self, policy: Policy, history: History, per_supply: int, per_week: int | None
    ) -> None:
        allowance = assess(policy, history, TODAY).allowance
        refused = codes(allowance, per_supply, per_week, reason="a reason")
        weekly, in_a_row = allowance.most_per_week, allowance.most_consecutive
        above = per_supply > allowance.most_per_supply
        above |= weekly is not None and (per_week is None or per_week > weekly)
        above |= in_a_row is not None and per_supply > 0  # nothing is said of days in a row
        assert ("above-legal-limit" in refused) == above
        if policy.status is not Status.DRAFT and policy is US:
            assert allowance.most_per_supply == (allowance.per_supply or 0)


def test_figures_are_counted_within_the_window() -> None:
    history = recorded("mmcc" + "c" * 20 + "mhpco-")
    window = window_of(history, TODAY, 10)
    assert window.letters == "ccccmhpco-"
    assert (window.covered, window.missed, window.held) == (6, 1, 1)
    assert window_of(history, TODAY, 365).longest_missed_run == 2
    assert measured(US, history, TODAY)[Measure.DAY_OF_TREATMENT] == 31
