"""Figures of closed days: what they say once something is learned of them, and that summaries say what records say."""

from __future__ import annotations

import random
import tracemalloc
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.evaluation.answering import answer
from dispensary.evaluation.answering import ask as ask_measure
from dispensary.evaluation.crowds import OPEN
from dispensary.evaluation.exports import DoseDayFigures, export_dose_days
from dispensary.evaluation.facts import WITH_THE_CLOSE, count_behind, differing
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import Question, retention
from dispensary.prescribing.service import hold_doses
from dispensary.refusals import Refused
from dispensary.staff.queries import sites
from dispensary.supplies.closing import close_day
from dispensary.supplies.returns import take_back
from dispensary.supplies.voiding import void_supply
from tests.builders import Clinic, clinic
from tests.dispensary.measured import YEAR, asked, figures, what_is_counted
from tests.dispensary.test_evaluation import ask, bring_in, export_days, table
from tests.dispensary.test_verification import findings
from tests.dispensary.three_sites import PIN
from tests.dispensary.visiting import has_pin

MEASURES = (
    "adherence",
    "retention-months",
    "kp-mat",
    "prv-11",
    "prv-12",
    "prv-13",
    "take-home",
    "missed-days",
    "programme",
)
OUTCOME = """INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg,
    given_mg, outcome, frozen_at)
    SELECT client_id, dose_day - {days}, 1, 1, site_id, episode_id, order_id, ordered_mg, 0, 'missed', frozen_at
    FROM day_outcome"""


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def test_a_bottle_that_came_back_full_after_its_day_was_closed_uncovers_it_from_that_moment_on(
    place: Clinic, tmp_path: Path
) -> None:
    client, held = place.client(), place.client()
    for each in (client, held):
        place.decide(each, per_supply=3)
        place.give(each, take_home_days=place.ahead(1, 2, 3))
    with place.database.reading() as session:
        bottles = session.execute(text("SELECT client_id, id FROM bottle ORDER BY client_id, dose_day")).all()
    place.move_on(3)
    closes(place)
    with place.database.writing() as session:
        hold_doses(
            session,
            actor=place.doctor,
            client_id=held,
            from_day=place.today - timedelta(days=1),
            until_day=None,
            reason="ECG first",
            at=place.now,
        )
    before, days = place.now, Period(place.today - timedelta(days=3), place.today + timedelta(days=1))
    said = export_days(place, tmp_path / "before", period=days)[1]
    place.move_on()
    for each in (client, held):
        with place.database.writing() as session:
            took = take_back(
                session,
                actor=place.pharmacist,
                client_id=each,
                bottles=[(bottle, True) for owner, bottle in bottles if owner == each][1:2],
                reason="was in hospital",
                today=place.today,
                at=place.now,
            )
        assert took.uncovered == (place.today - timedelta(days=2),)
    counted, files = export_days(place, tmp_path / "after", period=days)
    assert sorted((row["day"], row["outcome"], row["given_mg"]) for row in table(files["dose-days.csv"])) == [
        *(("0", "observed", "80.00"),) * 2,
        *(("1", "take_home", "80.00"),) * 2,
        ("2", "held", "0.00"),
        ("2", "missed", "0.00"),
        *(("3", "take_home", "80.00"),) * 2,
    ]
    assert (counted.days, counted.covered, counted.held) == (7, 6, 1), "a held day is nobody's missed day"
    assert export_days(place, tmp_path / "again", period=days, as_of=before)[1] == said, "nobody knew then"
    assert [row["covered"] for row in table(said["dose-days.csv"])] == ["1"] * 8
    last = {stay.last_day for stay, _ in ask(place, gap_days=1).all.observed}
    assert last == {days.until_day - timedelta(days=1)}
    pdc = {as_of: figures(asked(place, "adherence", period=days, as_of=as_of))["pdc"] for as_of in (before, place.now)}
    assert pdc == {before: ("8", "8"), place.now: ("6", "7")}
    assert findings(place.database, place.now) == []


def closes(place: Clinic) -> None:
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)


def chance(place: Clinic, seed: int, *, days: int) -> list[datetime]:
    """Days as chance brings them, through the services that people use. Moments between them are returned."""
    pick = random.Random(seed)
    clients = [place.client(), place.client(parts=("50", "30")), place.client()]
    for client in clients:
        place.decide(client, per_supply=6)
    moments = [place.now]
    for _ in range(days):
        for client in clients:
            if pick.random() < 0.6:
                ahead = place.ahead(*range(1, pick.choice((1, 1, 2, 4))))
                with suppress(Refused):
                    place.give(client, take_home_days=ahead)
        if pick.random() < 0.3:
            happens(place, pick)
        if pick.random() < 0.8:
            with place.database.writing() as session:
                close_day(
                    session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now
                )
        if pick.random() < 0.2:
            count_behind(place.database)
        moments.append(place.now + timedelta(hours=1))
        place.move_on(pick.choice((1, 1, 1, 4)))
    return moments


def happens(place: Clinic, pick: random.Random) -> None:
    """A bottle comes back full, a supply is voided, or history is brought in, at any distance from today."""
    with place.database.reading() as session:
        home = session.execute(text("SELECT client_id, id FROM bottle WHERE state = 'handed_over' ORDER BY 2")).all()
        stands = session.scalars(
            text("SELECT id FROM supply WHERE voided_at IS NULL AND origin = 'counter' ORDER BY 1")
        )
        supplies = stands.all()
    act = pick.choice(("return", "void", "import"))
    if act == "return" and home:
        client, bottle = pick.choice(home)
        with place.database.writing() as session:
            take_back(
                session,
                actor=place.pharmacist,
                client_id=client,
                bottles=[(bottle, True)],
                reason="ill",
                today=place.today,
                at=place.now,
            )
    if act == "void" and supplies:
        with suppress(Refused), place.database.writing() as session:
            void_supply(
                session,
                actor=place.pharmacist,
                supply_id=pick.choice(supplies),
                reason="another client was meant",
                second_id=place.doctor.account_id,
                pin=PIN,
                key=f"void-{place.now}",
                today=place.today,
                at=place.now,
            )
    if act == "import":
        first = pick.randrange(200)
        with suppress(Refused):
            bring_in(place, (f"OLD-{pick.randrange(2)}", first, first + pick.randrange(1, 60)))


def told(place: Clinic, as_of: datetime, *, counted: bool) -> list[object]:
    """Everything that is answered from closed days, of the whole time and of a part of two months."""
    found: list[object] = []
    with place.database.writing() as session:
        if not counted:
            session.execute(text("TRUNCATE fact_client, fact_gap, fact_month"))
        for period in (YEAR, Period(date(2026, 3, 7), as_of.date() - timedelta(days=3))):
            for key in MEASURES:
                question = ask_measure(
                    measure(key), places=sites(session), period=period, as_of=as_of, now=place.now, least=1,
                    by=("month",) if key == "adherence" else ()
                )  # fmt: skip
                found.append(answer(session, question).rows)
            for gap in (1, 2, 30):
                question = Question(period, as_of, gap_days=gap)
                found.append(retention(session, places=sites(session), question=question, now=place.now))
        session.rollback()
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_counted_says_what_the_records_say_at_every_moment(place: Clinic, seed: int) -> None:
    has_pin(place.database, place.doctor, PIN, place.now)
    moments = chance(place, seed, days=24)
    place.now += timedelta(hours=2)
    for as_of in (*moments[::6], moments[-1], place.now):
        assert told(place, as_of, counted=True) == told(place, as_of, counted=False)
    assert findings(place.database, place.now) == []
    count_behind(place.database)
    day_by_day = what_is_counted(place.database)
    assert told(place, place.now, counted=True) == told(place, place.now, counted=False)
    count_behind(place.database, anew=True)
    assert what_is_counted(place.database) == day_by_day
    assert len(day_by_day) > 10


@pytest.mark.parametrize(
    ("written", "touched"),
    [
        (OUTCOME.format(days=1), True),
        (OUTCOME.format(days=-1), False),
        (
            "INSERT INTO day_correction (client_id, dose_day, portion, no, outcome, given_mg, reason, account_id, at)"
            " SELECT client_id, dose_day, portion, 1, 'missed', 0, 'seen', :account, :now FROM day_outcome",
            True,
        ),
        ("UPDATE dose SET voided_at = :now WHERE dose_day <= :today", True),
        ("UPDATE dose SET voided_at = :now WHERE dose_day > :today", False),
    ],
)
def test_whoever_has_a_counted_day_written_is_touched_and_counted_anew(
    place: Clinic, written: str, touched: bool
) -> None:
    client = place.client()
    place.decide(client, per_supply=3)
    place.give(client, take_home_days=place.ahead(1, 2))
    closes(place)
    with place.database.writing() as session:
        values = {"now": place.now, "today": place.today, "account": place.doctor.account_id}
        session.execute(text(written), {key: value for key, value in values.items() if f":{key}" in written})
    with place.database.reading() as session:
        assert session.execute(text("SELECT touched FROM fact_client")).scalars().all() == [touched]
    count_behind(place.database)
    with place.database.reading() as session:
        assert session.execute(text("SELECT touched FROM fact_client")).scalars().all() == [False]
        assert differing(session) == []


def test_a_long_uncounted_past_is_left_for_later_by_the_close_and_read_from_the_records(place: Clinic) -> None:
    """A database that was full before anything was counted: the first close must not hold its clients for long."""
    client = place.client()
    for _ in range(WITH_THE_CLOSE + 1):
        place.give(client)
        closes(place)
        place.move_on()
    with place.database.writing() as session:
        session.execute(text("TRUNCATE fact_client, fact_gap, fact_month"))
    place.give(client)
    closes(place)
    assert what_is_counted(place.database) == []
    assert figures(asked(place, "adherence"))["pdc"] == (f"{WITH_THE_CLOSE + 2}", f"{WITH_THE_CLOSE + 2}")
    assert count_behind(place.database) == 1
    counted = what_is_counted(place.database)
    place.move_on()
    place.give(client)
    closes(place)
    assert len(what_is_counted(place.database)) >= len(counted) > 0
    assert figures(asked(place, "adherence"))["pdc"] == (f"{WITH_THE_CLOSE + 3}", f"{WITH_THE_CLOSE + 3}")
    assert findings(place.database, place.now) == []


MANY = """
INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)
    SELECT gen_random_uuid(), :site, 'N' || n, '', 'male', '2020-01-01' FROM generate_series(1, 20) AS n;
INSERT INTO client_home (client_id, no, site_id, number) SELECT id, 1, site_id, number FROM client;
INSERT INTO episode (id, client_id, site_id, began_on, origin)
    SELECT id, id, site_id, '2020-01-01', 'clinic' FROM client;
INSERT INTO dose_order (id, episode_id, client_id, site_id, days, mg, portions, reason, ordered_at, origin)
    SELECT id, id, id, site_id, '[2020-01-01,)', 80, '{80}', 'stable', '2020-01-01', 'clinic' FROM client;
INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg,
        outcome, frozen_at)
    SELECT id, CAST('2020-01-01' AS date) + n, 1, 1, site_id, id, id, 80, 0, 'missed', '2024-01-01'
    FROM client CROSS JOIN generate_series(0, 599) AS n
"""


def test_an_export_of_many_days_takes_no_more_memory_than_one_of_few(
    place: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispensary.evaluation.tables._ROWS_AT_ONCE", 500)
    monkeypatch.setattr("dispensary.evaluation.queries._ROWS_AT_ONCE", 500)
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in MANY.split(";\n"):
            session.execute(text(statement), {"site": place.site_id} if ":site" in statement else {})
    first, peaks, rows = date(2020, 1, 1), [], []
    for days in (60, 100, 600):  # the first export loads what every export needs
        tracemalloc.start()
        counted, _ = exported(place, Period(first, first + timedelta(days=days)), tmp_path / f"{days}.parquet")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        rows.append(counted.days)
    assert rows == [1_200, 2_000, 12_000]
    assert peaks[2] < 1.5 * peaks[1], peaks


def exported(place: Clinic, period: Period, path: Path) -> tuple[DoseDayFigures, Path]:
    with place.database.reading() as session:
        counted = export_dose_days(
            session, places=sites(session), period=period, as_of=place.now, now=place.now, path=path, shield=OPEN
        )
    return counted, path
