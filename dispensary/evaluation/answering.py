"""Answering a measure: the question is read, the rows of its query are added up by strata, small cells are hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from dispensary.database import ReadSession, through
from dispensary.evaluation.crowds import told_of
from dispensary.evaluation.known import SITE_DAY
from dispensary.evaluation.measure import Figure, Indicator, Measure, Value
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import check_moment
from dispensary.evaluation.rules import AtMark, Curve, Scale, at_marks, kaplan_meier
from dispensary.evaluation.small_cells import LEAST, Cell, Count, Levels, hidden_cells
from dispensary.evaluation.strata import MOST_STRATA, PERSON, STRATA
from dispensary.evaluation.tables import Column, Columns, figure, whole
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place
from dispensary.wall import Door

ALL = "all"
_PLACES = Decimal("0.00000001")


@dataclass(frozen=True)
class Asked:
    """A question of a measure. Asked again it gets the same answer."""

    measure: Measure
    places: tuple[Place, ...]
    period: Period
    as_of: datetime
    by: tuple[str, ...]
    parameters: Mapping[str, Value]
    least: int = LEAST
    """The fewest people of whom a figure is shown; 1 shows everything, to those who may read the records anyway."""


@dataclass(frozen=True)
class Row:
    """A figure: of everybody (`all` in each stratum), or of one group."""

    indicator: str
    strata: tuple[str, ...]
    numerator: Decimal | None
    denominator: Decimal | None
    value: Decimal | None
    """Nothing where the denominator is zero, and where it is not shown."""
    shown: bool
    """Whether all of it is shown: else a part is hidden, since it would speak of too few people."""


@dataclass(frozen=True)
class Answer:
    """The figures of a measure with what was left out of them."""

    asked: Asked
    rows: tuple[Row, ...]
    excluded: Mapping[str, int]
    """How many were left out, by exclusion; counted exactly, and shown as `told` has it."""

    @property
    def hidden(self) -> int:
        """Rows of which a part is not shown."""
        return sum(not row.shown for row in self.rows)

    def told(self) -> Iterator[tuple[str, str]]:
        """What was left out, in words, and how many."""
        for exclusion in self.asked.measure.exclusions:
            count = self.excluded.get(exclusion.key, 0)
            yield exclusion.says, told_of(count, self.asked.least)

    def columns(self) -> Columns:
        """Each column of the table and what it says."""
        own = {each.key: each.says for each in self.asked.measure.own_strata}
        return {
            "indicator": Column("; ".join(f"{each.key}: {each.says}" for each in self.asked.measure.indicators)),
            **{key: Column(f"{own.get(key) or STRATA[key].says} “{ALL}” is everybody.") for key in self.asked.by},
            "numerator": figure("sum over the group; empty where the value is a percentile, or where it is not shown"),
            "denominator": figure("the same of what it is a share of; of a percentile the number of values"),
            "value": figure("numerator over denominator, the count, or the percentile; empty where there is none"),
            "shown": whole(f"0 where a part is hidden, since it would speak of fewer than {self.asked.least} people"),
        }

    def table(self) -> Iterator[tuple[object, ...]]:
        """The rows under these columns."""
        for row in self.rows:
            yield row.indicator, *row.strata, row.numerator, row.denominator, row.value, int(row.shown)


def ask(
    measure: Measure,
    *,
    places: Sequence[Place],
    period: Period,
    as_of: datetime,
    now: datetime,
    by: Sequence[str] = (),
    typed: Mapping[str, str] | None = None,
    least: int = LEAST,
) -> Asked:
    """The question, with each parameter that was not typed as it stands. Raises BadInput, which names what is wrong."""
    faults: list[Refusal] = []
    try:
        check_moment(period, as_of, now)
    except BadInput as reason:
        faults += reason.refusals
    can = (*measure.strata, *(each.key for each in measure.own_strata))
    for key in by:
        if key not in can:
            remedy = f"It can be split by {', '.join(can)}." if can else "It cannot be split."
            faults.append(Refusal("stratum", f"{measure.key} is not split by “{key[:40]}”.", remedy, field="by"))
    if len(by) > MOST_STRATA or len(set(by)) < len(by):
        faults.append(Refusal("strata", f"At most {MOST_STRATA} strata, each once.", "Leave some out.", field="by"))
    given = typed or {}
    known = {parameter.key for parameter in measure.parameters}
    for key in given.keys() - known:
        remedy = f"Its parameters: {', '.join(sorted(known)) or 'none'}."
        faults.append(Refusal("parameter", f"{measure.key} has no parameter “{key[:40]}”.", remedy, field=key))
    values: dict[str, Value] = {}
    for parameter in measure.parameters:
        read = parameter.read(given[parameter.key]) if parameter.key in given else parameter.default
        if isinstance(read, Refusal):
            faults.append(read)
        else:
            values[parameter.key] = read
    if faults:
        raise BadInput(*faults)
    return Asked(measure, tuple(places), period, as_of, tuple(by), values, least)


@through(Door.FIGURES)
def answer(session: ReadSession, asked: Asked) -> Answer:
    """The figures over all and split by the strata that were asked for, from the facts of the as-of moment."""
    groups, excluded = _added_up(session, asked)
    rows = [
        (indicator, levels, group)
        for indicator in asked.measure.indicators
        for levels, group in sorted(groups.get(indicator.source, {}).items(), key=lambda each: _in_order(each[0]))
    ]
    hidden = _hidden(asked, rows)
    return Answer(
        asked,
        tuple(
            _row(asked, indicator, levels, group, hidden)
            for indicator, levels, group in rows
            if all(levels) or not any(levels)  # margins of several strata are looked at, and not told
        ),
        excluded,
    )


@dataclass(frozen=True, slots=True)
class _Group:
    numerator: Decimal
    denominator: Decimal | None
    values: int
    median: Decimal | None
    p95: Decimal | None
    people: int
    counted: int
    """People with a numerator above zero."""
    rest: int
    """People with less of a numerator than of a denominator."""
    curve: Curve | None = None
    """Of stays."""

    def at_risk(self, months: int) -> AtMark:
        assert self.curve is not None
        return at_marks(self.curve, Scale(), (months,))[0]


_NOBODY = _Group(Decimal(0), Decimal(0), 0, None, None, 0, 0, 0, kaplan_meier(()))


_SOMEBODY_S = """
    JOIN person ON person.client_id = counted.client_id
    JOIN client ON client.id = person.client_id
    JOIN site ON site.id = person.site_id"""
_NOBODY_S = "JOIN site ON site.id = counted.site_id"


def _added_up(session: ReadSession, asked: Asked) -> tuple[dict[str, dict[Levels, _Group]], dict[str, int]]:
    own = {each.key for each in asked.measure.own_strata}
    chosen = [STRATA[key] for key in asked.by if key not in own]
    names = [f"by_{n}" for n in range(len(asked.by))]
    values = [f"counted.{key}" if key in own else STRATA[key].value for key in asked.by]
    split = "".join(
        f", coalesce(CAST({value} AS text), 'unknown') AS {name}" for value, name in zip(values, names, strict=True)
    )
    survives = any(each.figure is Figure.RETENTION for each in asked.measure.indicators)
    stays = ", array_agg(numerator), array_agg(denominator)" if survives else ""
    sql = f"""
        WITH site_day AS ({SITE_DAY}),
        person AS ({PERSON}),
        counted AS ({asked.measure.query}),
        split AS (
            SELECT counted.indicator, counted.client_id, CAST(counted.numerator AS numeric) AS numerator,
                CAST(counted.denominator AS numeric) AS denominator{split}
            FROM counted
            {_NOBODY_S if asked.measure.nameless else _SOMEBODY_S}
            {" ".join(stratum.joined for stratum in chosen)}
        )
        SELECT indicator{"".join(f", {name}" for name in names)},
            sum(numerator), sum(denominator), count(numerator),
            percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY numerator)
                FILTER (WHERE indicator = ANY(CAST(:sorted AS text[]))),
            count(DISTINCT client_id), count(DISTINCT client_id) FILTER (WHERE numerator > 0),
            count(DISTINCT client_id) FILTER (WHERE denominator > numerator){stays}
        FROM split
        GROUP BY indicator{f", CUBE ({', '.join(names)})" if names else ""}
    """
    bound: dict[str, Any] = {
        "sites": [place.id for place in asked.places],
        "days": [place.dose_day(asked.as_of) for place in asked.places],
        "as_of": asked.as_of,
        "from_day": asked.period.from_day,
        "until_day": asked.period.until_day,
        "sorted": [each.source for each in asked.measure.indicators if each.figure in (Figure.MEDIAN, Figure.P95)],
        **{f"split_by_{key}": key in asked.by for key in own},
        **asked.parameters,
        **(asked.measure.prepared(session, asked) if asked.measure.prepared else {}),
    }
    groups: dict[str, dict[Levels, _Group]] = {}
    excluded = {each.key: 0 for each in asked.measure.exclusions}
    # A country's months are sorted in memory, and the many small reads of a plan are not worth compiling it.
    session.execute(text("SET LOCAL work_mem = '128MB'"))
    session.execute(text("SET LOCAL jit = off"))
    for indicator, *rest in session.execute(text(sql), bound):
        levels, figures = tuple(rest[: len(names)]), rest[len(names) :]
        figures[3:4] = figures[3] or (None, None)
        if indicator in excluded:
            if not any(levels):
                excluded[indicator] = int(figures[0])
            continue
        curve = kaplan_meier((int(t), bool(e)) for t, e in zip(*figures[8:], strict=True)) if survives else None
        groups.setdefault(indicator, {})[levels] = _Group(figures[0] or Decimal(0), *figures[1:8], curve)  # type: ignore[call-arg]
    everybody: Levels = (None,) * len(names)
    for each in asked.measure.indicators:
        groups.setdefault(each.source, {}).setdefault(everybody, _NOBODY)
    return groups, excluded


def _in_order(levels: Levels) -> tuple[bool, tuple[str, ...]]:
    return any(levels), tuple(level or "" for level in levels)


def _cell(indicator: Indicator, part: str, levels: Levels) -> Cell:
    """Where a figure stands: the denominator that is another indicator's numerator is that very figure."""
    if part == "of" and indicator.of:
        return f"{indicator.of}/n", levels
    return f"{indicator.key}/{part}", levels


def _hidden(asked: Asked, rows: Sequence[tuple[Indicator, Levels, _Group]]) -> frozenset[Cell]:
    counts: dict[Cell, Count] = {}
    relations: list[Mapping[str, int]] = []
    for indicator, levels, group in rows:
        if indicator.figure is Figure.RETENTION:
            at_risk = group.at_risk(indicator.at).at_risk
            counts[_cell(indicator, "n", levels)] = Count(at_risk, at_risk)
            continue
        if not indicator.people or indicator.figure in (Figure.MEDIAN, Figure.P95):
            counts[_cell(indicator, "n", levels)] = Count(group.people, group.people)
            continue
        amount = int(group.numerator)
        counts[_cell(indicator, "n", levels)] = Count(amount, group.counted)
        if indicator.figure is Figure.SHARE:
            whole = int(group.denominator or 0)
            of = _cell(indicator, "of", levels)
            if of not in counts:
                counts[of] = Count(whole, group.people)
            counts[_cell(indicator, "rest", levels)] = Count(whole - amount, group.rest, published=False)
    for indicator in asked.measure.indicators:
        if indicator.people and indicator.figure is Figure.SHARE:
            denominator, _ = _cell(indicator, "of", ())
            relations.append({denominator: 1, f"{indicator.key}/n": -1, f"{indicator.key}/rest": -1})
    for relation in asked.measure.relations:
        left, right = ({f"{key}/n": sign for key in keys} for keys, sign in ((relation.left, 1), (relation.right, -1)))
        relations.append({**left, **right})
    return hidden_cells(counts, relations, least=asked.least)


def _row(asked: Asked, indicator: Indicator, levels: Levels, group: _Group, hidden: frozenset[Cell]) -> Row:
    strata = tuple(level or ALL for level in levels)
    hides = _cell(indicator, "n", levels) in hidden
    if indicator.figure in (Figure.MEDIAN, Figure.P95):
        value = group.median if indicator.figure is Figure.MEDIAN else group.p95
        count = Decimal(group.values)
        return Row(indicator.key, strata, None, None if hides else count, None if hides else _plain(value), not hides)
    if indicator.figure is Figure.RETENTION:
        mark = group.at_risk(indicator.at)
        value = None if mark.retention is None else mark.retention.quantize(_PLACES)
        return Row(
            indicator.key, strata, None, None if hides else Decimal(mark.at_risk), None if hides else value, not hides
        )
    if indicator.figure is Figure.COUNT:
        per = Decimal(asked.parameters[indicator.per]) if indicator.per else Decimal(1)
        counted = None if hides else _plain(_exact(group.numerator, per))
        return Row(indicator.key, strata, counted, None, counted, not hides)
    whole_hidden = hides if not indicator.people else _cell(indicator, "of", levels) in hidden
    over = group.denominator or Decimal(0)
    value = _exact(group.numerator, over) if over else None
    return Row(
        indicator.key,
        strata,
        None if hides else _plain(group.numerator),
        None if whole_hidden else _plain(over),
        None if hides or whole_hidden else value,
        not (hides or whole_hidden),
    )


def _exact(numerator: Decimal, over: Decimal) -> Decimal:
    return numerator if over == 1 else (numerator / over).quantize(_PLACES)


def _plain(value: Decimal | int | None) -> Decimal | None:
    """Without zeros that say nothing, so that the same figure is written in the same way."""
    if value is None:
        return None
    exact = Decimal(value)
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact.quantize(_PLACES).normalize()
