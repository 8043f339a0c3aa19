"""The commands that try out, before anybody has to queue for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import accumulate
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
from scheduling.plans import MODEL, Clinic, Day, advised, advised_places, chosen, walk_in
from scheduling.rules import Hours, NotFound
from scheduling.simulation import Outcome, compare
from scheduling.stamps import Crowd, crowds_in, past_of, slots_of, week_on
from scheduling.waiting import queue_rules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FEW_DAYS = 8
"""With fewer days than this, what one usually has is called a guess: two months of one weekday."""
TRIED = 200
"""Days for each question of what something else would change."""


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

    day: tuple[Clinic, ...]
    opens: time | None
    sentences: tuple[str, ...]


@click.group()
def simulate() -> None:
    """Try something out on a computed clinic; nothing is kept."""


@simulate.command()
@click.option("--site", "code", help="Code of a site: its hours, people and stamps. Default: the model clinic.")
@click.option("--weekday", type=click.Choice(DAYS), help="Which of the site's days. Default: the next open one.")
@click.option("--clients", type=click.IntRange(1, 5000), help="People of one day.")
@click.option("--opening", type=click.IntRange(10, 1440), help="Minutes that it is open, without a break.")
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
    """Compare the waiting under walk-in, flat slots, a dome and the advised plan, over many days.

    With --site, each figure that is not given is the site's own, and so are its breaks and the rule by which its queue
    is called; a figure that its stamps do not say must be given.
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
        frame = _of_site(code, weekday, known) if code else Frame((replace(MODEL, **known),), None, ())
        if any(clinic.slot_minutes > clinic.opening for clinic in frame.day):
            raise BadInput(Refusal("bad-slot", "A slot is longer than the opening.", "Give a shorter --slot."))
        if code and not all(clinic.advised for clinic in frame.day):
            raise BadInput(
                Refusal("no-advice", "Not even one service surely fits into a slot.", "Give a longer --slot.")
            )
        outcomes = compare(frame.day, mornings=mornings, seed=seed, progress=bar("mornings"))
        for line in (*frame.sentences, *_frames(frame), "", *_table(outcomes), "", *_says(outcomes, seed)):
            click.echo(line)
        if svg:
            svg.write_text(day_drawing(outcomes, frame.opens), "utf-8")
            click.echo(f"The day is drawn in {svg}.")


def _of_site(code: str, weekday: str | None, given: dict[str, Any]) -> Frame:
    with database_of(settings_from()) as database, database.reading() as session:
        site = place(session, site_by_code(session, code).id)
        today = site.dose_day(now())
        try:
            stretches = _stretches(session, site, weekday)
        except NotFound:
            raise NotThere(
                Refusal("no-hours", f"{site.code} has no hours yet.", "Set them at the office desk.")
            ) from None
        if "opening" in given and len(stretches) > 1:
            what = f"{site.code} has a break that day, so that one number of minutes does not say when it is open."
            raise BadInput(Refusal("has-breaks", what, "Leave out --opening, or try it without --site."))
        changed = {name: given[name] for name in ("slot_minutes", "windows") if name in given}
        stretches = [replace(hours, **changed) for hours in stretches]
        crowds = crowds_in(session, site.id, stretches, today)
        past = past_of(session, site.id, today)
        patience = queue_rules(session, site.id).walk_in_minutes
    if not any(crowd.people for crowd in crowds) and "clients" not in given:
        raise BadInput(Refusal("no-people", "Nobody came on this weekday yet.", "Give --clients."))
    hours_said = ", ".join(f"{hours.opens:%H:%M} to {hours.closes:%H:%M}" for hours in stretches)
    sentences = [f"{site.code}, {DAYS[stretches[0].weekday]} {hours_said}."]
    if "clients" not in given:
        sentences.append(_of_days(crowds))
    day = []
    for hours, crowd, people in zip(stretches, crowds, _people(stretches, crowds, given), strict=True):
        advice = list(advise(slots_of(hours), past).values())
        least = min(advice, key=lambda each: each.k) if advice else None
        own: dict[str, Any] = {
            "opening": _minutes(hours),
            "windows": hours.windows,
            "slot_minutes": hours.slot_minutes,
            "absent": least.absence.share if least and least.absence else 0.0,
            "unbooked": crowd.unbooked,
            "begins": float(_between(stretches[0].opens, hours.opens)),
            "walk_in_minutes": float(patience),
            "groups": crowd.groups,
            "wishes": crowd.wishes,
        } | _service(least, given, sentences)
        # What is given by hand and bears on the advice makes it the formula's own.
        if least and least.advised and not given.keys() & {"service_mean", "service_cv", "absent", "opening"}:
            own["advice"] = least.k
        day.append(Clinic(**(own | given | {"clients": people})))
    if "absent" not in given and not any(clinic.absent for clinic in day):
        bookings = sum(each.came + each.missed for each in past.bookings)
        if bookings < ENOUGH:
            sentences.append(
                f"{bookings} bookings ended so far; {ENOUGH} are needed to say how many stay away: all are expected."
            )
    sentences.append(
        f"The queue is called by the site's own rule: who has no booking stands among the booked after {patience} min"
        + (", and its groups come sooner." if any(clinic.groups for clinic in day) else ".")
        + " When they come is the model clinic's, not the site's."
    )
    return Frame(tuple(day), stretches[0].opens, tuple(sentences))


def _of_days(crowds: Sequence[Crowd]) -> str:
    days, people = crowds[0].days, sum(crowd.people for crowd in crowds)
    known = f"A usual day of the last half year had {people:.0f} people (of {days} {'day' if days == 1 else 'days'}"
    if len(crowds) == 1 and days > 1:
        known += f", {crowds[0].fewest} to {crowds[0].most}"
    few = f" {days} are few: take the figures for a guess." if days < FEW_DAYS else ""
    return f"{known}).{few}"


def _people(stretches: Sequence[Hours], crowds: Sequence[Crowd], given: dict[str, Any]) -> list[int]:
    """How many people each stretch has; a number that is given is shared out as they usually come, or by length."""
    if "clients" not in given:
        return [round(crowd.people) for crowd in crowds]
    shares = [crowd.people for crowd in crowds]
    if not any(shares):
        shares = [float(_minutes(hours)) for hours in stretches]
    ends = [round(given["clients"] * part / sum(shares)) for part in accumulate(shares)]
    return [b - a for a, b in zip([0, *ends], ends, strict=False)]


def _service(least: Advice | None, given: dict[str, Any], sentences: list[str]) -> dict[str, float]:
    """How long a service takes in one stretch, by its stamps; says what that stands on. Or BadInput."""
    if least and least.duration:
        said = _of_services(least)
        if said not in sentences:
            sentences.append(said)
        return {
            "service_mean": least.duration.mean,
            "service_cv": least.duration.sd / least.duration.mean,
        }
    if "service_mean" not in given:
        counted = least.counted if least else 0
        what = f"{counted} services were stamped while somebody waited; {ENOUGH} are needed to say how long one takes."
        raise BadInput(Refusal("too-few-services", what, "Give --service-mean and --service-cv."))
    if "service_cv" not in given:
        raise BadInput(Refusal("no-spread", "The site's stamps do not say how services vary.", "Give --service-cv."))
    return {}


def _of_services(advice: Advice) -> str:
    whose = {Basis.SLOT: "this slot's", Basis.WEEKDAY: "this weekday's", Basis.PLACE: "all days'"}
    length = advice.duration
    assert length is not None
    missed = f", {advice.absence.share:.0%} absent (n={advice.absence.n})" if advice.absence else ", nobody absent"
    return (
        f"From {whose[advice.duration_of]} stamps: a service takes {length.mean:.2f} min, at most {length.upper:.2f} "
        f"on average with {advice.confidence:.0%} confidence (n={length.n}){missed}."
    )


def _stretches(session: ReadSession, site: Place, weekday: str | None) -> list[Hours]:
    """The stretches of the weekday that was asked for, else of the next day on which the site opens."""
    today = site.dose_day(now())
    week = week_on(scheduling.queries.timetable(session, site.id, today, today), today)
    if not week:
        raise NotFound("no-place", "There are no hours.")
    wanted = DAYS.index(weekday) if weekday else min((h.weekday - today.weekday()) % 7 for h in week) + today.weekday()
    theirs = [hours for hours in week if hours.weekday == wanted % 7]
    if not theirs:
        raise BadInput(Refusal("closed", f"{site.code} does not open on that weekday.", "Choose another --weekday."))
    return theirs


def _minutes(hours: Hours) -> int:
    return _between(hours.opens, hours.closes)


def _between(first: time, last: time) -> int:
    return (last.hour - first.hour) * 60 + last.minute - first.minute


def _frames(frame: Frame) -> list[str]:
    if len(frame.day) == 1:
        return [_frame(frame.day[0])]
    assert frame.opens is not None
    return [f"{_clock(frame.opens, clinic.begins)}: {_frame(clinic)}" for clinic in frame.day]


def _clock(opens: time, minutes: float) -> str:
    return f"{datetime.combine(date.min, opens) + timedelta(minutes=minutes):%H:%M}"


def _frame(clinic: Clinic) -> str:
    return (
        f"{clinic.clients} people, open {clinic.opening:g} min, {_windows(clinic.windows)}, service "
        f"{clinic.service_mean:.2f} min (cv {clinic.service_cv:.2f}), {clinic.absent:.0%} absent, "
        f"{clinic.unbooked:.0%} without booking, slots of {clinic.slot_minutes} min."
    )


def _windows(number: int) -> str:
    return "1 window" if number == 1 else f"{number} windows"


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    heads = f"{'plan':<15}{'mean':>8}{'p95':>8}{'longest':>9}{'waiting':>9}{'overtime':>10}"
    return [heads] + [
        f"{each.name:<15}{each.mean:>8.1f}{each.p95:>8.1f}{each.longest:>9.1f}{each.waiting:>9.0f}{each.overtime:>10.1f}"
        for each in outcomes
    ]


def _says(outcomes: Sequence[Outcome], seed: int) -> list[str]:
    by_plan = {each.name: each for each in outcomes}
    walk, usual, hardest = by_plan["walk-in"], by_plan["advised, usual"], by_plan["advised"]
    said = [
        "Minutes from arrival to the start of the service. Longest wait, most people waiting at once and overtime of a "
        f"day are averages over {walk.mornings:,} days (seed {seed}; the mean of walk-in is known to "
        f"±{1.96 * walk.error:.2f} min).",
        "",
    ]
    if walk.mean:
        spread = "as they booked until now" if any(any(clinic.wishes) for clinic in walk.day) else "spread evenly"
        said += [
            f"With the advised places people wait {usual.mean:.1f} min on average on a usual day ({spread}), "
            f"{usual.mean / walk.mean:.0%} of walk-in.",
            "On the hardest day that the advice allows, when everybody takes the earliest time that is left, they "
            f"wait {hardest.mean:.1f} min, {hardest.mean / walk.mean:.0%} of walk-in.",
        ]
    said += [sentence for clinic in walk.day if (sentence := _thin(clinic))]
    return [*said, *_room(walk.day, usual), *_otherwise(walk.day, walk, usual, seed)]


def _thin(clinic: Clinic) -> str:
    """What is to be said of a stretch that hardly anybody books: a limit that nobody meets shortens no wait."""
    places = advised_places(clinic) * clinic.slots
    if not 0 < 2 * clinic.bookers <= places:
        return ""
    even = -(-clinic.bookers // clinic.slots)
    return (
        f"It is thinly booked: {clinic.bookers} people for {places} advised places. There the advice hardly limits "
        f"anything; slots of {even} would spread them over the hours."
    )


def _room(day: Day, planned: Outcome) -> list[str]:
    said = []
    for clinic, plan in zip(day, planned.plans, strict=True):
        each = advised_places(clinic)
        room = f"{clinic.slots} slots of {each} have room for {each * clinic.slots}, and {clinic.bookers} would book"
        left = clinic.bookers - plan.booked
        if left <= 0:
            said.append(f"{room}: everybody finds a place.")
            continue
        ways = []
        for more in range(1, 11):
            wider = replace(clinic, windows=clinic.windows + more, advice=None)
            if advised(wider).booked >= clinic.bookers:
                ways.append(f"{_windows(wider.windows)} instead of {clinic.windows}")
                break
        if each:
            longer = -(-clinic.bookers // each) * clinic.slot_minutes - clinic.slots * clinic.slot_minutes
            ways.append(f"{longer} minutes longer")
        said.append(f"{room}: {left} find no place. It would take {', or '.join(ways)}.")
    return said


def _otherwise(day: Day, walk: Outcome, best: Outcome, seed: int) -> list[str]:
    """What another number of windows, minutes or seconds would change, in every stretch of the day alike."""
    # With windows that are not there yet the stamps' own advice does not hold; the formula's does.
    windows = _windows(day[0].windows + 1) if len(day) == 1 else "one window more"
    changes: list[tuple[str, Day]] = [
        (f"With {windows}", [replace(each, windows=each.windows + 1, advice=None) for each in day]),
        ("Open 30 minutes longer", [*day[:-1], replace(day[-1], opening=day[-1].opening + 30)]),
        (
            "With services a tenth shorter",
            [replace(each, service_mean=each.service_mean * 0.9, advice=None) for each in day],
        ),
    ]
    if all(each.windows > 1 for each in day):
        fewer = _windows(day[0].windows - 1) if len(day) == 1 else "one window fewer"
        changes.insert(1, (f"With {fewer}", [replace(each, windows=each.windows - 1, advice=None) for each in day]))
    said = []
    for words, other in changes:
        tried = [_as_few(now, then) for now, then in zip(day, other, strict=True)]
        came, planned = compare(tried, [walk_in, chosen], mornings=min(TRIED, walk.mornings), seed=seed)
        left = f", {planned.unplaced} find no place" if planned.unplaced else ""
        slots = " and ".join(
            f"{advised_places(each)} a slot of up to {then.advised}" for each, then in zip(tried, other, strict=True)
        )
        said.append(
            f"{words}: walk-in {walk.mean:.1f} → {came.mean:.1f} min, advised {best.mean:.1f} → {planned.mean:.1f} min "
            f"({slots}{left}; overtime {planned.overtime:.0f} min)."
        )
    return said


def _as_few(now: Clinic, then: Clinic) -> Clinic:
    """The places of today stay as they are unless more are needed: more windows are there to wait less."""
    needed = -(-then.bookers // then.slots) + then.advised - advised_places(then)
    return replace(then, advice=min(then.advised, max(now.advised, needed)))
