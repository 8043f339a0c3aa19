"""Importing dose history that another system kept: clients, episodes, orders, doses, missed days, in one unit of work.

What comes in is of the same kind as what the counter writes, held by the same constraints and triggers, and marked with
the origin `import`. It moves no stock: those doses came from another safe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from dispensary.clients.models import Client, Episode
from dispensary.database import WriteSession
from dispensary.prescribing.models import DayOutcome, DoseOrder, Hold
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, dose_day
from dispensary.supplies.dose_files import DoseLine, Problem, Reading
from dispensary.supplies.history_rows import write_plans
from dispensary.supplies.history_rules import ClientPlan, Known, LastOrder, plan_client
from dispensary.supplies.models import Dose
from dispensary.units import ClientId


@dataclass(frozen=True)
class Imported:
    """What an import brought in, in figures, and the lines that it left out."""

    clients: int
    """Clients that are new on this site's record."""
    extended: int
    """Clients of an earlier import whose history goes on."""
    orders: int
    doses: int
    missed_days: int
    already_there: int
    repeated: int
    zero_lines: int
    """Lines of 0 mg, which are missed days and not doses."""
    zero_before_first: int
    """Lines of 0 mg before a client's first dose, where no order was in force: nothing is recorded for them."""
    longest_gap: int
    """The most days in a row without a dose, over all clients."""
    longest_gap_of: str
    problems: tuple[Problem, ...]

    def sentences(self) -> list[str]:
        """The figures as a person reads them; zeros are left out, apart from the doses."""
        figures = (
            (self.doses, "dose days brought in", True),
            (self.clients, "clients new on this site's record", False),
            (self.extended, "clients whose history goes on", False),
            (self.orders, "orders read out of the amounts", False),
            (self.missed_days, "days between without a dose, now missed days", False),
            (self.already_there, "lines that were already there", False),
            (self.repeated, "lines that repeat another line", False),
            (self.zero_lines, "lines of 0 mg: a missed day, not a dose", False),
            (self.zero_before_first, "lines of 0 mg before the first dose: nothing to record", False),
            (len(self.problems), "lines left out", False),
        )
        said = [f"{count:,} {what}" for count, what, always in figures if count or always]
        if self.longest_gap:
            said.append(f"longest time without a dose: {self.longest_gap} days (client {self.longest_gap_of})")
        return said


def import_doses(
    session: WriteSession,
    *,
    actor: Actor,
    reading: Reading,
    at: datetime,
    keep_good: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Imported:
    """Brings the history that was read onto the record of the actor's site.

    What is already there is left as it is, so that a second import of a file adds nothing; later days go on where an
    earlier import ended. With problems it raises BadInput, one refusal a line, unless the good lines are to be kept.
    A dry run is the same with the unit of work rolled back. `progress` is told dose days done and in all.
    """
    site = session.get_one(Site, actor.site_id)
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:one))"), {"one": f"import doses {site.id}"})
    today = dose_day(site.zone, site.day_starts, at)
    by_client: dict[str, list[DoseLine]] = defaultdict(list)
    for line in reading.lines:
        by_client[line.number].append(line)
    known = _known(session, site, list(by_client))
    plans = [plan_client(number, known.get(number), lines, today=today) for number, lines in by_client.items()]
    found = [*reading.problems, *(problem for plan in plans for problem in plan.problems)]
    problems = tuple(sorted(found, key=lambda problem: problem.line))
    if problems and not keep_good:
        raise BadInput(*(Refusal("bad-line", f"{problem}.", field=f"line {problem.line}") for problem in problems))
    adding = [plan for plan in plans if plan.days]
    write_plans(session, site=site, plans=adding, at=at, progress=progress or (lambda done, total: None))
    imported = _summed(reading, plans, problems)
    if adding:
        details = {
            what: getattr(imported, what) for what in ("clients", "extended", "orders", "doses", "missed_days")
        } | {"left_out": len(problems)}
        audit.record(
            session, actor=actor, act="imported doses", subject="site", subject_id=site.id, at=at, details=details
        )
    return imported


def _summed(reading: Reading, plans: Sequence[ClientPlan], problems: tuple[Problem, ...]) -> Imported:
    adding = [plan for plan in plans if plan.days]
    longest = max(adding, key=lambda plan: plan.longest_gap, default=None)
    return Imported(
        clients=sum(1 for plan in adding if plan.known is None),
        extended=sum(1 for plan in adding if plan.known is not None),
        orders=sum(len(plan.runs) for plan in adding),
        doses=sum(plan.doses for plan in adding),
        missed_days=sum(plan.missed for plan in adding),
        already_there=sum(plan.already_there for plan in plans),
        repeated=reading.repeated,
        zero_lines=sum(1 for line in reading.lines if not line.mg),
        zero_before_first=sum(plan.zero_before_first for plan in plans),
        longest_gap=longest.longest_gap if longest else 0,
        longest_gap_of=longest.number if longest else "",
        problems=problems,
    )


def _known(session: WriteSession, site: Site, numbers: Sequence[str]) -> dict[str, Known]:
    """What is on record of these clients, each locked so that nothing is given or ordered meanwhile."""
    clients = session.execute(
        select(Client.number, Client.id)
        .where(Client.site_id == site.id, Client.number.in_(numbers))
        .order_by(Client.id)
        .with_for_update(key_share=True)
    ).all()
    ids = [client_id for _, client_id in clients]
    covered: dict[ClientId, dict[date, Any]] = defaultdict(dict)
    for client_id, day, mg in session.execute(
        select(Dose.client_id, Dose.dose_day, func.sum(Dose.mg))
        .where(Dose.client_id.in_(ids), Dose.voided_at.is_(None))
        .group_by(Dose.client_id, Dose.dose_day)
    ):
        covered[client_id][day] = mg
    closed: dict[ClientId, set[date]] = defaultdict(set)
    for client_id, day in session.execute(
        select(DayOutcome.client_id, DayOutcome.dose_day).where(DayOutcome.client_id.in_(ids))
    ):
        closed[client_id].add(day)
    episodes = _by_client(session.scalars(select(Episode).where(Episode.client_id.in_(ids))))
    orders = _by_client(
        session.scalars(select(DoseOrder).where(DoseOrder.client_id.in_(ids), DoseOrder.voided_at.is_(None)))
    )
    held = set(session.scalars(select(Hold.client_id).where(Hold.client_id.in_(ids), Hold.released_at.is_(None))))
    return {
        number: _known_of(
            client_id,
            covered[client_id],
            closed[client_id],
            episodes.get(client_id, []),
            orders.get(client_id, []),
            held=client_id in held,
        )
        for number, client_id in clients
    }


def _by_client(rows: Iterable[Any]) -> dict[ClientId, list[Any]]:
    grouped: dict[ClientId, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.client_id].append(row)
    return grouped


def _known_of(
    client_id: ClientId,
    covered: dict[date, Any],
    closed: set[date],
    episodes: Sequence[Episode],
    orders: Sequence[DoseOrder],
    *,
    held: bool,
) -> Known:
    running = next((episode for episode in episodes if episode.ended_on is None), None)
    chain = sorted(
        (o for o in orders if running and o.episode_id == running.id), key=lambda o: o.days.lower or date.min
    )
    last, kept = None, ""
    if running and running.origin != "import":
        kept = f"is in treatment here since {running.began_on}: the clinic's own record goes on from there"
    elif running and (not chain or any(o.origin != "import" for o in chain) or chain[-1].end_reason != "as_written"):
        kept = "has orders that were written or ended here: the clinic's own record goes on from there"
    elif held:
        kept = "is held by a prescriber: release the hold first"
    elif chain and chain[-1].days.upper:
        last = LastOrder(chain[-1].id, chain[-1].days.upper, chain[-1].mg)
    ends = [episode.ended_on - timedelta(days=1) for episode in episodes if episode.ended_on]
    return Known(
        client_id,
        covered,
        frozenset(closed - covered.keys()),
        episode_id=running.id if running else None,
        last_order=last,
        last_day=max([*covered, *closed, *ends], default=None),
        kept_by_clinic=kept,
    )
