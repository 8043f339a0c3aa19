"""What of ours answers a published figure: a measure of the evaluator's desk, or a question that a desk asks.

Every module of this package is found. None of them reads the records of the programme: what they answer was entered.
Where a country is built at a share, one counts for as many as `published.toml` says (`one_in`), and the table says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from dispensary.database import ReadSession
from dispensary.evaluation.answering import ALL, answer, ask
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.published.shapes import PERCENT, Published
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place


@dataclass(frozen=True)
class Question:
    """A figure as it is asked: of these sites, of this time, as it is known now."""

    figure: Published
    places: tuple[Place, ...]
    period: Period
    now: datetime
    least: int = 1
    """The fewest people of whom a figure is told."""


Answers = Callable[[ReadSession, Question], Decimal]
_FIGURES: dict[str, Answers] = {}


def figure(name: str) -> Callable[[Answers], Answers]:
    """Puts a figure into the registry, for what no measure has."""

    def kept(answers: Answers) -> Answers:
        assert name not in _FIGURES, f"there are two figures called {name}"
        _FIGURES[name] = answers
        return answers

    return kept


@lru_cache(maxsize=1)
def figures() -> Mapping[str, Answers]:
    """Every figure by its name."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(sorted(_FIGURES.items()))


_PEOPLE = frozenset({"people", "clients"})
"""Units by which a figure counts people."""


def ours(session: ReadSession, question: Question) -> Decimal | None:
    """Our answer, unrounded; a share in per cent where the figure is one. Nothing where it is about too few people.

    Raises BadInput where a measure, an indicator or a level is not there.
    """
    asked = question.figure
    if asked.figure:
        answers = figures().get(asked.figure)
        if answers is None:
            raise _missing(asked, f"there is no figure “{asked.figure}”", f"choose one of {', '.join(figures())}")
        found: Decimal | None = answers(session, question)
    else:
        found = _of_measure(session, question)
    if found is None or (asked.unit in _PEOPLE and 0 < found < question.least):
        return None
    return found * 100 if asked.unit == PERCENT else found


def _of_measure(session: ReadSession, question: Question) -> Decimal | None:
    asked = question.figure
    chosen = measure(asked.measure)
    if asked.indicator not in {each.key for each in chosen.indicators}:
        known = ", ".join(each.key for each in chosen.indicators)
        raise _missing(asked, f"{chosen.key} has no indicator “{asked.indicator}”", f"choose one of {known}")
    found = answer(
        session,
        ask(
            chosen,
            places=question.places,
            period=question.period,
            as_of=question.now,
            now=question.now,
            by=tuple(asked.split),
            typed=asked.parameters,
            least=question.least,
        ),
    )
    levels = tuple(asked.split.values()) or ()
    rows = [row for row in found.rows if row.indicator == asked.indicator]
    row = next((row for row in rows if row.strata == levels), None)
    if row is None:
        known = ", ".join(sorted({" ".join(row.strata) for row in rows} - {ALL})) or "none"
        raise _missing(asked, f"nothing is on record of {' '.join(levels)}", f"there are {known}")
    if not row.shown:
        return None
    part = {"value": row.value, "numerator": row.numerator, "denominator": row.denominator}[asked.part]
    return part if part is not None else Decimal(0)


def _missing(asked: Published, what: str, todo: str) -> BadInput:
    return BadInput(
        Refusal("figure", f"published.toml, [[figure]] {asked.key}: {what}.", f"{todo[0].upper()}{todo[1:]}.")
    )
