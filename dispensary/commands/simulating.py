"""The commands that try out, before anybody has to queue for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time
from math import isnan
from pathlib import Path
from typing import Any

import click

import scheduling.queries
from dispensary.commands.day_drawing import day_drawing
from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.database import ReadSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.settings import settings_from
from dispensary.staff.queries import Place, place, site_by_code
from scheduling.advice import ENOUGH, Advice, Basis, advise
from scheduling.rules import Hours, NotFound
from scheduling.simulation import MODEL, Clinic, Outcome, advised, advised_places, compare, walk_in
from scheduling.stamps import crowd_in, past_of, slots_of, week_on

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TRIED = 200
"""Mornings for each question of what something else would change."""


class Number(click.FloatRange):
    """A number within bounds; “nan” is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if isnan(number):
            self.fail("it is no number", param, ctx)
        return number


@dataclass(frozen=True)
class Frame:
    """What is simulated, and in sentences where it comes from."""

    clinic: Clinic
    opens: time | None
    sentences: tuple[str, ...]


@click.group()
def simulate() -> None:
    """Try something out on a computed clinic; nothing is kept."""


@simulate.command()
@click.option("--site", "code", help="Code of a site: its hours, people and stamps. Default: the model clinic.")
@click.option("--weekday", type=click.Choice(DAYS), help="Which of the site's days. Default: the next open one.")
@click.option("--clients", type=click.IntRange(1, 5000), help="People of one morning.")
@click.option("--opening", type=click.IntRange(10, 1440), help="Minutes that it is open.")
@click.option("--windows", type=click.IntRange(1, 50), help="Counters that serve at once.")
@click.option("--slot", type=click.IntRange(1, 1440), help="Minutes of a slot.")
@click.option("--service-mean", type=Number(0.05, 240), help="Minutes of one service.")
@click.option("--service-cv", type=Number(0, 3), help="Its standard deviation, as a share of the mean.")
@click.option("--absent", type=Number(0, 0.9), help="Share of the booked who do not come.")
@click.option("--unbooked", type=Number(0, 1), help="Share of people who come without a booking.")
@click.option("--mornings", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same figures.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw the day into this file.")
def queue(
    code: str | None,
    weekday: str | None,
    clients: int | None,
    opening: int | None,
    windows: int | None,
    slot: int | None,
    service_mean: float | None,
    service_cv: float | None,
    absent: float | None,
    unbooked: float | None,
    mornings: int,
    seed: int,
    svg: Path | None,
) -> None:
    """Compare the waiting under walk-in, flat slots, a dome and the advised plan, over many mornings.

    With --site, each figure that is not given is the site's own; a figure that its stamps do not say must be given.
    """
    given = {
        "clients": clients,
        "opening": opening,
        "windows": windows,
        "slot_minutes": slot,
        "service_mean": service_mean,
        "service_cv": service_cv,
        "absent": absent,
        "unbooked": unbooked,
    }
    known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with one_clear_line():
        frame = _of_site(code, weekday, known) if code else Frame(replace(MODEL, **known), None, ())
        clinic = frame.clinic
        if clinic.slot_minutes > clinic.opening:
            raise BadInput(Refusal("bad-slot", "A slot is longer than the opening.", "Give a shorter --slot."))
        if code and not clinic.advised:
            raise BadInput(
                Refusal("no-advice", "Not even one service surely fits into a slot.", "Give a longer --slot.")
            )
        outcomes = compare(clinic, mornings=mornings, seed=seed, progress=bar("mornings"))
        for line in (*frame.sentences, _frame(clinic), "", *_table(outcomes), "", *_says(outcomes, seed)):
            click.echo(line)
        if svg:
            svg.write_text(day_drawing(outcomes, frame.opens), "utf-8")
            click.echo(f"The day is drawn in {svg}.")


def _of_site(code: str, weekday: str | None, given: dict[str, Any]) -> Frame:
    with database_of(settings_from()) as database, database.reading() as session:
        site = place(session, site_by_code(session, code).id)
        today = site.dose_day(now())
        try:
            hours = _hours(session, site, weekday)
        except NotFound:
            raise NotThere(
                Refusal("no-hours", f"{site.code} has no hours yet.", "Set them at the office desk.")
            ) from None
        if "slot_minutes" in given:
            hours = replace(hours, slot_minutes=given["slot_minutes"])
        if "windows" in given:
            hours = replace(hours, windows=given["windows"])
        crowd = crowd_in(session, site.id, hours, today)
        advice = list(advise(slots_of(hours), past_of(session, site.id, today)).values())
    least = min(advice, key=lambda each: each.k) if advice else None
    own: dict[str, Any] = {
        "opening": _minutes(hours),
        "windows": hours.windows,
        "slot_minutes": hours.slot_minutes,
        "absent": least.absence.share if least and least.absence else 0.0,
        "unbooked": crowd.unbooked,
        "clients": round(crowd.people),
    }
    sentences = [f"{site.code}, {DAYS[hours.weekday]} {hours.opens:%H:%M} to {hours.closes:%H:%M}."]
    if not own["clients"] and "clients" not in given:
        raise BadInput(Refusal("no-people", "Nobody came on this weekday yet.", "Give --clients."))
    if "clients" not in given:
        sentences.append(f"A usual day of the last half year had {crowd.people:.0f} people (of {crowd.days} days).")
    if least and least.duration:
        own |= {"service_mean": least.duration.mean, "service_cv": least.duration.sd / least.duration.mean}
        sentences.append(_of_services(least))
    elif "service_mean" not in given:
        counted = least.counted if least else 0
        what = f"{counted} services were stamped while somebody waited; {ENOUGH} are needed to say how long one takes."
        raise BadInput(Refusal("too-few-services", what, "Give --service-mean and --service-cv."))
    elif "service_cv" not in given:
        raise BadInput(Refusal("no-spread", "The site's stamps do not say how services vary.", "Give --service-cv."))
    # What is given by hand and bears on the advice makes it the formula's own.
    if least and least.advised and not given.keys() & {"service_mean", "service_cv", "absent", "opening"}:
        own["advice"] = least.k
    return Frame(Clinic(**(own | given)), hours.opens, tuple(sentences))


def _of_services(advice: Advice) -> str:
    whose = {Basis.SLOT: "this slot's", Basis.WEEKDAY: "this weekday's", Basis.PLACE: "all days'"}
    length = advice.duration
    assert length is not None
    missed = f", {advice.absence.share:.0%} absent (n={advice.absence.n})" if advice.absence else ", nobody absent"
    return (
        f"From {whose[advice.duration_of]} stamps: a service takes {length.mean:.2f} min, at most {length.upper:.2f} "
        f"on average with {advice.confidence:.0%} confidence (n={length.n}){missed}."
    )


def _hours(session: ReadSession, site: Place, weekday: str | None) -> Hours:
    """The longest stretch of the weekday that was asked for, else of the next day on which the site opens."""
    today = site.dose_day(now())
    week = week_on(scheduling.queries.timetable(session, site.id, today, today), today)
    if not week:
        raise NotFound("no-place", "There are no hours.")
    wanted = DAYS.index(weekday) if weekday else min((h.weekday - today.weekday()) % 7 for h in week) + today.weekday()
    theirs = [hours for hours in week if hours.weekday == wanted % 7]
    if not theirs:
        raise BadInput(Refusal("closed", f"{site.code} does not open on that weekday.", "Choose another --weekday."))
    return max(theirs, key=_minutes)


def _minutes(hours: Hours) -> int:
    return (hours.closes.hour - hours.opens.hour) * 60 + hours.closes.minute - hours.opens.minute


def _frame(clinic: Clinic) -> str:
    return (
        f"{clinic.clients} people, open {clinic.opening:g} min, {_windows(clinic.windows)}, service "
        f"{clinic.service_mean:.2f} min (cv {clinic.service_cv:.2f}), {clinic.absent:.0%} absent, "
        f"{clinic.unbooked:.0%} without booking, slots of {clinic.slot_minutes} min."
    )


def _windows(number: int) -> str:
    return "1 window" if number == 1 else f"{number} windows"


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    heads = f"{'plan':<14}{'mean':>8}{'p95':>8}{'longest':>9}{'waiting':>9}{'overtime':>10}"
    return [heads] + [
        f"{each.plan.name:<14}{each.mean:>8.1f}{each.p95:>8.1f}{each.longest:>9.1f}{each.waiting:>9.0f}"
        f"{each.overtime:>10.1f}"
        for each in outcomes
    ]


def _says(outcomes: Sequence[Outcome], seed: int) -> list[str]:
    clinic = outcomes[0].clinic
    by_plan = {each.plan.name: each for each in outcomes}
    walk, best = by_plan["walk-in"], by_plan["advised"]
    said = [
        "Minutes from arrival to the start of the service. Longest wait, most people waiting at once and overtime of a "
        f"morning are averages over {walk.mornings:,} mornings (seed {seed}; the mean of walk-in is known to "
        f"±{1.96 * walk.error:.2f} min).",
        "",
    ]
    if walk.mean:
        said.append(
            f"The advised plan waits {best.mean:.1f} min on average, {best.mean / walk.mean:.0%} of walk-in, on its "
            "hardest day: everybody takes the earliest time that is left. Spread over the hours, they wait as in flat "
            "slots."
        )
    said += [_room(clinic, best), *_otherwise(clinic, walk, best, seed)]
    return said


def _room(clinic: Clinic, best: Outcome) -> str:
    each = advised_places(clinic)
    places = each * clinic.slots
    room = f"{clinic.slots} slots of {each} have room for {places}, and {clinic.bookers} would book"
    if not best.unplaced:
        return f"{room}: everybody finds a place."
    ways = []
    for more in range(1, 11):
        wider = replace(clinic, windows=clinic.windows + more, advice=None)
        if advised(wider).booked >= clinic.bookers:
            ways.append(f"{_windows(wider.windows)} instead of {clinic.windows}")
            break
    if each:
        longer = -(-clinic.bookers // each) * clinic.slot_minutes - clinic.slots * clinic.slot_minutes
        ways.append(f"{longer} minutes longer")
    return f"{room}: {best.unplaced} find no place. It would take {', or '.join(ways)}."


def _otherwise(clinic: Clinic, walk: Outcome, best: Outcome, seed: int) -> list[str]:
    """What another number of windows, minutes or seconds would change."""
    # With windows that are not there yet the stamps' own advice does not hold; the formula's does.
    changes: list[tuple[str, Clinic]] = [
        (f"With {_windows(clinic.windows + 1)}", replace(clinic, windows=clinic.windows + 1, advice=None)),
        ("Open 30 minutes longer", replace(clinic, opening=clinic.opening + 30)),
        ("With services a tenth shorter", replace(clinic, service_mean=clinic.service_mean * 0.9, advice=None)),
    ]
    if clinic.windows > 1:
        changes.insert(
            1, (f"With {_windows(clinic.windows - 1)}", replace(clinic, windows=clinic.windows - 1, advice=None))
        )
    said = []
    for words, other in changes:
        fits = other.advised
        needed = -(-other.bookers // other.slots) + other.advised - advised_places(other)
        # The places of today stay as they are unless more are needed: more windows are there to wait less.
        tried = replace(other, advice=min(fits, max(clinic.advised, needed)))
        came, planned = compare(tried, [walk_in, advised], mornings=min(TRIED, walk.mornings), seed=seed)
        left = f", {planned.unplaced} find no place" if planned.unplaced else ""
        said.append(
            f"{words}: walk-in {walk.mean:.1f} → {came.mean:.1f} min, advised {best.mean:.1f} → {planned.mean:.1f} min "
            f"({advised_places(tried)} a slot of up to {fits}{left}; overtime {planned.overtime:.0f} min)."
        )
    return said
