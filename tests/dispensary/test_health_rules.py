"""The rules of health hold for every value: worse is never graver by less, and a unit changes nothing."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.documents import Status
from dispensary.monitoring import adherence, due, heart, interactions, liver, viral
from dispensary.monitoring.adherence import Fill, Window
from dispensary.monitoring.analytes import BadValue, Comparator, analytes, by_loinc, read_value
from dispensary.monitoring.findings import REFER, Severity
from dispensary.monitoring.interactions import Moment
from dispensary.monitoring.liver import Measured
from dispensary.monitoring.sources import figures
from dispensary.units import months_after

DAY = date(2026, 3, 2)
ADHERER = Path(__file__).parents[3] / "shared" / "data" / "adherer"
values = st.decimals("1", "3000", places=1)
limits = st.decimals("20", "60", places=0)


class TestWorse:
    @given(values, values, limits)
    def test_a_higher_alt_is_never_less_grave(self, one: Decimal, other: Decimal, upper: Decimal) -> None:
        low, high = sorted((one, other))
        assert liver.alt([Measured(DAY, low, upper)]).severity <= liver.alt([Measured(DAY, high, upper)]).severity

    @given(values, values, limits, st.booleans())
    def test_nor_on_tb_medicines_nor_with_symptoms(
        self, one: Decimal, other: Decimal, upper: Decimal, symptoms: bool
    ) -> None:
        low, high = sorted((one, other))
        better = liver.tb_alt(Measured(DAY, low, upper), symptoms=False)
        worse = liver.tb_alt(Measured(DAY, high, upper), symptoms=symptoms)
        assert better.severity <= worse.severity

    @given(values, st.decimals("1", "800", places=1), st.decimals("1", "800", places=1), limits)
    def test_nor_by_hys_rule(self, alt: Decimal, one: Decimal, other: Decimal, upper: Decimal) -> None:
        low, high = (liver.hy(Measured(DAY, alt, upper), Measured(DAY, b, Decimal(21))) for b in sorted((one, other)))
        assert low.severity <= high.severity

    @given(st.integers(280, 700), st.integers(280, 700), st.integers(35, 200), st.sampled_from(["", "male", "female"]))
    def test_a_longer_qt_is_never_less_grave(self, one: int, other: int, rate: int, sex: str) -> None:
        short, long = (
            heart.qtc(qt_ms=Decimal(each), heart_rate=Decimal(rate), sex=sex) for each in sorted((one, other))
        )
        assert short.severity <= long.severity

    @given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(sorted(figures().viral_load)), st.booleans())
    def test_a_higher_viral_load_is_never_less_grave(self, one: int, other: int, version: str, supported: bool) -> None:
        first = viral.ViralLoad(DAY, 5000)
        low, high = (
            viral.viral_load(
                [first, viral.ViralLoad(months_after(DAY, 4), copies)],
                version=version,
                support_on=[DAY] if supported else [],
            )
            for copies in sorted((one, other))
        )
        assert low.severity <= high.severity

    @given(st.integers(1, 90), st.integers(1, 90))
    def test_fewer_covered_days_are_never_less_grave(self, one: int, other: int) -> None:
        window = Window(DAY, DAY + timedelta(days=89))
        few, many = sorted((one, other))
        worse, better = (adherence.adherence({"a": [Fill(DAY, days)]}, window) for days in (few, many))
        assert better.severity <= worse.severity


class TestUnits:
    @given(st.sampled_from([each for each in analytes().values() if each.units]), st.data())
    def test_a_value_in_another_unit_is_the_same_value(self, analyte, data) -> None:
        unit = data.draw(st.sampled_from(sorted(analyte.units)))
        low, high = analyte.plausible
        kept = data.draw(st.decimals(low, high, places=2))
        written = kept / analyte.units[unit]
        again = read_value(analyte, f"{written:.15f}", unit) if len(f"{written:.15f}") <= 20 else None
        if again is not None and again.number is not None:
            assert abs(again.number - kept) < Decimal("0.0001")

    @given(st.integers(1, 10**7))
    def test_a_viral_load_as_a_logarithm_is_the_same_finding(self, copies: int) -> None:
        analyte = analytes()["viral_load"]
        logarithm = Decimal(copies).log10().quantize(Decimal("0.000000000000001"))
        read = read_value(analyte, str(logarithm), "log10 copies/mL").number
        assert read == copies
        assert viral.viral_load([viral.ViralLoad(DAY, int(read))]) == viral.viral_load([viral.ViralLoad(DAY, copies)])

    @given(st.integers(1, 40), st.integers(10, 60))
    def test_child_pugh_is_the_same_in_both_units(self, bilirubin: int, albumin: int) -> None:
        read = {
            "mg": (
                read_value(analytes()["bilirubin"], str(bilirubin / 10), "mg/dL").number,
                read_value(analytes()["albumin"], str(albumin / 10), "g/dL").number,
            ),
            "umol": (
                read_value(analytes()["bilirubin"], str(Decimal("1.71") * bilirubin)).number,
                read_value(analytes()["albumin"], str(albumin)).number,
            ),
        }
        said = {
            liver.child_pugh(
                bilirubin=b or Decimal(0),
                albumin=a or Decimal(0),
                inr=Decimal(1),
                ascites=liver.Ascites.NONE,
                encephalopathy=liver.Encephalopathy.NONE,
            ).sentence
            for b, a in read.values()
        }
        assert len(said) == 1

    @pytest.mark.parametrize(
        ("code", "typed", "unit", "expected"),
        [
            ("alt", "1,5", "", Decimal("1.5")),
            ("platelets", "150000", "/µL", Decimal(150)),
            ("platelets", "150,000", "/uL", Decimal(150)),
            ("bilirubin", "2", "MG/DL", Decimal("34.2")),
            ("qt", "0.4", "s", Decimal(400)),
            ("viral_load", "<40", "{copies}/mL", Decimal(40)),
        ],
    )
    def test_values_are_read_as_they_are_written(self, code: str, typed: str, unit: str, expected: Decimal) -> None:
        value = read_value(analytes()[code], typed, unit)
        assert value.number == expected
        assert value.comparator == (Comparator.BELOW if "<" in typed else Comparator.EXACT)

    @pytest.mark.parametrize(
        ("code", "typed", "unit"),
        [
            ("alt", "NaN", ""),
            ("alt", "1e500", ""),
            ("alt", "-4", ""),
            ("alt", "", ""),
            ("alt", "40", "mg/dL"),
            ("alt", "٣٤x", ""),
            ("hbsag", "perhaps", ""),
            ("viral_load", "99", "log10 copies/mL"),
            ("qt", "4", "s"),
        ],
    )
    def test_what_is_no_value_is_refused_with_the_name_of_the_test(self, code: str, typed: str, unit: str) -> None:
        with pytest.raises(BadValue, match=analytes()[code].name[:3]):
            read_value(analytes()[code], typed, unit)

    def test_a_loinc_code_names_one_test(self) -> None:
        codes = [code for each in analytes().values() for code in (*each.loinc, *each.loinc_log)]
        assert len(codes) == len(set(codes))
        assert (by_loinc("1742-6") or analytes()["ast"]).code == "alt"
        assert by_loinc("0-0") is None


class TestCover:
    fills = st.lists(st.builds(Fill, st.dates(date(2025, 12, 1), date(2026, 6, 1)), st.integers(1, 60)), max_size=12)
    windows = st.builds(
        lambda first, days: Window(first, first + timedelta(days=days)),
        st.dates(date(2026, 1, 1), date(2026, 3, 1)),
        st.integers(0, 120),
    )

    @given(fills, windows)
    def test_is_never_more_than_all_and_carrying_over_never_takes_a_day_away(self, fills, window) -> None:
        carried, plain = adherence.pdc(fills, window), adherence.pdc(fills, window, carry=False)
        assert 0 <= plain <= carried <= 1

    @given(fills, fills, windows)
    def test_of_a_regimen_is_never_more_than_of_any_part(self, one, other, window) -> None:
        both = adherence.pdc_of_all({"a": one, "b": other}, window)
        assert both <= min(adherence.pdc(one, window), adherence.pdc(other, window))

    @given(fills, windows)
    def test_is_what_counting_the_bottles_day_by_day_gives(self, fills, window) -> None:
        left, covered = 0, 0
        day = min([fill.on for fill in fills], default=window.first)
        day = min(day, window.first)
        while day <= window.last:
            left += sum(fill.days for fill in fills if fill.on == day)
            if left:
                left -= 1
                covered += window.first <= day
            day += timedelta(days=1)
        assert adherence.pdc(fills, window) == Fraction(covered, window.days)

    def test_example_26(self) -> None:
        fills = [Fill(date(2024, 1, 1), 30), Fill(date(2024, 1, 28), 30), Fill(date(2024, 3, 5), 30)]
        window = Window(date(2024, 1, 1), date(2024, 3, 30))
        assert adherence.pdc(fills, window) == Fraction(86, 90)
        assert adherence.pdc(fills, window, carry=False) == Fraction(83, 90)
        assert adherence.mpr(fills, window) == 1
        assert adherence.runs_out_on(fills) == date(2024, 4, 4)

    @pytest.mark.skipif(not ADHERER.is_dir(), reason="the published measures are not here")
    def test_is_the_published_cma7_and_mpr_the_published_cma2(self) -> None:
        fills: dict[str, list[Fill]] = {}
        with (ADHERER / "adherer_med_events.csv").open() as file:
            for row in csv.DictReader(file):
                month, day, year = map(int, row["DATE"].split("/"))
                fills.setdefault(row["PATIENT_ID"], []).append(Fill(date(year, month, day), int(row["DURATION"])))
        with (ADHERER / "adherer_cma_365d.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 100
        between_fills = []
        for row in rows:
            theirs = fills[row["PATIENT_ID"]]
            first = min(fill.on for fill in theirs)
            last = max(fill.on for fill in theirs if fill.on <= first + timedelta(days=365))
            if last > first:  # CMA1 is MPR from the first fill to the last, which two of the hundred have on one day
                before = [fill for fill in theirs if fill.on < last]
                between_fills.append(adherence.mpr(before, Window(first, last - timedelta(days=1))))
                assert abs(float(between_fills[-1]) - float(row["CMA1"])) < 1e-9
            window = Window(first, first + timedelta(days=364))
            assert abs(float(adherence.pdc(theirs, window)) - float(row["CMA7"])) < 1e-9
            # The published CMA2 counts a fill of the day after the window, of which three of the hundred have one.
            after = sum(fill.days for fill in theirs if fill.on == first + timedelta(days=365))
            assert abs(float(adherence.mpr(theirs, window) + Fraction(after, 365)) - float(row["CMA2"])) < 1e-9
        assert len(between_fills) == 98
        assert round(float(sum(between_fills) / 98), 7) == 0.7082709


class TestTheTable:
    def test_every_row_has_a_source_and_says_what_to_do(self) -> None:
        for row in interactions.rows():
            assert row.source
            assert row.start
            assert row.confidence in ("source", "high", "medium")
            assert row.size is None or row.size[0] <= row.size[1]
            assert row.direction is interactions.Effect.NONE or row.severity > Severity.NONE

    def test_no_figure_of_medium_confidence_is_told(self) -> None:
        for row in interactions.rows():
            if row.confidence == "medium" and row.size is not None:
                assert row.size_status is Status.DRAFT
                (finding,) = [
                    f for f in interactions.interaction(row.names[0], Moment.START) if f.figures["row"] == row.key
                ]
                assert "%" not in finding.sentence
                assert "size_percent" not in finding.figures

    @given(st.text(max_size=30))
    def test_a_name_is_known_or_said_to_be_unknown_and_never_silently_safe(self, typed: str) -> None:
        findings = interactions.interaction(typed, Moment.START)
        assert findings
        if not interactions.known_as(typed):
            assert findings[0].finding == "unknown"
            assert findings[0].severity is Severity.WARNING

    @pytest.mark.parametrize("typed", ["Rifampin", "  RIFAMPICIN ", "rifampicín"])
    def test_a_name_is_known_however_it_is_written(self, typed: str) -> None:
        assert [row.key for row in interactions.known_as(typed)] == ["rifampicin"]

    def test_a_slip_of_the_pen_is_asked_about_and_not_taken_for_what_it_may_be(self) -> None:
        (finding,) = interactions.interaction("efavirens", Moment.START)
        assert finding.finding == "unknown"
        assert "efavirenz" in finding.advice

    def test_whatever_moves_methadone_is_spoken_of_again_when_it_stops(self) -> None:
        for row in interactions.rows():
            for name in row.names:
                directions = {each.direction for each in interactions.known_as(name)}
                stops = interactions.interaction(name, Moment.STOP)
                moving = directions & {interactions.Effect.DOWN, interactions.Effect.UP}
                assert bool(stops) == bool(moving)
                assert all(stop.severity > Severity.NONE for stop in stops)

    def test_looks_come_while_the_effect_comes_and_goes(self) -> None:
        coming = interactions.looks("rifampicin", Moment.START, DAY)
        going = interactions.looks("rifampicin", Moment.STOP, DAY)
        assert [(look.on - DAY).days for look in coming] == [3, 6, 9, 12, 14]
        assert going[-1].on == DAY + timedelta(days=14)
        assert "withdrawal" in coming[0].why
        assert "sedation" in going[0].why
        assert [(look.on - DAY).days for look in interactions.looks("efavirenz", Moment.START, DAY)] == [8, 10]
        assert interactions.looks("abacavir", Moment.START, DAY) == []


RULES = {rule.key: rule for rule in due.rules()}


class TestDue:
    @pytest.mark.parametrize(
        ("rule", "since", "done", "expected"),
        [
            ("liver-hepatitis", "2026-01-10", [], "2026-01-10"),
            ("liver-hepatitis", "2026-01-10", ["2026-02-01"], "2026-08-01"),
            ("liver-hepatitis", "2026-01-10", ["2025-08-31"], "2026-02-28"),
            ("viral-load", "2026-01-10", [], "2026-07-10"),
            ("viral-load", "2026-01-10", ["2026-01-08"], "2026-07-10"),
            ("viral-load", "2026-01-10", ["2026-07-03"], "2027-01-10"),
            ("viral-load", "2026-01-10", ["2026-07-03", "2027-01-20"], "2028-01-20"),
            ("viral-load", "2026-01-10", ["2027-02-20"], "2028-02-20"),
            ("ecg-start", "2026-01-10", [], "2026-01-10"),
            ("ecg-start", "2026-01-10", ["2025-11-01"], "2026-02-09"),
            ("ecg-start", "2026-01-10", ["2024-11-01"], "2026-01-10"),
            ("ecg-start", "2026-01-10", ["2026-02-05"], "2027-02-05"),
            ("ecg-high-dose", "2026-01-10", ["2026-01-09"], "2026-01-10"),
            ("ecg-high-dose", "2026-01-10", ["2026-01-12"], None),
            ("liver-tb-hepatitis", "2026-01-10", ["2026-01-24"], "2026-02-07"),
            ("hiv-test", "2026-01-10", [], None),
        ],
    )
    def test_a_day_follows_from_the_rule_and_the_results(self, rule, since, done, expected) -> None:
        on = due.next_due(RULES[rule], date.fromisoformat(since), [date.fromisoformat(each) for each in done])
        assert on == (date.fromisoformat(expected) if expected else None)

    def test_a_draft_says_no_day(self) -> None:
        assert due.due({"no_hiv": DAY, "no_hepatitis_c": DAY, "may_be_pregnant": DAY}, {}) == []

    def test_of_two_rules_the_earlier_day_counts(self) -> None:
        since = {"episode": DAY, "episode_start": DAY, "dose_above_100": DAY + timedelta(days=9)}
        (found,) = due.due(since, {"ecg": [DAY]})
        assert (found.on, found.rule.key) == (DAY + timedelta(days=9), "ecg-high-dose")
        assert found.when(DAY) is due.When.SOON
        assert found.when(DAY + timedelta(days=10)) is due.When.LATE

    @given(
        st.sampled_from([rule for rule in due.rules() if rule.speaks]),
        st.dates(date(2024, 1, 1), date(2026, 1, 1)),
        st.lists(st.dates(date(2023, 6, 1), date(2027, 1, 1)), max_size=6),
        st.dates(date(2023, 6, 1), date(2027, 1, 1)),
    )
    def test_another_result_never_brings_the_next_one_nearer(self, rule, since, done, more) -> None:
        before, after = due.next_due(rule, since, done), due.next_due(rule, since, [*done, more])
        assert before is None or after is None or after >= before


def test_a_draft_of_figures_answers_with_a_referral() -> None:
    off = msgspec.structs.replace(figures().qtc, status=Status.DRAFT)
    known = msgspec.structs.replace(figures(), qtc=off)
    finding = heart.qtc(reported_ms=Decimal(560), by=known)
    assert finding.finding == REFER
    assert finding.advice == "Refer to prescriber."
