"""Runs the benchmarks, prints what they found and keeps it in benchmarks/results.json."""

from __future__ import annotations

import argparse

from benchmarks import assessing, booking, calling, closing, dose, evaluation, health, screen, texts, waiting, wall
from benchmarks.figures import RESULTS, Figure, say, table, write
from benchmarks.ground import ground

ALL = {
    "dose": dose,
    "wall": wall,
    "screen": screen,
    "booking": booking,
    "calling": calling,
    "closing": closing,
    "assessing": assessing,
    "health": health,
    "evaluation": evaluation,
    "waiting": waiting,
    "texts": texts,
}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("only", nargs="*", choices=[[], *ALL], help="which to run; all of them when none is named")
    options.add_argument("--dry", action="store_true", help="print the table and leave results.json as it is")
    asked = options.parse_args()
    figures: list[Figure] = []
    with ground() as here:
        for name in asked.only or ALL:
            figures += ALL[name].run(here)
        version = here.version
    print(table(figures))
    if not asked.dry:
        write(figures, version)
        say(f"kept in {RESULTS.parent.name}/{RESULTS.name}")


if __name__ == "__main__":
    main()
