"""A country's figures from the live database, beside DuckDB and polars on a Parquet file of the same days.

Three questions: which stays there are by a gap rule of 30 days, how much of what was ordered was taken by client and
month, and how many are still in treatment after so many months. Each engine answers in a process of its own, in turns,
and the benchmark fails unless all say the same. DuckDB and polars are no part of this project:

    python -m venv /somewhere && /somewhere/bin/pip install duckdb polars numpy
    PYTHONPATH=/somewhere/lib/python3.11/site-packages python -m benchmarks evaluation

Without them ours is measured alone. `python -m benchmarks.evaluation 10000 5` builds 10,000 clients over 5 years.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.country import Country, build
from benchmarks.figures import RESULTS, Figure, of_rounds, ratio, say, table, write
from benchmarks.ground import Ground, ground
from dispensary.evaluation.facts import count_behind

NAME = "evaluation"
USUAL = 1_000
"""Clients."""
QUESTIONS = {
    "gap": "stays by a gap of 30 days",
    "pdc": "PDC by client and month",
    "retention": "retention, first stays",
}
THEIRS = ("duckdb", "polars")
ROUNDS = 3
_LEAST_OF_MEMORY = 1024
"""MB: what our process may have at most."""

# One row a client and day, in the order of the clients, as an export for analysts would be.
_DAYS = """
COPY (
    SELECT p.n, coalesce(o.dose_day, d.dose_day), coalesce(o.outcome <> 'held', false),
        coalesce(o.outcome = 'held', false), d.id IS NOT NULL
    FROM day_outcome o
    FULL JOIN dose d ON d.client_id = o.client_id AND d.dose_day = o.dose_day
    JOIN country_person p ON p.id = coalesce(o.client_id, d.client_id)
    WHERE coalesce(o.dose_day, d.dose_day) <= '{today}'
    ORDER BY 1, 2
) TO STDOUT (FORMAT csv)
"""


def run(on: Ground, *, clients: int = USUAL, years: int = 5) -> list[Figure]:
    """Builds a country, asks everybody the same and compares what they say and how long they take."""
    database_name = f"country_{clients}"
    on.copy(database_name)
    with on.database(database_name) as database:
        country = build(database, clients=clients, years=years)
        began = time.perf_counter()
        count_behind(database)
        counted = time.perf_counter() - began
        with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE) fact_client, fact_gap, fact_month")
        days = _days(database.url, country, on.folder / "days.parquet")
        engines = {"ours": (database.url, str(on.keys))} | {
            name: (str(days), str(country.today)) for name in THEIRS if find_spec(name)
        }
    rounds = [{name: _asked(name, country, where) for name, where in engines.items()} for _ in range(ROUNDS)]
    for each in rounds:
        for name, told in each.items():
            if told["answers"] != each["ours"]["answers"]:
                raise RuntimeError(f"{name} says {told['answers']}, and we say {each['ours']['answers']}")
    name, about = NAME if clients == USUAL else f"{NAME}-{clients}", f"{country.days / 1e6:.1f} million days"
    return [
        Figure(name, f"counting {clients:,} clients anew ({about})", counted, "s"),
        *_figures(name, rounds, about),
    ]


def _figures(benchmark: str, rounds: Sequence[Mapping[str, Any]], about: str) -> list[Figure]:
    figures = []
    for name in rounds[0]:
        for key, says in {**QUESTIONS, "all": "all three"}.items():
            seconds = [_seconds(each[name], key) for each in rounds]
            figures.append(of_rounds(benchmark, f"{says}, {name} ({about})", seconds, "s"))
    ours = {figure.what.split(", ours")[0]: figure for figure in figures if ", ours (" in figure.what}
    for name in rounds[0]:
        for says, mine in ours.items() if name != "ours" else ():
            other = next(figure for figure in figures if figure.what.startswith(f"{says}, {name} ("))
            goal = 1.0 if name == "duckdb" and says == "all three" else None
            figures.append(ratio(benchmark, f"{says}, ours to {name} ({about})", mine, other, goal))
    for name in rounds[0]:
        peak = median(each[name]["peak_mb"] for each in rounds)
        goal = _LEAST_OF_MEMORY if name == "ours" else None
        figures.append(Figure(benchmark, f"peak memory of the process, {name} ({about})", peak, "MB", goal))
    return figures


def _seconds(told: Mapping[str, Any], key: str) -> float:
    return sum(told["seconds"].values()) if key == "all" else float(told["seconds"][key])


def _days(url: str, country: Country, path: Path) -> Path:
    """The country's days as one Parquet file."""
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    text = path.with_suffix(".csv")
    with (
        psycopg.connect(url.replace("+psycopg", "")) as connection,
        connection.cursor().copy(_DAYS.format(today=country.today)) as rows,
        text.open("wb") as file,
    ):
        file.writelines(rows)
    schema = pa.schema(
        {"client": pa.int32(), "day": pa.date32(), "ordered": pa.bool_(), "held": pa.bool_(), "dosed": pa.bool_()}
    )
    options = csv.ConvertOptions(column_types=schema, true_values=["t"], false_values=["f"])
    read = csv.open_csv(text, read_options=csv.ReadOptions(column_names=schema.names), convert_options=options)
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for batch in read:
            out.write_batch(batch)
    text.unlink()
    return path


def _asked(name: str, country: Country, where: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engines", name, str(country.first), country.now.isoformat(), *where]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    say(f"evaluation: {name} { ({key: round(value, 2) for key, value in told['seconds'].items()}) }")
    return told


def main() -> None:
    clients, years = (int(word) for word in sys.argv[1:3])
    with ground() as here:
        figures = run(here, clients=clients, years=years)
        version = here.version
    print(table(figures))
    if "--dry" not in sys.argv:
        write(figures, version)
        say(f"kept in {RESULTS.parent.name}/{RESULTS.name}")


if __name__ == "__main__":
    main()
