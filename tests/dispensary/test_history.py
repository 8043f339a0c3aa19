"""Importing dose history: what it becomes on the record, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.clients.queries import find
from dispensary.database import Database
from dispensary.prescribing.service import hold_doses, order_dose
from dispensary.refusals import BadInput
from dispensary.staff.rules import the_program
from dispensary.supplies.dose_files import DoseLine, Reading, read_doses
from dispensary.supplies.history import Imported, import_doses
from dispensary.supplies.history_rules import Known, LastOrder, plan_client
from dispensary.units import ClientId, DoseDay, Milligrams, milligrams, new_id
from tests.builders import Clinic, clinic

START = date(2006, 5, 1)
REAL = Path(__file__).parents[3] / "shared/data/ctn0094/methadone_arm_daily.csv"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def history(*days: tuple[str, int, str]) -> Reading:
    lines = (
        DoseLine(line, number, DoseDay(START + timedelta(days=day)), milligrams(mg, zero=True))
        for line, (number, day, mg) in enumerate(days, start=2)
    )
    return Reading(tuple(lines), (), {}, 0)


def bring_in(place: Clinic, *days: tuple[str, int, str], keep_good: bool = False) -> Imported:
    with place.database.writing() as session:
        return import_doses(
            session,
            actor=the_program(place.site_id),
            reading=history(*days),
            at=place.now,
            keep_good=keep_good,
        )


def rows(place: Clinic, sql: str) -> list[tuple[object, ...]]:
    with place.database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql))]


ORDERS = "SELECT days::text, mg::int, end_reason, origin FROM dose_order WHERE voided_at IS NULL ORDER BY lower(days)"
OUTCOMES = "SELECT dose_day - DATE '2006-05-01', outcome, ordered_mg::int, given_mg::int FROM day_outcome ORDER BY 1"


def test_equal_amounts_are_one_order_and_days_between_are_missed(place: Clinic) -> None:
    done = bring_in(place, ("A", 0, "40"), ("A", 1, "40"), ("A", 4, "40"), ("A", 5, "50"))
    assert (done.clients, done.orders, done.doses, done.missed_days, done.longest_gap) == (1, 2, 4, 2, 2)
    assert rows(place, ORDERS) == [
        ("[2006-05-01,2006-05-06)", 40, "superseded", "import"),
        ("[2006-05-06,2006-05-07)", 50, "as_written", "import"),
    ]
    assert rows(place, OUTCOMES) == [
        (0, "observed", 40, 40),
        (1, "observed", 40, 40),
        (2, "missed", 40, 0),
        (3, "missed", 40, 0),
        (4, "observed", 40, 40),
        (5, "observed", 50, 50),
    ]
    assert rows(place, "SELECT began_on::text, ended_on, origin FROM episode") == [("2006-05-01", None, "import")]
    assert rows(place, "SELECT kind, lot_id, ml FROM dose GROUP BY 1, 2, 3") == [("observed", None, None)]


def test_a_supply_of_history_stands_in_its_day_and_moves_no_stock(place: Clinic) -> None:
    before = rows(place, "SELECT count(*) FROM register_line")
    bring_in(place, ("A", 0, "40"))
    assert rows(place, "SELECT key, origin, identified_by, dose_day::text, at FROM supply") == [
        ("import:A:2006-05-01", "import", "import", "2006-05-01", datetime(2006, 5, 1, 4, tzinfo=UTC))
    ]
    assert rows(place, "SELECT count(*) FROM register_line") == before


def test_the_counter_finds_an_imported_client_by_number(place: Clinic) -> None:
    bring_in(place, ("K-7", 0, "40"))
    with place.database.reading() as session:
        (face,) = find(session, site_id=place.site_id, text="k-7")
    assert (face.number, face.name) == ("K-7", "K-7")


def test_zero_milligrams_are_a_missed_day_and_not_a_dose(place: Clinic) -> None:
    done = bring_in(place, ("A", 0, "0"), ("A", 1, "40"), ("A", 2, "0"), ("A", 3, "40"), ("A", 4, "0"))
    assert (done.doses, done.missed_days, done.zero_lines, done.zero_before_first) == (2, 2, 3, 1)
    assert rows(place, OUTCOMES) == [
        (1, "observed", 40, 40),
        (2, "missed", 40, 0),
        (3, "observed", 40, 40),
        (4, "missed", 40, 0),
    ]
    assert "3 lines of 0 mg: a missed day, not a dose" in done.sentences()


def test_a_second_import_of_the_same_file_adds_nothing(place: Clinic) -> None:
    days = (("A", 0, "40"), ("A", 2, "0"), ("A", 3, "45"), ("B", 9, "60"))
    bring_in(place, *days)
    everything = "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM audit_entry)"
    before = [rows(place, everything.format(t)) for t in ("client", "dose_order", "supply", "dose", "day_outcome")]
    again = bring_in(place, *days)
    assert (again.doses, again.clients, again.extended, again.already_there) == (0, 0, 0, 4)
    assert [
        rows(place, everything.format(t)) for t in ("client", "dose_order", "supply", "dose", "day_outcome")
    ] == before


def test_later_days_of_the_same_amount_extend_the_last_order(place: Clinic) -> None:
    bring_in(place, ("A", 0, "40"))
    done = bring_in(place, ("A", 0, "40"), ("A", 3, "40"), ("A", 5, "60"))
    assert (done.clients, done.extended, done.orders, done.doses, done.missed_days) == (0, 1, 1, 2, 3)
    assert rows(place, ORDERS) == [
        ("[2006-05-01,2006-05-06)", 40, "superseded", "import"),
        ("[2006-05-06,2006-05-07)", 60, "as_written", "import"),
    ]
    assert [outcome for _, outcome, _, _ in rows(place, OUTCOMES)] == [
        "observed", "missed", "missed", "observed", "missed", "observed",
    ]  # fmt: skip
    bring_in(place, ("A", 6, "60"))
    assert rows(place, ORDERS)[-1] == ("[2006-05-06,2006-05-08)", 60, "as_written", "import")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (("A", 2, "45"), "client A already has 40 mg on 2006-05-03, the file says 45 mg"),
        (("A", 2, "0"), "client A already has 40 mg on 2006-05-03, the file says 0 mg"),
        (("A", 3, "40"), "2006-05-04 is already closed for client A without a dose"),
        (("A", 0, "40"), "client A is already on record up to 2006-05-05: nothing is added on 2006-05-01"),
        (("A", 9, "400"), "400 mg is ten times client A's last dose (40 mg) or more (line 2)"),
        (("A", 7512, "40"), "2026-11-24 is not over yet: history ends with yesterday"),
        (("B", 7513, "40"), "2026-11-25 is not over yet: history ends with yesterday"),
    ],
)
def test_what_contradicts_the_record_is_named_and_nothing_is_kept(
    place: Clinic, line: tuple[str, int, str], reason: str
) -> None:
    bring_in(place, ("A", 2, "40"), ("A", 4, "40"))
    with pytest.raises(BadInput) as refused:
        bring_in(place, line, ("C", 0, "40"))
    assert refused.value.first.sentence == f"line 2: {reason}."
    assert rows(place, "SELECT number FROM client") == [("A",)]
    done = bring_in(place, line, ("C", 0, "40"), keep_good=True)
    assert [str(problem) for problem in done.problems] == [f"line 2: {reason}"]
    assert (done.clients, done.doses) == (1, 1)


def test_a_client_whom_the_clinic_itself_treats_is_left_alone(place: Clinic) -> None:
    client_id = place.client()
    ((number,),) = rows(place, "SELECT number FROM client")
    with pytest.raises(BadInput, match="is in treatment here since 2026-11-24"):
        bring_in(place, (str(number), 0, "40"))
    assert rows(place, f"SELECT count(*) FROM dose WHERE client_id = '{client_id}'") == [(0,)]


def test_once_a_doctor_orders_for_an_imported_client_history_is_closed(place: Clinic) -> None:
    bring_in(place, ("A", 0, "40"))
    ((client_id,),) = rows(place, "SELECT id FROM client")
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=ClientId(client_id),  # type: ignore[arg-type]
            mg=milligrams("40"),
            from_day=place.today,
            reason="goes on",
            today=place.today,
            at=place.now,
        )
    with pytest.raises(BadInput, match="has orders that were written or ended here"):
        bring_in(place, ("A", 3, "40"))
    handed = place.give(ClientId(client_id))  # type: ignore[arg-type]
    assert handed.answer["doses"][0]["mg"] == "40.00"


def test_a_hold_closes_history_too(place: Clinic) -> None:
    bring_in(place, ("A", 0, "40"))
    ((client_id,),) = rows(place, "SELECT id FROM client")
    with place.database.writing() as session:
        hold_doses(
            session,
            actor=place.doctor,
            client_id=ClientId(client_id),  # type: ignore[arg-type]
            from_day=START + timedelta(days=2),
            until_day=None,
            reason="QTc",
            at=place.now,
        )
    with pytest.raises(BadInput, match="is held by a prescriber"):
        bring_in(place, ("A", 3, "40"))


def test_history_after_an_exit_is_another_episode(place: Clinic) -> None:
    bring_in(place, ("A", 0, "40"))
    with place.database.writing() as session:
        session.execute(text("UPDATE episode SET ended_on = '2006-05-11', exit_reason = 'transferred'"))
    with pytest.raises(BadInput, match="on record up to 2006-05-10: nothing is added on 2006-05-10"):
        bring_in(place, ("A", 9, "40"))
    done = bring_in(place, ("A", 10, "45"))
    assert (done.extended, done.doses, done.missed_days) == (1, 1, 0)
    assert rows(place, "SELECT began_on::text, ended_on::text FROM episode ORDER BY 1") == [
        ("2006-05-01", "2006-05-11"),
        ("2006-05-11", None),
    ]


def test_a_dry_run_says_what_would_happen_and_leaves_nothing(place: Clinic) -> None:
    with place.database.writing() as session:
        done = import_doses(session, actor=the_program(place.site_id), reading=history(("A", 0, "40")), at=place.now)
        session.rollback()
    assert (done.clients, done.doses) == (1, 1)
    assert rows(place, "SELECT count(*) FROM client") == [(0,)]


def test_the_import_is_one_entry_of_figures_in_the_audit_trail(place: Clinic) -> None:
    bring_in(place, ("A", 0, "40"), ("B", 0, "40"))
    assert rows(place, "SELECT subject, details FROM audit_entry WHERE act = 'imported doses'") == [
        ("site", '{"clients":2,"doses":2,"extended":0,"left_out":0,"missed_days":0,"orders":2}')
    ]


def test_progress_is_told_from_nothing_to_all(place: Clinic) -> None:
    told: list[tuple[int, int]] = []
    reading = history(*((f"C{client}", day, "40") for client in range(30) for day in range(300)))
    with place.database.writing() as session:
        import_doses(
            session,
            actor=the_program(place.site_id),
            reading=reading,
            at=place.now,
            progress=lambda done, total: told.append((done, total)),
        )
    assert told[0] == (0, 9000)
    assert told[-1] == (9000, 9000)
    assert len(told) > 2
    assert told == sorted(told)


def test_two_imports_of_one_file_at_once_bring_it_in_once(place: Clinic) -> None:
    days = [(f"C{client}", day, "40") for client in range(5) for day in range(20)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: bring_in(place, *days), range(4)))
    assert sorted(one.doses for one in done) == [0, 0, 0, 100]
    assert rows(place, "SELECT count(*) FROM dose") == [(100,)]


def test_a_file_is_brought_in_as_it_was_read(place: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "doses.csv"
    path.write_text("who,day,mg\n11,0,40\n11,1,-3\n11,2,50\n12,0,30\n12,0,30\n")
    reading = read_doses(path, start=START)
    with place.database.writing() as session:
        actor = the_program(place.site_id)
        done = import_doses(session, actor=actor, reading=reading, at=place.now, keep_good=True)
    assert (done.clients, done.doses, done.missed_days, done.repeated) == (2, 3, 1, 1)
    assert [problem.line for problem in done.problems] == [3]


@pytest.mark.skipif(not REAL.exists(), reason="the trial's daily doses are not beside the project")
def test_real_doses_of_520_clients_come_in_whole(place: Clinic) -> None:
    reading = read_doses(REAL, start=START)
    with place.database.writing() as session:
        done = import_doses(session, actor=the_program(place.site_id), reading=reading, at=place.now)
    assert (done.clients, done.doses, done.problems) == (520, 71_971, ())
    assert rows(place, "SELECT count(*), sum(mg) FROM dose") == [(71_971, sum(line.mg for line in reading.lines))]
    span = "SELECT max(dose_day) - min(dose_day) + 1 - count(*) AS gaps FROM dose GROUP BY client_id"
    assert rows(place, f"SELECT sum(gaps) FROM ({span}) AS client_span") == [(done.missed_days,)]


amounts = st.sampled_from(["0", "10", "40", "40", "40", "62.5"])


def lines_of(days: Iterable[tuple[int, str]]) -> list[DoseLine]:
    return [
        DoseLine(at, "A", DoseDay(START + timedelta(days=day)), milligrams(mg, zero=True))
        for at, (day, mg) in enumerate(days)
    ]


@given(days=st.dictionaries(st.integers(0, 60), amounts, max_size=40))
def test_every_day_of_any_history_has_one_order_and_one_outcome(days: dict[int, str]) -> None:
    lines = lines_of(days.items())
    plan = plan_client("A", None, lines, today=date(2026, 1, 1))
    assert {taken.day: taken.mg for taken in plan.days if taken.mg} == {line.day: line.mg for line in lines if line.mg}
    assert [taken.day for taken in plan.days] == [
        DoseDay(plan.days[0].day + timedelta(days=n)) for n in range(len(plan.days))
    ]
    for taken in plan.days:
        run = plan.runs[taken.run]
        assert run.begins <= taken.day < run.ends
        assert taken.ordered == run.mg
        assert taken.mg in (0, run.mg)
    for one, other in zip(plan.runs, plan.runs[1:], strict=False):
        assert (one.ends, one.superseded) == (other.begins, True)
        assert one.mg != other.mg
    if plan.runs:
        assert not plan.runs[-1].superseded
    assert plan.zero_before_first + sum(1 for line in lines if line.day in {t.day for t in plan.days}) == len(lines)


@given(days=st.dictionaries(st.integers(0, 40), amounts, min_size=1, max_size=30), cut=st.integers(1, 40))
def test_history_in_two_files_becomes_the_same_days_as_in_one(days: dict[int, str], cut: int) -> None:
    whole = plan_client("A", None, lines_of(days.items()), today=date(2026, 1, 1))
    early = plan_client("A", None, lines_of((d, mg) for d, mg in days.items() if d < cut), today=date(2026, 1, 1))
    known = None
    if early.days:
        known = Known(
            ClientId(new_id()),
            {taken.day: Decimal(taken.mg) for taken in early.days if taken.mg},
            frozenset(taken.day for taken in early.days if not taken.mg),
            episode_id=new_id(),
            last_order=LastOrder(new_id(), early.runs[-1].ends, Milligrams(early.runs[-1].mg)),
            last_day=early.days[-1].day,
        )
    late = plan_client("A", known, lines_of(days.items()), today=date(2026, 1, 1))
    both = [*early.days, *late.days]
    assert [(t.day, t.ordered, t.mg) for t in both] == [(t.day, t.ordered, t.mg) for t in whole.days]
