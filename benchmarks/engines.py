"""One engine answers the three questions of a country's days, in a process of its own: ours, DuckDB or polars."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

GAP = 30
GOOD = 95
MARKS = (3, 6, 12, 18, 24, 36)
MONTH = Decimal("30.4375")
Answers = dict[str, Any]


def _of_others(name: str) -> Any:
    """A package that is no part of this project."""
    return import_module(name)


def ours(first: date, now: datetime, url: str, keys: str) -> dict[str, Callable[[], Any]]:
    """What an evaluator would ask of the program, on the live database."""
    from dispensary.database import Database
    from dispensary.evaluation.answering import answer, ask
    from dispensary.evaluation.measures import measure
    from dispensary.evaluation.queries import Period, stays
    from dispensary.evaluation.retention import Question, retention
    from dispensary.evaluation.rules import Scale
    from dispensary.key_sources import open_vault
    from dispensary.staff.queries import sites

    database = Database(url, open_vault(Path(keys)))
    with database.reading() as session:
        places = sites(session)
    period = Period(first, places[0].dose_day(now) + timedelta(days=1))

    def gap() -> Any:
        with database.reading() as session:
            found = stays(session, places=places, gap_days=GAP, until_day=date.max, as_of=now)
        days = sum((stay.last_day - stay.first_day).days + 1 for stay in found)
        return [len(found), len({stay.client_id for stay in found}), days]

    def pdc() -> Any:
        with database.reading() as session:
            asked = ask(measure("adherence"), places=places, period=period, as_of=now, now=now, least=1)
            rows = {row.indicator: row for row in answer(session, asked).rows}
        days, good, middle = rows["pdc"], rows["good"], rows["median"]
        counts = (days.numerator, days.denominator, good.numerator, good.denominator)
        return [*(int(each or 0) for each in counts), round(float(middle.value or 0), 9)]

    def retained() -> Any:
        with database.reading() as session:
            question = Question(period, now, gap_days=GAP, scale=Scale(MONTH), months=MARKS)
            marks = retention(session, places=places, question=question, now=now).first.marks
        return [[mark.at_risk, mark.events, round(float(mark.retention or 0), 9)] for mark in marks]

    return {"gap": gap, "pdc": pdc, "retention": retained}


_STAYS = f"""
    WITH marked AS (
        SELECT client, day,
            CASE WHEN day - lag(day) OVER (PARTITION BY client ORDER BY day) - 1 <= {GAP} THEN 0 ELSE 1 END AS begins
        FROM days WHERE dosed
    ), numbered AS (
        SELECT client, day, sum(begins) OVER (PARTITION BY client ORDER BY day) AS number FROM marked
    )
    SELECT client, number, min(day) AS first, max(day) AS last FROM numbered GROUP BY client, number
"""


def duckdb(first: date, now: datetime, path: str, today: str) -> dict[str, Callable[[], Any]]:
    """The same by DuckDB, as an analyst would write it."""
    engine, np = _of_others("duckdb"), _of_others("numpy")

    connection = engine.connect()
    connection.execute(f"CREATE VIEW days AS SELECT * FROM read_parquet('{path}')")

    def gap() -> Any:
        sql = f"SELECT count(*), count(DISTINCT client), sum(last - first + 1) FROM ({_STAYS})"
        return [int(each) for each in connection.execute(sql).fetchone()]

    def pdc() -> Any:
        sql = f"""
            SELECT sum(covered), sum(ordered), count(*) FILTER (100 * covered >= {GOOD} * ordered), count(*),
                quantile_disc(covered / ordered, 0.5)
            FROM (SELECT client, date_trunc('month', day) AS month, count(*) FILTER (ordered AND dosed) AS covered,
                    count(*) FILTER (ordered) AS ordered FROM days GROUP BY ALL)
            WHERE ordered > 0
        """
        *counts, middle = connection.execute(sql).fetchone()
        return [*(int(each) for each in counts), round(float(middle), 9)]

    def retained() -> Any:
        sql = f"SELECT first, last, lead(first) OVER (PARTITION BY client ORDER BY number), number FROM ({_STAYS})"
        rows = connection.execute(f"SELECT * FROM ({sql}) WHERE number = 1").fetchnumpy()
        columns = [np.ma.filled(each.astype("datetime64[D]"), np.datetime64("NaT")) for each in list(rows.values())[:3]]
        return _kaplan_meier(columns[0], columns[1], columns[2], np.datetime64(today))

    return {"gap": gap, "pdc": pdc, "retention": retained}


def polars(first: date, now: datetime, path: str, today: str) -> dict[str, Callable[[], Any]]:
    """The same by polars. The file has each client's days in order."""
    pl, np = _of_others("polars"), _of_others("numpy")

    def stays() -> Any:
        day = pl.col("day")
        begins = ((day - day.shift(1)).dt.total_days() - 1 > GAP).fill_null(True) | (
            pl.col("client") != pl.col("client").shift(1)
        ).fill_null(True)
        numbered = pl.scan_parquet(path).filter("dosed").select("client", "day", number=begins.cum_sum())
        return numbered.group_by("client", "number").agg(first=day.min(), last=day.max())

    def gap() -> Any:
        length = (pl.col("last") - pl.col("first")).dt.total_days() + 1
        return list(stays().select(pl.len(), pl.col("client").n_unique(), length.sum()).collect().row(0))

    def pdc() -> Any:
        months = (
            pl.scan_parquet(path)
            .group_by("client", pl.col("day").dt.truncate("1mo"))
            .agg(covered=(pl.col("ordered") & pl.col("dosed")).sum(), ordered=pl.col("ordered").sum())
            .filter(pl.col("ordered") > 0)
            .with_columns(pl.col("covered", "ordered").cast(pl.Int64))
        )
        good = (100 * pl.col("covered") >= GOOD * pl.col("ordered")).sum()
        share = (pl.col("covered") / pl.col("ordered")).sort().gather((pl.len() - 1) // 2).first()
        columns = (
            pl.col("covered").sum(),
            pl.col("ordered").sum(),
            good.alias("good"),
            pl.len(),
            share.alias("middle"),
        )
        *counts, middle = months.select(*columns).collect().row(0)
        return [*(int(each) for each in counts), round(float(middle), 9)]

    def retained() -> Any:
        one = stays().sort("client", "first").group_by("client", maintain_order=True)
        rows = one.agg(pl.col("first"), pl.col("last")).collect()
        firsts = rows["first"].list.get(0).to_numpy().astype("datetime64[D]")
        lasts = rows["last"].list.get(0).to_numpy().astype("datetime64[D]")
        again = rows["first"].list.get(1, null_on_oob=True).to_numpy().astype("datetime64[D]")
        return _kaplan_meier(firsts, lasts, again, np.datetime64(today))

    return {"gap": gap, "pdc": pdc, "retention": retained}


def _kaplan_meier(first: Any, last: Any, again: Any, today: Any) -> Any:
    """Retention of first stays: whoever came back later, or is away for longer than the gap, has left."""
    np = _of_others("numpy")

    day = np.timedelta64(1, "D")
    left = ~np.isnat(again) | ((today - last) // day - 1 > GAP)
    times = np.where(left, (last - first) // day + 1, (today - first) // day).astype(int)
    found, survival, events = [], 1.0, 0
    marks = [int((month * MONTH).to_integral_value("ROUND_CEILING")) for month in MARKS]
    done = np.sort(times[left])
    at = {int(time): int(count) for time, count in zip(*np.unique(done, return_counts=True), strict=True)}
    every = np.sort(times)
    ahead = iter(sorted(at))
    upcoming = next(ahead, None)
    for mark in marks:
        while upcoming is not None and upcoming <= mark:
            survival *= 1 - at[upcoming] / (len(every) - int(np.searchsorted(every, upcoming, side="left")))
            events += at[upcoming]
            upcoming = next(ahead, None)
        at_risk = len(every) - int(np.searchsorted(every, mark, side="left"))
        found.append([at_risk, events, round(survival, 9) if at_risk else 0.0])
    return found


ENGINES = {"ours": ours, "duckdb": duckdb, "polars": polars}


def main(words: Sequence[str]) -> None:
    name, first, now, *where = words
    questions = ENGINES[name](date.fromisoformat(first), datetime.fromisoformat(now), *where)
    answers: Answers = {}
    seconds: dict[str, float] = {}
    for key, question in questions.items():
        began = time.perf_counter()
        answers[key] = question()
        seconds[key] = time.perf_counter() - began
    # Of this program alone: `ru_maxrss` would still have the size of whoever started it.
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    print(json.dumps({"answers": answers, "seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main(sys.argv[1:])
