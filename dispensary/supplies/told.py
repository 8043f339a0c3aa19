"""What is told of one client to somebody outside: the kinds of information that were chosen, and no more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select

from dispensary.clients.consent_rules import Information
from dispensary.clients.models import Episode
from dispensary.database import ReadSession
from dispensary.monitoring.analytes import analytes
from dispensary.monitoring.queries import conditions_of
from dispensary.monitoring.results import results_of
from dispensary.monitoring.treatments import medicines_of
from dispensary.prescribing.queries import order_on, orders_of
from dispensary.supplies.attendance import attendance_of
from dispensary.supplies.models import Dose
from dispensary.supplies.printing.wording import plain_day, short_day
from dispensary.supplies.queries import bottles_at_home
from dispensary.supplies.told_whole import whole_of
from dispensary.takehome.queries import decisions_of
from dispensary.units import ClientId, DoseDay, plain
from dispensary.words import _, ngettext

USUAL_DAYS = timedelta(days=28)
"""How far back a disclosure reaches unless somebody says otherwise: the house's own figure."""
LONGEST = timedelta(days=366 * 3)


@dataclass(frozen=True)
class Part:
    """A heading, and lines below it."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Period:
    """Days from the first to the last, both included, as they are on `today`."""

    first: date
    last: date
    today: DoseDay


def parts_of(
    session: ReadSession, *, client_id: ClientId, kinds: frozenset[Information], period: Period
) -> tuple[Part, ...]:
    """The parts that these kinds let through, in the language that is spoken.

    The whole record holds every part, and what each room knows of them besides (`told_whole.py`). Names of others,
    reasons and remarks of the staff, and what the client wants to reach, are told by none: they are nobody's to read
    but the programme's.
    """
    whole = Information.WHOLE in kinds
    read: dict[Information, tuple[Callable[[], str], Callable[..., Iterator[str]]]] = {
        Information.PRESENCE: (lambda: _("In treatment"), _presence),
        Information.ATTENDANCE: (lambda: _("Days on which they came"), _came),
        Information.DOSES: (lambda: _("Methadone"), _doses),
        Information.RESULTS: (lambda: _("Results and medicines"), _results),
    }
    chosen = [kind for kind in read if whole or kind in kinds]
    parts = [Part(read[kind][0](), tuple(read[kind][1](session, client_id, period))) for kind in chosen]
    if whole:
        parts.append(Part(_("Stays and orders"), tuple(_rest(session, client_id))))
        beyond = whole_of(session, client_id=client_id, first=period.first, last=period.last)
        parts += [Part(heading, lines) for heading, lines in beyond]
    return tuple(parts)


def _presence(session: ReadSession, client_id: ClientId, period: Period) -> Iterator[str]:
    running = (
        select(Episode.id)
        .where(Episode.client_id == client_id, Episode.began_on <= period.today)
        .where(Episode.ended_on.is_(None) | (Episode.ended_on > period.today))
    )
    if session.scalar(running.limit(1)) is not None:
        yield _("They are a client of this programme on %(day)s.", day=plain_day(period.today))
    else:
        yield _("They are not a client of this programme on %(day)s.", day=plain_day(period.today))


def _came(session: ReadSession, client_id: ClientId, period: Period) -> Iterator[str]:
    found = attendance_of(session, client_id=client_id, first=period.first, last=period.last)
    yield _("From %(first)s to %(last)s:", first=plain_day(period.first), last=plain_day(period.last))
    if found.agreed:
        yield _("came on %(kept)s of %(agreed)s days that were agreed", kept=len(found.kept), agreed=len(found.agreed))
        yield from _days(found.kept)
        if found.besides:
            said = ngettext("and on %(num)s other day", "and on %(num)s other days", len(found.besides))
            yield said % {"num": len(found.besides)}
            yield from _days(found.besides)
    else:
        yield _("no days were agreed beforehand")
        yield ngettext("came on %(num)s day", "came on %(num)s days", len(found.came)) % {"num": len(found.came)}
        yield from _days(found.came)
    if found.sessions:
        kept, agreed = len(found.sessions_kept), len(found.sessions)
        yield _("came to %(kept)s of %(agreed)s sessions that were agreed", kept=kept, agreed=agreed)
        yield from _days(found.sessions_kept)


def _days(days: tuple[date, ...]) -> Iterator[str]:
    if days:
        yield ", ".join(short_day(day) for day in days)


def _doses(session: ReadSession, client_id: ClientId, period: Period) -> Iterator[str]:
    order = order_on(session, client_id=client_id, day=period.today)
    if order is None:
        yield _("No dose is ordered on %(day)s.", day=plain_day(period.today))
    else:
        portions = " + ".join(plain(part) for part in order.portions)
        since = plain_day(order.days.lower) if order.days.lower else ""
        yield _(
            "Ordered: %(mg)s mg a day (%(portions)s), since %(day)s", mg=plain(order.mg), portions=portions, day=since
        )
    rows = session.execute(
        select(Dose.dose_day, Dose.kind, Dose.mg)
        .where(Dose.client_id == client_id, Dose.voided_at.is_(None))
        .where(Dose.dose_day.between(period.first, period.last))
        .order_by(Dose.dose_day.desc(), Dose.portion)
    ).all()
    kinds = {"observed": _("taken at the counter"), "take_home": _("carried home")}
    for row in rows:
        yield f"{short_day(row.dose_day)}: {plain(row.mg)} mg, {kinds[row.kind]}"
    if not rows:
        yield _(
            "No dose was given from %(first)s to %(last)s.", first=plain_day(period.first), last=plain_day(period.last)
        )
    home = bottles_at_home(session, client_id=client_id, today=period.today)
    if home:
        said = ", ".join(f"{short_day(each.day)} ({plain(each.mg)} mg)" for each in home)
        yield _("Bottles at home, each for its day: %(days)s", days=said)


def _results(session: ReadSession, client_id: ClientId, period: Period) -> Iterator[str]:
    names = {each.code: each.name for each in analytes().values()}
    for row in results_of(session, client_id=client_id):
        if period.first <= row.taken_on <= period.last:
            yield f"{names.get(row.analyte, row.analyte)}: {row.typed}, {short_day(row.taken_on)}"
    for condition in conditions_of(session, client_id=client_id):
        if condition.ended_on is None:
            yield _("Watched for: %(what)s", what=condition.kind.replace("_", " "))
    for medicine in medicines_of(session, client_id=client_id):
        if medicine.stopped_on is None or medicine.stopped_on > period.today:
            yield _("Takes: %(what)s, since %(day)s", what=medicine.substance, day=short_day(medicine.started_on))


def _rest(session: ReadSession, client_id: ClientId) -> Iterator[str]:
    stays = select(Episode).where(Episode.client_id == client_id).order_by(Episode.began_on)
    for stay in session.scalars(stays):
        ended = short_day(stay.ended_on) if stay.ended_on else _("today")
        yield _("In treatment from %(first)s to %(last)s", first=short_day(stay.began_on), last=ended)
    for order in reversed(orders_of(session, client_id=client_id)):
        if order.days.lower is not None:
            yield _("%(mg)s mg a day from %(day)s", mg=plain(order.mg), day=short_day(order.days.lower))
    for decision in decisions_of(session, client_id):
        if decision.days.lower is not None:
            yield _(
                "Take-home: at most %(n)s days at once, from %(day)s",
                n=decision.per_supply,
                day=short_day(decision.days.lower),
            )
