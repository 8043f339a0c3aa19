"""Everything that the page of one client shows, read at once."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.models import Client, Episode
from dispensary.clients.queries import photo_of
from dispensary.database import ReadSession
from dispensary.desks.strip import DAYS, Became, Strip, became, strip
from dispensary.monitoring.queries import conditions_of
from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.prescribing.queries import holds_of, orders_of, outcomes_of
from dispensary.staff.queries import names_of
from dispensary.supplies.models import Dose
from dispensary.supplies.queries import AtTheWindow, at_the_window
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.policy import Policy, parse
from dispensary.takehome.queries import decisions_of, last_assessment, policy_of
from dispensary.units import ClientId, DoseDay, SiteId
from notifications.queries import ContactDetails, contact_details


@dataclass(frozen=True)
class Record:
    """One client as a doctor or nurse sees them."""

    client: Client
    window: AtTheWindow
    """What the counter would say now."""
    today: DoseDay
    episode: Episode | None
    """The stay in treatment that runs, or the last one."""
    orders: Sequence[DoseOrder]
    """The newest first; those for later days too."""
    holds: Sequence[Hold]
    strip: Strip
    policy: Policy | None
    """What the site follows today."""
    assessment: Assessment | None
    """The newest."""
    decision: Decision | None
    """In force today."""
    decisions: Sequence[Decision]
    conditions: Sequence[str]
    """What is watched, such as `hiv`; only those who treat see this page."""
    contact: ContactDetails | None
    photo: str
    """As a data address, so that no second request shows a face that nobody wrote down as seen."""
    names: dict[UUID, str]
    """Of everybody who ordered, held, assessed or decided."""
    first_free_day: date
    """The first day from today on for which nothing was given and that is not closed: where a new order can begin."""

    @property
    def in_treatment(self) -> bool:
        return self.episode is not None and (self.episode.ended_on is None or self.episode.ended_on > self.today)

    @property
    def days_without(self) -> int:
        """Whole days without a dose up to yesterday; 0 once there is one for today."""
        return 0 if self.today in self.window.reading.moment.covered else self.window.days_without

    @property
    def order(self) -> DoseOrder | None:
        """In force today."""
        return next((order for order in self.orders if _holds(order, self.today)), None)

    @property
    def coming(self) -> list[DoseOrder]:
        """Orders that begin later, the soonest first."""
        return [o for o in reversed(self.orders) if o.days.lower is not None and o.days.lower > self.today]

    @property
    def past(self) -> list[DoseOrder]:
        return [o for o in self.orders if o.days.upper is not None and o.days.upper <= self.today]

    @property
    def decided(self) -> Decision | None:
        """The decision on the newest assessment, when there is one."""
        about = self.assessment.id if self.assessment else None
        return next((one for one in self.decisions if one.assessment_id == about and one.voided_at is None), None)


def _holds(order: DoseOrder, day: date) -> bool:
    first, end = order.days.lower, order.days.upper
    return first is not None and first <= day and (end is None or end > day)


def read_record(session: ReadSession, *, site_id: SiteId, client_id: ClientId, today: DoseDay) -> Record:
    """The whole record. Raises NotThere when the site has no such client."""
    window = at_the_window(session, site_id=site_id, client_id=client_id, today=today)
    client = session.get_one(Client, client_id)
    orders = orders_of(session, client_id=client_id)
    holds = holds_of(session, client_id=client_id, from_day=today)
    decisions = decisions_of(session, client_id)
    assessment = last_assessment(session, client_id)
    followed = policy_of(session, site_id, today)
    photo = photo_of(session, site_id=site_id, client_id=client_id) if window.face.has_photo else None
    people = {order.ordered_by for order in orders} | {hold.placed_by for hold in holds}
    people |= {one.decided_by for one in decisions} | {assessment.made_by if assessment else None}
    return Record(
        client=client,
        window=window,
        today=today,
        episode=session.scalar(
            select(Episode)
            .where(Episode.client_id == client_id, Episode.site_id == site_id)
            .order_by(Episode.began_on.desc())
            .limit(1)
        ),
        orders=orders,
        holds=holds,
        strip=_strip(session, client_id, orders, today),
        policy=parse(followed.document) if followed else None,
        assessment=assessment,
        decision=window.reading.decision,
        decisions=decisions,
        conditions=[condition.kind for condition in conditions_of(session, client_id=client_id)],
        contact=contact_details(session, vault=session.vault, recipient_id=client_id),
        photo="data:image/jpeg;base64," + b64encode(photo).decode() if photo else "",
        names=names_of(session, [one for one in people if one]),
        first_free_day=_first_free_day(window),
    )


def _first_free_day(window: AtTheWindow) -> date:
    moment = window.reading.moment
    day = DoseDay(moment.today + timedelta(days=1)) if moment.day_closed else moment.today
    while day in moment.covered:
        day = DoseDay(day + timedelta(days=1))
    return day


def _strip(session: ReadSession, client_id: ClientId, orders: Sequence[DoseOrder], today: date) -> Strip:
    first = today - timedelta(days=DAYS - 1)
    outcomes: dict[date, list[str]] = defaultdict(list)
    for frozen in outcomes_of(session, client_id=client_id, first=first, last=today):
        outcomes[frozen.dose_day].append(frozen.outcome)
    given: dict[date, list[str]] = defaultdict(list)
    doses = select(Dose.dose_day, Dose.kind).where(
        Dose.client_id == client_id, Dose.dose_day.between(first, today), Dose.voided_at.is_(None)
    )
    for taken_on, kind in session.execute(doses):
        given[taken_on].append(kind)
    state: dict[date, Became] = {}
    mg: dict[date, Decimal] = {}
    for day in (first + timedelta(days=n) for n in range(DAYS)):
        order = next((order for order in orders if _holds(order, day)), None)
        if order:
            mg[day] = order.mg
        state[day] = became(
            outcomes[day],
            given[day],
            len(order.portions) if order else 1,
            ordered=order is not None,
            passed=day < today,
        )
    return strip(first, state, mg)
