"""Writes measures.md from the measures as they are: what each counts, of whom, with which parameters, and by whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

from dispensary.evaluation.measure import Measure
from dispensary.evaluation.measures import measures
from dispensary.evaluation.strata import STRATA

PAGE = Path(__file__).with_name("measures.md")
BOOK = Path(__file__).parent / "handbook" / "evaluator.md"
TABLE = "| measure, with its definition | by the command |\n| --- | --- |\n"

OPENING = """\
# Measures

What each figure is, as the program itself counts it. This page is written from the measures (`make measures`), and a
test fails when it is not current. `dispensary export MEASURE --help` says the same; [the evaluator's
handbook](handbook/evaluator.md) says how to ask.

Whatever would speak of fewer than five people is hidden, and so much beside it that no total gives it back. A figure is
that of the as-of moment: what was recorded later is not in it.

## What figures can be split by

| stratum | what it is |
| --- | --- |
"""


def page() -> str:
    """The whole page."""
    strata = "".join(f"| `{each.key}` | {each.says} |\n" for each in STRATA.values())
    return OPENING + strata + "".join(part for _, each in sorted(measures().items()) for part in _of(each))


def _of(measure: Measure) -> Iterator[str]:
    yield f"\n## {measure.title}\n\n`{measure.key}`, version {measure.version}. Source: {measure.source}.\n\n"
    yield f"{fill(measure.says, 120)}\n\n"
    yield f"- Numerator: {measure.numerator}.\n- Denominator: {measure.denominator}.\n"
    split = [*measure.strata, *(f"{each.key} ({each.says})" for each in measure.own_strata)]
    yield f"- Split by: {', '.join(split) or 'nothing'}.\n"
    for exclusion in measure.exclusions:
        yield f"- Left out, and counted apart: {exclusion.says}.\n"
    yield "\n| indicator | what it counts |\n| --- | --- |\n"
    for indicator in measure.indicators:
        yield f"| `{indicator.key}` | {_cell(indicator.says)} |\n"
    if measure.parameters:
        yield "\n| parameter | what it means | may be | unless told |\n| --- | --- | --- | --- |\n"
        for each in measure.parameters:
            yield f"| `{each.key}` | {_cell(each.meaning)} | {_cell(each.bounds)} | {each.default} |\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def in_handbook() -> str:
    """The evaluator's handbook with its table of measures as they are: each leads to its definition."""
    before, rest = BOOK.read_text("utf-8").split(TABLE)
    rows = "".join(
        f"| [{each.title}](../measures.md#{anchor(each.title)}) | `{key}` |\n" for key, each in measures().items()
    )
    return before + TABLE + rows + "\n" + rest.partition("\n\n")[2]


def anchor(title: str) -> str:
    """What a heading is called in the address of its page."""
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    BOOK.write_text(in_handbook(), "utf-8")
