"""The treatments of a client as the counter needs them: how long the medicine lasts, and what is swallowed here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.monitoring.adherence import Fill, runs_out_on
from dispensary.monitoring.refill_rules import Supplied
from dispensary.monitoring.treatment_models import Medication, Refill, Treatment
from dispensary.units import ClientId, SiteId


@dataclass(frozen=True)
class CourseHere:
    """A treatment that runs, with the medicines of it that run."""

    treatment: Treatment
    medicines: Sequence[Medication]
    supplied: Supplied
    to_swallow: Sequence[UUID]
    """Medicines of which today's dose is swallowed here and was not yet; none where it is not observed."""

    @property
    def is_swallowed(self) -> bool:
        """Whether today's dose of all of it was swallowed here."""
        return self.treatment.observed and not self.to_swallow


def courses_here(
    session: ReadSession, *, site_id: SiteId, client_id: ClientId, today: date, next_day: date
) -> list[CourseHere]:
    """The client's treatments of this site that run, the first begun first; for most clients one statement.

    Only for those who treat, and for the counter.
    """
    rows = session.execute(
        select(Treatment, Medication)
        .join(Medication, Medication.treatment_id == Treatment.id)
        .where(Treatment.client_id == client_id, Treatment.site_id == site_id, Treatment.stopped_on.is_(None))
        .where(Medication.stopped_on.is_(None), Medication.started_on <= today)
        .order_by(Treatment.started_on, Treatment.id, Medication.substance)
    ).all()
    medicines: dict[UUID, list[Medication]] = defaultdict(list)
    treatments: dict[UUID, Treatment] = {}
    for treatment, medicine in rows:
        treatments[treatment.id] = treatment
        medicines[treatment.id].append(medicine)
    if not treatments:
        return []
    refills: dict[UUID, list[Refill]] = defaultdict(list)
    of_them = [medicine.id for _, medicine in rows]
    for refill in session.scalars(
        select(Refill)
        .where(Refill.medication_id.in_(of_them), Refill.voided_at.is_(None))
        .order_by(Refill.on_day, Refill.given_at)
    ):
        refills[refill.medication_id].append(refill)
    return [
        _course(treatment, medicines[id_], refills, today=today, next_day=next_day)
        for id_, treatment in treatments.items()
    ]


def _course(
    treatment: Treatment,
    medicines: Sequence[Medication],
    refills: dict[UUID, list[Refill]],
    *,
    today: date,
    next_day: date,
) -> CourseHere:
    own = {medicine.id: refills[medicine.id] for medicine in medicines}
    ends = [runs_out_on([Fill(each.on_day, each.days) for each in rows]) for rows in own.values()]
    home = [each for rows in own.values() for each in rows if not each.observed]
    last = max(home, key=lambda each: (each.on_day, each.given_at), default=None)
    supplied = Supplied(
        today=today,
        runs_out=min((end for end in ends if end is not None), default=None),
        next_day=next_day,
        last_days=last.days if last else None,
        observed=treatment.observed,
        never=tuple(each.substance for each in medicines if not own[each.id]) if any(own.values()) else (),
    )
    swallowed = {id_ for id_, rows in own.items() if any(each.observed and each.on_day == today for each in rows)}
    to_swallow = [id_ for id_ in own if id_ not in swallowed] if treatment.observed else []
    return CourseHere(treatment, medicines, supplied, to_swallow)
