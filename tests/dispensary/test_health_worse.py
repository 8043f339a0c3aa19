"""What is judged of a whole client: a worse value never makes an alert milder, and a unit makes no difference."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from dispensary.database import Database
from dispensary.monitoring.adherence import Fill
from dispensary.monitoring.analytes import Comparator, analytes, read_value
from dispensary.monitoring.findings import Severity
from dispensary.monitoring.judged import Health, Known, Part, Running, Setting, Supported, judge, worth_an_alert
from dispensary.monitoring.models import Alert
from dispensary.monitoring.results import Measurement
from dispensary.monitoring.sources import figures
from dispensary.units import ClientId, months_after
from dispensary.web import health_acts
from dispensary.web.health_acts import When
from tests.builders import Clinic, clinic

DAY = date(2026, 3, 2)
PANEL = UUID(int=1)


def known(value: Decimal | int | str, *, on: date = DAY, upper: Decimal | int | None = None, n: int = 1) -> Known:
    """A result: a choice where it is a word, else a number."""
    limit = None if upper is None else Decimal(upper)
    if isinstance(value, str):
        return Known(UUID(int=n), on, choice=value, panel=PANEL)
    return Known(UUID(int=n), on, Decimal(value), Comparator.EXACT, "", limit, PANEL)


def grade(cause: str, *, setting: Setting | None = None, **of: object) -> Severity:
    """How grave the alert of a cause is; NONE where there is none."""
    found = worth_an_alert(judge(Health(**of), DAY, setting or Setting()))  # type: ignore[arg-type]
    return max((each.finding.severity for each in found if each.cause == cause), default=Severity.NONE)


def results(**tests: Sequence[Known] | Known) -> dict[str, list[Known]]:
    return {code: [each] if isinstance(each, Known) else list(each) for code, each in tests.items()}


values = st.decimals("1", "2000", places=1)
_BY_SYMPTOMS = ("none", "", "present")
"""From none over what nobody asked about to those that are there."""
pairs = st.tuples(values, values).map(sorted)


class TestWorse:
    @given(st.tuples(st.integers(280, 700), st.integers(280, 700)).map(sorted), st.integers(35, 200))
    def test_a_longer_qt(self, qt: list[int], rate: int) -> None:
        better, worse = (grade("qtc", results=results(qt=known(each), heart_rate=known(rate))) for each in qt)
        assert better <= worse

    @given(st.tuples(st.integers(300, 700), st.integers(300, 700)).map(sorted), st.sampled_from(["", "male", "female"]))
    def test_a_longer_reported_qtc(self, qtc: list[int], sex: str) -> None:
        better, worse = (grade("qtc", sex=sex, results=results(qtc=known(each))) for each in qtc)
        assert better <= worse

    @given(pairs, st.lists(values, max_size=2), st.none() | st.decimals("1", "300", places=1), st.integers(20, 60))
    def test_a_higher_alt_whatever_was_before_and_beside_it(
        self, last: list[Decimal], before: list[Decimal], bilirubin: Decimal | None, upper: int
    ) -> None:
        beside = {} if bilirubin is None else {"bilirubin": known(bilirubin, upper=21)}
        earlier = [known(each, on=DAY - timedelta(days=9), upper=upper) for each in before]
        better, worse = (
            grade("alt", results=results(alt=[*earlier, known(each, upper=upper)], **beside)) for each in last
        )
        assert better <= worse

    @given(pairs, values, st.integers(20, 60))
    def test_a_higher_bilirubin(self, bilirubin: list[Decimal], alt: Decimal, upper: int) -> None:
        better, worse = (
            grade("alt", results=results(alt=known(alt, upper=upper), bilirubin=known(each, upper=21)))
            for each in bilirubin
        )
        assert better <= worse

    @given(
        pairs,
        st.tuples(*2 * [st.sampled_from(["none", "", "present"])]).map(lambda two: sorted(two, key=_BY_SYMPTOMS.index)),
        st.integers(20, 60),
    )
    def test_a_higher_alt_on_tb_medicines_with_symptoms_rather_than_without(
        self, alt: list[Decimal], symptoms: list[str], upper: int
    ) -> None:
        taken = {"treatments": {"tb": Running(DAY - timedelta(days=20))}, "medicines": ["Rifampicin"]}
        better, worse = (
            grade(
                "tb-alt",
                **taken,
                results=results(
                    alt=known(value, upper=upper),
                    **({"liver_symptoms": known(said)} if said else {}),
                ),
            )
            for value, said in zip(alt, symptoms, strict=True)
        )
        assert better <= worse

    @given(pairs, st.integers(18, 90), values, st.decimals("5", "900", places=0))
    def test_a_higher_ast_by_fib4_and_apri(
        self, ast: list[Decimal], age: int, alt: Decimal, platelets: Decimal
    ) -> None:
        for cause in ("fib-4", "apri"):
            better, worse = (
                grade(
                    cause,
                    age=age,
                    results=results(alt=known(alt, upper=40), ast=known(each, upper=40), platelets=known(platelets)),
                )
                for each in ast
            )
            assert better <= worse

    @given(st.tuples(st.integers(5, 900), st.integers(5, 900)).map(sorted), st.integers(18, 90), values, values)
    def test_fewer_platelets_by_fib4_and_apri(self, platelets: list[int], age: int, alt: Decimal, ast: Decimal) -> None:
        for cause in ("fib-4", "apri"):
            worse, better = (
                grade(
                    cause,
                    age=age,
                    results=results(alt=known(alt, upper=40), ast=known(ast, upper=40), platelets=known(each)),
                )
                for each in platelets
            )
            assert better <= worse

    @given(
        st.tuples(st.integers(1, 300), st.integers(1, 300)).map(sorted),
        st.tuples(st.integers(10, 60), st.integers(10, 60)).map(lambda two: sorted(two, reverse=True)),
        st.tuples(*2 * [st.decimals("0.8", "4", places=1)]).map(sorted),
        st.tuples(*2 * [st.integers(0, 2)]).map(sorted),
        st.tuples(*2 * [st.integers(0, 2)]).map(sorted),
    )
    def test_everything_worse_by_child_pugh(self, bilirubin, albumin, inr, ascites, mind) -> None:
        words = {code: analytes()[code].choices for code in ("ascites", "encephalopathy")}
        better, worse = (
            grade(
                "child-pugh",
                results=results(
                    bilirubin=known(bilirubin[n]),
                    albumin=known(albumin[n]),
                    inr=known(inr[n]),
                    ascites=known(words["ascites"][ascites[n]]),
                    encephalopathy=known(words["encephalopathy"][mind[n]]),
                ),
            )
            for n in (0, 1)
        )
        assert better <= worse

    @given(
        st.tuples(st.integers(0, 5000), st.integers(0, 5000)).map(sorted),
        st.integers(0, 5000),
        st.integers(1, 8),
        st.none() | st.integers(0, 250),
        st.sampled_from(sorted(figures().viral_load)),
    )
    def test_a_higher_viral_load_whatever_was_before_it_and_with_support_or_without(
        self, last: list[int], first: int, months: int, support: int | None, version: str
    ) -> None:
        before = months_after(DAY, -months)
        helped = [] if support is None else [Supported(UUID(int=9), DAY - timedelta(days=support))]
        grades = [
            grade(
                "viral-load",
                setting=Setting(version),
                support=given_support,
                results=results(viral_load=[known(first, on=before), known(copies, n=2)]),
            )
            for given_support in ([], helped)
            for copies in last
        ]
        assert grades[0] <= grades[1]
        assert grades[2] <= grades[3]
        assert grades[0] <= grades[2], "support never makes it milder"
        assert grades[1] <= grades[3]

    @given(st.tuples(st.integers(1, 90), st.integers(1, 90)).map(sorted), st.integers(50, 100))
    def test_fewer_covered_days(self, days: list[int], percent: int) -> None:
        since = DAY - timedelta(days=90)
        worse, better = (
            grade(
                "adherence art",
                setting=Setting(adherence_from=Fraction(percent, 100)),
                treatments={"art": Running(since, {"dolutegravir": Part([Fill(since, each)], since)})},
            )
            for each in days
        )
        assert better <= worse


WRITTEN_TWICE = [
    ("bilirubin", "51.3", "µmol/L", "3", "mg/dL", "20.52", "1.2"),
    ("bilirubin", "34.2", "µmol/L", "2.0", "mg/dL", "17.1", "1"),
    ("albumin", "27.9", "g/L", "2.79", "g/dL", "", ""),
    ("alt", "240", "U/L", "4", "µkat/L", "40.2", "0.67"),
    ("ast", "126", "U/L", "2.1", "ukat/L", "42", "0.7"),
    ("platelets", "99", "10^9/L", "99000", "/µL", "", ""),
    ("viral_load", "1001", "copies/mL", "3.000434077", "log10 copies/mL", "", ""),
    ("viral_load", "1000", "copies/mL", "3", "log10 copies/mL", "", ""),
    ("qt", "440", "ms", "0.44", "s", "", ""),
]


class TestUnits:
    @given(
        st.sampled_from(["bilirubin", "albumin", "alt", "ast", "platelets", "qt", "qtc"]),
        st.decimals("0.5", "60", places=2),
        st.decimals("0.5", "5", places=2),
        st.data(),
    )
    def test_any_value_with_its_limit_is_the_same_finding(
        self, code: str, value: Decimal, upper: Decimal, data: st.DataObject
    ) -> None:
        analyte = analytes()[code]
        unit = data.draw(st.sampled_from(sorted(analyte.units)))
        low, high = analyte.possible
        if not low <= value * analyte.units[unit] <= high:
            return
        told = set()
        for typed, limit, named in (
            (str(value), upper, unit),
            (str(value * analyte.units[unit]), upper * analyte.units[unit], analyte.unit),
        ):
            read = read_value(analyte, typed, named).number
            assert read is not None
            of = results(
                **{"alt": known(90, upper=40), "ast": known(90, upper=40), "platelets": known(140)}
                | {"bilirubin": known(30, upper=20), "albumin": known(33), "inr": known(1), "heart_rate": known(75)}
                | {"ascites": known("mild"), "encephalopathy": known("none")}
                | {code: known(read, upper=limit if named == analyte.unit else upper * analyte.units[unit])}
            )
            found = judge(Health(age=50, results=of), DAY, Setting())
            told.add(tuple((each.cause, each.finding.sentence, each.finding.severity) for each in found))
        assert len(told) == 1

    @pytest.mark.parametrize("one", WRITTEN_TWICE, ids=[f"{each[0]} {each[1]}" for each in WRITTEN_TWICE])
    def test_entered_in_either_unit_it_opens_the_same_alerts(self, here: Clinic, one: tuple[str, ...]) -> None:
        code, value, unit, other_value, other_unit, upper, other_upper = one
        said = []
        for typed, named, limit in ((value, unit, upper), (other_value, other_unit, other_upper)):
            client = here.client()
            enters(here, client, Measurement(code, typed, unit=named, upper=limit))
            said.append(opened(here, client))
        assert said[0] == said[1]


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def enters(here: Clinic, client: ClientId, measured: Measurement) -> None:
    """Enters it beside what else the rules ask for, and judges."""
    beside = {
        "alt": Measurement("alt", "121", upper="40"),
        "ast": Measurement("ast", "90", upper="40"),
        "bilirubin": Measurement("bilirubin", "45", upper="21"),
        "platelets": Measurement("platelets", "60"),
        "albumin": Measurement("albumin", "29"),
        "inr": Measurement("inr", "1.8"),
        "ascites": Measurement("ascites", "mild"),
        "encephalopathy": Measurement("encephalopathy", "none"),
        "qt": Measurement("qt", "400"),
        "heart_rate": Measurement("heart_rate", "75"),
        "viral_load": Measurement("viral_load", "40"),
    }
    with here.database.writing() as session:
        health_acts.enter(
            session,
            actor=here.doctor,
            client_id=client,
            taken_on=here.today,
            measurements=list((beside | {measured.analyte: measured}).values()),
            key=uuid4(),
            when=When(here.today, here.now),
        )


def opened(here: Clinic, client: ClientId) -> list[tuple[str, str, str]]:
    with here.database.reading() as session:
        rows = session.scalars(select(Alert).where(Alert.client_id == client).order_by(Alert.cause))
        return [(row.cause, row.severity, row.sentence) for row in rows]
