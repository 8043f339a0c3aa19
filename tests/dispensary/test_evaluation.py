"""Exports on a real database: what they say, that they say it again, and whom they do not name."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dispensary import __version__
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.crowds import OPEN
from dispensary.evaluation.exports import export_dose_days, export_retention
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import Question, Retention, retention
from dispensary.evaluation.rules import DEFAULT_ROLES, Role, Scale
from dispensary.refusals import BadInput
from dispensary.staff.queries import Place, sites
from dispensary.staff.rules import the_program
from dispensary.supplies.dose_files import DoseLine, Reading, read_doses
from dispensary.supplies.history import import_doses
from dispensary.units import DoseDay, milligrams
from tests.builders import Clinic, clinic

START = date(2026, 1, 10)
YEAR = Period(date(2026, 1, 1), date(2027, 1, 1))
REAL = Path(__file__).parents[3] / "shared/data/ctn0094/methadone_arm_daily.csv"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def bring_in(place: Clinic, *stretches: tuple[str, int, int], mg: str = "80", at: datetime | None = None) -> None:
    """History in stretches: a client, the first day and the day after the last, counted from the 10th of January."""
    days = [(number, day) for number, first, end in stretches for day in range(first, end)]
    lines = tuple(
        DoseLine(n, number, DoseDay(START + timedelta(days=day)), milligrams(mg))
        for n, (number, day) in enumerate(days, start=2)
    )
    with place.database.writing() as session:
        import_doses(session, actor=the_program(place.site_id), reading=Reading(lines, (), {}, 0), at=at or place.now)


def places(place: Clinic) -> list[Place]:
    with place.database.reading() as session:
        return sites(session)


def ask(place: Clinic, *, as_of: datetime | None = None, **parameters: Any) -> Retention:
    question = Question(parameters.pop("period", YEAR), as_of or place.now, **parameters)
    with place.database.reading() as session:
        return retention(session, places=sites(session), question=question, now=place.now)


def stays_of(answer: Retention) -> list[tuple[int, int, str]]:
    return sorted((stay.number, seen.days, seen.ending) for stay, seen in answer.all.observed)


def leave(place: Clinic, number: str, day: int, reason: ExitReason, at: datetime | None = None) -> None:
    with place.database.writing() as session:
        sql = (
            "SELECT e.id FROM episode e JOIN client c ON c.id = e.client_id WHERE c.number = :n AND e.ended_on IS NULL"
        )
        end_episode(
            session,
            actor=place.doctor,
            episode_id=session.execute(text(sql), {"n": number}).scalar_one(),
            ended_on=START + timedelta(days=day),
            reason=reason,
            at=at or place.now,
        )


# The as-of day of these tests is 24 November 2026: day 318.


def test_a_gap_within_the_rule_continues_a_stay_and_a_longer_one_ends_it(place: Clinic) -> None:
    bring_in(place, ("A", 0, 50), ("A", 80, 100), ("B", 0, 50), ("B", 81, 100), ("C", 0, 315))
    answer = ask(place)
    assert stays_of(answer) == [
        (1, 50, "dropped_out"),
        (1, 100, "dropped_out"),
        (1, 318, "in_treatment"),
        (2, 19, "dropped_out"),
    ]
    assert (answer.first.curve.n, answer.all.curve.n, answer.all.clients) == (3, 4, 3)
    assert answer.in_gap == 1
    assert stays_of(ask(place, gap_days=29))[:2] == [(1, 50, "dropped_out"), (1, 50, "dropped_out")]


def test_retention_in_calendar_months_by_hand(place: Clinic) -> None:
    """From 10 January, 59 days reach 10 March, 90 days 10 April, 181 days 10 July; one stay is going on."""
    bring_in(place, ("A", 0, 59), ("B", 0, 90), ("C", 0, 181), ("D", 0, 318))
    marks = {mark.months: mark for mark in ask(place, months=(0, 2, 3, 6, 10, 12)).first.marks}
    assert [(m, marks[m].at_risk, marks[m].events) for m in marks] == [
        (0, 4, 0), (2, 4, 1), (3, 3, 2), (6, 2, 3), (10, 1, 3), (12, 0, 3),
    ]  # fmt: skip
    assert [str(marks[m].retention) for m in marks] == ["1", "0.75", "0.50", "0.25", "0.25", "None"]
    half = ask(place, scale=Scale(Decimal("30")), months=(6,)).first.marks[0]
    assert (half.at_risk, half.retention) == (2, Decimal(".5"))


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        (ExitReason.DROPPED_OUT, 1),
        (ExitReason.ENDED_BY_PROGRAMME, 1),
        (ExitReason.DIED, 0),
        (ExitReason.IMPRISONED, 0),
        (ExitReason.TRANSFERRED, 0),
        (ExitReason.COMPLETED, 0),
    ],
)
def test_a_stated_reason_goes_before_the_gap_rule(place: Clinic, reason: ExitReason, event: int) -> None:
    bring_in(place, ("A", 0, 100))
    leave(place, "A", 140, reason)
    answer = ask(place)
    assert stays_of(answer) == [(1, 100, reason.value)]
    assert answer.first.curve.events == event
    assert answer.first.endings == {reason.value: 1}


def test_roles_can_be_changed_and_are_stated(place: Clinic) -> None:
    bring_in(place, ("A", 0, 100))
    leave(place, "A", 100, ExitReason.TRANSFERRED)
    answer = ask(place, roles={**DEFAULT_ROLES, "transferred": Role.EVENT})
    assert answer.first.curve.events == 1
    assert answer.definition()["roles"] == {
        "event": "dropped_out, ended_by_programme, transferred",
        "competing": "completed, died, imprisoned",
        "censored": "none",
    }


def test_an_exit_that_was_followed_by_a_return_within_the_gap_is_no_exit(place: Clinic) -> None:
    bring_in(place, ("A", 0, 100))
    leave(place, "A", 100, ExitReason.DROPPED_OUT)
    bring_in(place, ("A", 110, 318))
    assert stays_of(ask(place)) == [(1, 318, "in_treatment")]


def test_bottles_cover_their_days_whenever_they_were_collected(place: Clinic) -> None:
    bring_in(place, ("X", 0, 10))
    client = place.client()
    place.decide(client, per_supply=28)
    place.give(client, take_home_days=place.ahead(*range(1, 28)))
    place.now += timedelta(days=50)
    place.today = DoseDay(place.today + timedelta(days=50))
    seen = [(s.days, s.ending) for stay, s in ask(place, gap_days=10).first.observed if stay.first_day > START]
    assert seen == [(28, "dropped_out")]


def test_a_dose_undone_covers_nothing_from_then_on(place: Clinic) -> None:
    client = place.client()
    place.give(client)
    noted = place.now
    later = place.now + timedelta(hours=2)
    with place.database.writing() as session:
        session.execute(text("UPDATE dose SET voided_at = :at"), {"at": later})
    place.now += timedelta(hours=3)
    assert ask(place, as_of=noted).first.curve.n == 1
    assert ask(place, as_of=place.now).first.curve.n == 0


def test_clients_who_never_had_a_dose_are_counted_apart(place: Clinic) -> None:
    bring_in(place, ("A", 0, 100))
    place.client()
    answer = ask(place)
    assert (answer.first.curve.n, answer.never_dosed, answer.outside_period) == (1, 1, 0)
    late = ask(place, period=Period(date(2026, 2, 1), date(2027, 1, 1)))
    assert (late.first.curve.n, late.never_dosed, late.outside_period) == (0, 1, 1)


def export(place: Clinic, folder: Path, **parameters: Any) -> tuple[Retention, dict[str, bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    as_of = parameters.pop("as_of", place.now)
    with place.database.reading() as session:
        answer = export_retention(
            session,
            places=sites(session),
            question=Question(YEAR, as_of, **parameters),
            now=place.now,
            path=folder / "retention.csv",
            shield=OPEN,
        )
    return answer, {path.name: path.read_bytes() for path in folder.iterdir()}


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_an_export_of_retention_states_itself_and_its_rows_add_up(place: Clinic, tmp_path: Path) -> None:
    bring_in(place, ("A", 0, 50), ("A", 90, 120), ("B", 0, 318))
    leave(place, "A", 150, ExitReason.IMPRISONED)
    answer, files = export(place, tmp_path)
    assert sorted(files) == [
        "retention-curve.csv", "retention-groups.csv", "retention-incidence-curve.csv", "retention-incidence.csv",
        "retention-stays.csv", "retention.csv", "retention.manifest.json",
    ]  # fmt: skip
    manifest = json.loads(files["retention.manifest.json"])
    assert manifest["code_version"] == __version__
    assert manifest["as_of"] == "2026-11-23T23:00:00+00:00"
    assert manifest["period"] == {"from": "2026-01-01", "until_not_including": "2027-01-01"}
    assert manifest["parameters"]["gap_days"] == 30
    assert manifest["parameters"]["roles"]["imprisoned"] == "competing"
    assert manifest["figures"]["all"] == {
        "stays": 3, "clients": 2, "events": 1, "endings": {"dropped_out": 1, "imprisoned": 1, "in_treatment": 1},
    }  # fmt: skip
    assert {"name", "version", "numerator", "denominator"} <= manifest["definition"].keys()
    assert [row["count"] for row in manifest["exclusions"]] == [0, 0]
    for stated in manifest["tables"]:
        content = files[stated["name"]]
        assert sha256(content).hexdigest() == stated["sha256"]
        assert len(table(content)) == stated["rows"]
        assert list(table(content)[0]) == list(stated["columns"])
        assert content.count(b"\n") == content.count(b"\r\n") == stated["rows"] + 1
    stays = table(files["retention-stays.csv"])
    assert sorted((row["stay"], row["days"], row["event"], row["ending"]) for row in stays) == [
        ("1", "318", "0", "in_treatment"),
        ("1", "50", "1", "dropped_out"),
        ("2", "30", "0", "imprisoned"),
    ]
    year = next(row for row in table(files["retention.csv"]) if (row["stays"], row["months"]) == ("all", "6"))
    assert (year["at_risk"], year["events"], year["censored"]) == ("1", "1", "1")
    assert year["retention"] == f"{answer.all.marks[3].retention:.8f}" == "0.50000000"


def test_an_export_of_the_same_moment_is_the_same_to_the_byte_whatever_was_recorded_since(
    place: Clinic, tmp_path: Path
) -> None:
    bring_in(place, ("A", 0, 50), ("B", 0, 100))
    client = place.client()
    place.give(client)
    moment = place.now
    first = export(place, tmp_path / "one", as_of=moment)[1]
    days_first = export_days(place, tmp_path / "one-days", as_of=moment)[1]
    place.now += timedelta(days=3)
    place.today = DoseDay(place.today + timedelta(days=3))
    place.give(client)
    place.client()
    bring_in(place, ("A", 50, 90), ("C", 0, 10))
    leave(place, "B", 100, ExitReason.DIED)
    with place.database.writing() as session:
        session.execute(text("UPDATE dose SET voided_at = :at WHERE ml IS NOT NULL"), {"at": place.now})
    assert export(place, tmp_path / "two", as_of=moment)[1] == first
    assert export_days(place, tmp_path / "two-days", as_of=moment)[1] == days_first
    assert export(place, tmp_path / "three")[1] != first


def test_nobody_is_named_and_two_exports_cannot_be_laid_over_each_other(place: Clinic, tmp_path: Path) -> None:
    bring_in(place, ("SECRET-1", 0, 50), ("SECRET-2", 0, 60))
    _, files = export(place, tmp_path / "one")
    days = export_days(place, tmp_path / "two")[1]
    with place.database.reading() as session:
        ids = [str(client) for client in session.execute(text("SELECT id FROM client")).scalars()]
    for content in (*files.values(), *days.values()):
        assert b"SECRET" not in content
        assert not any(one.encode() in content for one in ids)
    for name, content in (files | days).items():
        if name.endswith(".csv"):
            assert b"2026-" not in content, "a table has days since entry, never a date"
    stays = {row["client"] for row in table(files["retention-stays.csv"])}
    doses = {row["client"] for row in table(days["dose-days.csv"])}
    assert (len(stays), len(doses)) == (2, 2)
    assert not stays & doses


def export_days(place: Clinic, folder: Path, **parameters: Any) -> tuple[Any, dict[str, bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    with place.database.reading() as session:
        figures = export_dose_days(
            session,
            places=sites(session),
            period=parameters.pop("period", YEAR),
            as_of=parameters.pop("as_of", place.now),
            now=place.now,
            path=folder / "dose-days.csv",
            shield=OPEN,
        )
    return figures, {path.name: path.read_bytes() for path in folder.iterdir()}


def test_dose_days_are_the_closed_days_with_what_was_ordered_and_given(place: Clinic, tmp_path: Path) -> None:
    bring_in(place, ("A", 0, 2), ("A", 4, 5))
    figures, files = export_days(place, tmp_path)
    rows = [tuple(row.values())[1:] for row in table(files["dose-days.csv"])]
    assert rows == [
        ("1", "0", "1", "1", "80.00", "80.00", "observed", "1"),
        ("1", "1", "1", "1", "80.00", "80.00", "observed", "1"),
        ("1", "2", "1", "1", "80.00", "0.00", "missed", "0"),
        ("1", "3", "1", "1", "80.00", "0.00", "missed", "0"),
        ("1", "4", "1", "1", "80.00", "80.00", "observed", "1"),
    ]
    assert (figures.clients, figures.days, figures.covered, figures.held, figures.not_closed) == (1, 5, 3, 0, 0)
    manifest = json.loads(files["dose-days.manifest.json"])
    assert manifest["figures"] == {"numerator": 3, "denominator": 5, "clients": 1}
    assert manifest["tables"][0]["sha256"] == sha256(files["dose-days.csv"]).hexdigest()


def test_doses_of_a_day_that_is_not_closed_are_left_out_and_counted(place: Clinic, tmp_path: Path) -> None:
    client = place.client()
    place.decide(client, per_supply=6)
    place.give(client, take_home_days=place.ahead(1, 2))
    figures, files = export_days(place, tmp_path)
    assert table(files["dose-days.csv"]) == []
    assert (figures.days, figures.not_closed) == (0, 3)


def test_a_held_day_leaves_the_denominator_and_a_bottle_returned_uncovers_its_day(
    place: Clinic, tmp_path: Path
) -> None:
    bring_in(place, ("A", 0, 4))
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE day_outcome SET outcome = 'held', given_mg = 0 WHERE dose_day = :d"), {"d": START})
        session.execute(text("UPDATE dose SET voided_at = :at WHERE dose_day <= :d"), {"at": place.now, "d": START})
        taken_back = {"at": place.now, "d": START + timedelta(days=2)}
        session.execute(text("UPDATE dose SET voided_at = :at WHERE dose_day = :d"), taken_back)
    figures, files = export_days(place, tmp_path)
    assert [row["covered"] for row in table(files["dose-days.csv"])] == ["0", "1", "0", "1"]
    assert (figures.days, figures.covered, figures.held) == (3, 2, 1)


def test_a_question_without_an_answer_is_refused_and_leaves_no_file(place: Clinic, tmp_path: Path) -> None:
    soon = place.now + timedelta(seconds=1)
    for code, question in (
        ("to-come", Question(YEAR, soon)),
        ("no-zone", Question(YEAR, place.now.replace(tzinfo=None))),
        ("no-days", Question(Period(START, START), place.now)),
        ("gap", Question(YEAR, place.now, gap_days=0)),
        ("month", Question(YEAR, place.now, scale=Scale(Decimal("NaN")))),
        ("months", Question(YEAR, place.now, months=())),
    ):
        with pytest.raises(BadInput) as refused, place.database.reading() as session:
            export_retention(session, places=sites(session), question=question, now=place.now, path=tmp_path / "r.csv")
        assert refused.value.first.code == code
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_written_leaves_what_was_there(
    place: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in(place, ("A", 0, 50))
    question, path = Question(YEAR, place.now), tmp_path / "no" / "r.csv"
    with pytest.raises(BadInput, match="cannot be written"), place.database.reading() as session:
        export_retention(session, places=sites(session), question=question, now=place.now, path=path)
    _, before = export(place, tmp_path)
    monkeypatch.setattr("dispensary.evaluation.retention_tables._stay_rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(place, tmp_path, gap_days=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_empty_clinic_has_an_empty_answer(place: Clinic, tmp_path: Path) -> None:
    answer, files = export(place, tmp_path)
    assert answer.first.curve.n == 0
    assert {row["retention"] for row in table(files["retention.csv"])} == {""}
    assert len(files) == 7


@pytest.mark.skipif(not REAL.exists(), reason="the trial's daily doses are not beside the project")
def test_retention_of_520_real_clients_equals_a_plain_count_over_the_file(place: Clinic, tmp_path: Path) -> None:
    start, gap = date(2006, 5, 1), 14
    reading = read_doses(REAL, start=start)
    with place.database.writing() as session:
        import_doses(session, actor=the_program(place.site_id), reading=reading, at=place.now)
    answer = ask(
        place, period=Period(start, date(2007, 12, 1)), gap_days=gap, scale=Scale(Decimal(30)), months=(0, 1, 3, 6, 12)
    )
    first: dict[str, list[date]] = {}
    for line in sorted(reading.lines, key=lambda one: one.day):
        days = first.setdefault(line.number, [])
        if not days or (line.day - days[-1]).days - 1 <= gap:
            days.append(line.day)
    lasted = [(days[-1] - days[0]).days + 1 for days in first.values()]
    assert len(lasted) == 520
    for mark in answer.first.marks:
        left = sum(1 for days in lasted if days <= mark.months * 30)
        assert (mark.at_risk, mark.events) == (sum(1 for d in lasted if d >= mark.months * 30), left)
        assert abs((mark.retention or 0) - Decimal(520 - left) / 520) < Decimal("1e-20")
    assert answer.first.curve.events == 520, "by 2026 every stay of the trial is over"
    figures, files = export_days(place, tmp_path, period=Period(start, date(2007, 12, 1)))
    assert (figures.covered, figures.days) == (71_971, 71_971 + 6_202)
    assert files["dose-days.csv"].count(b"\r\n") == 1 + figures.days


def test_the_day_of_a_moment_is_the_site_s_own(place: Clinic) -> None:
    """At 23:00 UTC on the 23rd it is the 24th in Kuala Lumpur: a dose of that day is seen."""
    client = place.client()
    place.give(client)
    assert place.now == datetime(2026, 11, 23, 23, tzinfo=UTC)
    ((stay, seen),) = ask(place).first.observed
    assert (stay.first_day, seen.days) == (date(2026, 11, 24), 0)
    assert len(places(place)) == 1
