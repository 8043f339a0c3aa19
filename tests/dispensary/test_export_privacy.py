"""Attacks on exports: finding a person in the rows, laying two exports over each other, reading a name in any file."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispensary.clients.rules import Identity, Sex
from dispensary.clients.service import enrol
from dispensary.database import Database
from dispensary.evaluation.answering import ask
from dispensary.evaluation.crowds import OPEN, SHIELDED, UNTOLD, Shield, Traits
from dispensary.evaluation.exports import export_dose_days, export_measure, export_retention
from dispensary.evaluation.fhir import SAYS, export_fhir
from dispensary.evaluation.fhir_resources import ENTRY
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import Question
from dispensary.monitoring.analytes import analytes
from dispensary.staff.queries import sites
from dispensary.units import ClientId
from notifications.service import set_contact
from tests.builders import Clinic, clinic
from tests.dispensary.measured import START, YEAR, history

people = st.lists(
    st.builds(Traits, *(st.sampled_from(each) for each in (["2024", "2025"], ["A", "B", "C"], ["f", "m"], ["y", "o"]))),
    max_size=60,
)


class TestTheCrowd:
    @given(people, st.randoms(use_true_random=False))
    @settings(max_examples=200)
    def test_whatever_is_told_of_one_is_told_of_five(self, traits: list[Traits], dice: object) -> None:
        whom = dict(enumerate(traits))
        told = SHIELDED.among(whom)
        assert min(Counter(told.values()).values(), default=SHIELDED.least) >= SHIELDED.least
        for who, shown in told.items():
            for column in ("year", "site", "sex", "age"):
                assert getattr(shown, column) in (getattr(whom[who], column), UNTOLD)
        gone = Counter(traits[who].year for who in whom.keys() - told.keys())
        years = Counter(each.year for each in traits)
        assert all(gone[year] == years[year] < SHIELDED.least for year in gone), "who is left out came in a small year"
        order = list(whom)
        dice.shuffle(order)  # type: ignore[attr-defined]
        assert SHIELDED.among({who: whom[who] for who in order}) == told

    @given(people)
    @settings(max_examples=200)
    def test_whoever_knows_all_of_a_person_finds_five_rows_or_none(self, traits: list[Traits]) -> None:
        """The attacker keeps the rows that do not contradict what they know, and those that would have been told."""
        told = SHIELDED.among(dict(enumerate(traits)))
        for known in set(traits):
            fits = [
                shown for shown in told.values()
                if all(getattr(shown, c) in (getattr(known, c), UNTOLD) for c in ("year", "site", "sex", "age"))
            ]  # fmt: skip
            exact = [shown for shown in fits if UNTOLD not in (shown.site, shown.sex, shown.age)]
            assert not fits or len(exact or fits) >= SHIELDED.least

    def test_the_rest_is_not_told_by_what_is_told_of_the_others(self) -> None:
        traits = {n: Traits("2026", "A", "f" if n < 3 else "m", "") for n in range(12)}
        assert {each.sex for each in SHIELDED.among(traits).values()} == {UNTOLD}
        traits = {n: Traits("2026", "A", "f" if n < 5 else "m", "") for n in range(12)}
        assert Counter(each.sex for each in SHIELDED.among(traits).values()) == {"f": 5, "m": 7}


class TestTheWindow:
    @given(
        st.integers(1, 800), st.integers(0, 900), st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=5)
    )
    @settings(max_examples=200)
    def test_all_windows_are_as_long_and_lie_within_what_was_known(
        self, days: int, later: int, drawn: list[bytes]
    ) -> None:
        period = Period(date(2025, 1, 1), date(2025, 1, 1) + timedelta(days=days))
        as_of = period.from_day + timedelta(days=later)
        windows = [SHIELDED.window(period, as_of_day=as_of, drawn=each) for each in drawn]
        end = min(period.until_day, as_of + timedelta(days=1))
        assert len({each.until_day - each.from_day for each in windows}) == 1
        assert all(period.from_day <= each.from_day < each.until_day <= end for each in windows)
        assert OPEN.window(period, as_of_day=as_of, drawn=drawn[0]) == Period(period.from_day, end)


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """Twelve clients who came on days of their own in 2026, one in 2025; one has a name and a phone that are seeded."""
    here = clinic(database, now)
    history(here, *((f"K{n}", 3 * n, 300) for n in range(12)), ("OLD", -40, 250))
    with database.writing() as session:
        client = enrol(
            session,
            actor=here.doctor,
            number="NUMBER-77",
            identity=Identity(
                name="Zulkifli Xanadu", born=date(1991, 5, 17), second_identifier="a heron on the wrist",
                national_id="910517-14-5533", sex=Sex.MALE,
            ),
            began_on=here.today,
            today=here.today,
            at=here.now,
        )  # fmt: skip
        set_contact(
            session, vault=session.vault, recipient_id=client.id, phone="+60129988776", language="en", region="MY",
            now=here.now,
        )  # fmt: skip
    here.clients.append(ClientId(client.id))
    return here


SECRETS = ("Zulkifli", "Xanadu", "129988776", "910517", "1991-05-17", "heron", "NUMBER-77", "Aishah", "Lim Wei")


def write(here: Clinic, path: Path, name: str, *, period: Period = YEAR, shield: Shield = SHIELDED) -> None:
    """An export of everybody, in the format that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with here.database.reading() as session:
        there, now = sites(session), here.now
        match name:
            case "dose-days":
                export_dose_days(session, places=there, period=period, as_of=now, now=now, path=path, shield=shield)
            case "retention":
                export_retention(
                    session, places=there, question=Question(period, now), now=now, path=path, shield=shield
                )
            case "fhir":
                export_fhir(
                    session, places=there, period=period, as_of=now, now=now, tests=analytes(), path=path, shield=shield
                )
            case _:
                asked = ask(measure(name), places=there, period=period, as_of=now, now=now, by=("site", "age"))
                export_measure(session, asked=asked, path=path)


def readable(path: Path) -> str:
    """All that somebody can read in a file, however it is packed."""
    plain = path.read_bytes().decode("utf-8", "replace")
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as packed:
            plain += "".join(packed.read(entry).decode("utf-8", "replace") for entry in packed.namelist())
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        plain += json.dumps(table.to_pylist(), default=str) + str(table.schema)
    return plain


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


class TestFiles:
    @pytest.mark.parametrize("name", ["dose-days", "retention", "programme", "fhir"])
    def test_no_file_of_any_format_has_a_name_a_number_or_a_date_of_a_person(
        self, here: Clinic, tmp_path: Path, name: str
    ) -> None:
        """Everybody is in it and nothing is hidden, so that what is looked for would be there."""
        formats = ("ndjson",) if name == "fhir" else ("csv", "parquet", "xlsx")
        for suffix in (*formats, *(("ndjson",) if name == "programme" else ())):
            write(here, tmp_path / suffix / f"{name}.{suffix}", name, shield=OPEN)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) >= len(formats) * 2
        for path in files:
            found = readable(path)
            assert [secret for secret in SECRETS if secret in found or secret in path.name] == [], path.name
            if not path.name.endswith("manifest.json") and name in ("dose-days", "retention"):
                assert "2026-" not in found.replace("1980-01-01", "")


class TestRows:
    def test_who_came_in_a_year_of_few_is_in_no_row_and_is_not_counted_exactly(
        self, here: Clinic, tmp_path: Path
    ) -> None:
        write(here, tmp_path / "retention.csv", "retention", period=Period(date(2025, 1, 1), date(2027, 1, 1)))
        stays = table(tmp_path / "retention-stays.csv")
        assert len({row["client"] for row in stays}) == 12
        manifest = json.loads((tmp_path / "retention.manifest.json").read_text())
        assert manifest["figures"]["all"]["clients"] == 13
        assert manifest["exclusions"][-1]["count"] == "fewer than 5"

    def test_the_first_and_the_last_day_do_not_tell_when_somebody_came(self, here: Clinic, tmp_path: Path) -> None:
        """Rows of whoever was there when the period began would count back to the day of entry."""
        summer = Period(date(2026, 5, 1), date(2026, 10, 1))
        entries = {START + timedelta(days=3 * n) for n in range(12)}
        for shield, found in ((OPEN, True), (SHIELDED, False)):
            write(here, tmp_path / "dose-days.csv", "dose-days", period=summer, shield=shield)
            first: dict[str, int] = {}
            last: dict[str, int] = {}
            for row in table(tmp_path / "dose-days.csv"):
                first.setdefault(row["client"], int(row["day"]))
                last[row["client"]] = int(row["day"])
            assert len(first) == 12 + (shield is OPEN)
            counted = {summer.from_day - timedelta(days=day) for day in first.values()}
            assert (entries <= counted) is found
            if shield is SHIELDED:
                assert len({last[who] - first[who] for who in first}) == 1, "the length would tell the two ends apart"
        manifest = json.loads((tmp_path / "dose-days.manifest.json").read_text())
        rows = table(tmp_path / "dose-days.csv")
        assert manifest["figures"]["denominator"] == len(rows) == 12 * 126
        assert manifest["exclusions"][2]["count"] == 12 * 27

    def test_records_do_not_tell_it_either(self, here: Clinic, tmp_path: Path) -> None:
        """In FHIR every day is counted from entry: the first and the last of whoever was there all along."""
        summer = Period(date(2026, 5, 1), date(2026, 10, 1))
        entries = {START + timedelta(days=3 * n) for n in range(12)}
        for shield, found in ((OPEN, True), (SHIELDED, False)):
            write(here, tmp_path / "fhir", "fhir", period=summer, shield=shield)
            days: dict[str, list[date]] = {}
            for line in (tmp_path / "fhir-MedicationAdministration.ndjson").read_text().splitlines():
                dose = json.loads(line)
                days.setdefault(dose["subject"]["reference"], []).append(date.fromisoformat(dose["effectiveDateTime"]))
            counted = {summer.from_day - (min(each) - ENTRY) for each in days.values()}
            assert (entries <= counted) is found
            assert shield is OPEN or len({max(each) - min(each) for each in days.values()}) == 1

    def test_a_stay_that_goes_on_is_told_in_whole_times_four_weeks(self, here: Clinic, tmp_path: Path) -> None:
        write(here, tmp_path / "retention.csv", "retention")
        going = {int(row["days"]) for row in table(tmp_path / "retention-stays.csv") if row["ending"] == "in_treatment"}
        assert going == {day - day % 28 for day in range(318 - 33, 319, 3)}

    def test_a_booking_in_fhir_has_no_time_of_day(self, here: Clinic, tmp_path: Path) -> None:
        import scheduling.service
        from tests.dispensary.phones import kl, week

        with here.database.writing() as session:
            scheduling.service.set_hours(session, place_id=here.site_id, hours=week(), from_day=date(2026, 1, 1))
            scheduling.service.book(
                session, place_id=here.site_id, holder_id=here.clients[-1], starts_at=kl(24, 8, 45), now=here.now,
                channel="desk",
            )  # fmt: skip
        write(here, tmp_path / "fhir.ndjson", "fhir", shield=OPEN)
        (booked,) = (json.loads(each) for each in (tmp_path / "fhir-Appointment.ndjson").read_text().splitlines())
        assert (booked["start"], booked["minutesDuration"]) == (f"{ENTRY}T00:00:00Z", 15)


class TestTwoExports:
    def test_neither_names_nor_order_lay_one_over_the_other(self, here: Clinic, tmp_path: Path) -> None:
        """Rows stand in the order of pseudonyms, which are drawn anew: who is first here is anywhere there."""
        orders = []
        for number in range(6):
            period = Period(YEAR.from_day, YEAR.until_day + timedelta(days=number))
            write(here, tmp_path / f"{number}" / "retention.csv", "retention", period=period)
            rows = [r for r in table(tmp_path / f"{number}" / "retention-stays.csv") if r["ending"] == "in_treatment"]
            orders.append([(row["client"], row["days"]) for row in rows])
        names = [{name for name, _ in order} for order in orders]
        assert sum(map(len, names)) == len(set.union(*names)) == 6 * 12
        assert all([name for name, _ in order] == sorted(name for name, _ in order) for order in orders)
        assert len({tuple(days for _, days in order) for order in orders}) > 1

    def test_each_export_of_one_moment_names_anew(self, here: Clinic, tmp_path: Path) -> None:
        named = []
        for name, file in (("retention", "retention-stays"), ("dose-days", "dose-days-clients")):
            write(here, tmp_path / f"{name}.csv", name)
            named.append({row["client"] for row in table(tmp_path / f"{file}.csv")})
        write(here, tmp_path / "fhir", "fhir")
        named.append(
            {json.loads(row)["id"] for row in (tmp_path / f"fhir-{next(iter(SAYS))}.ndjson").read_text().splitlines()}
        )
        assert [len(each) for each in named] == [12, 12, 13]
        assert not named[0] & named[1] | named[1] & named[2] | named[0] & named[2]
        assert set(SAYS) <= {path.stem.removeprefix("fhir-") for path in tmp_path.glob("fhir-*")}
