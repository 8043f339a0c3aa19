"""Everything that the page of one client shows, read at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.models import Client, Episode
from dispensary.clients.queries import photo_of
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import Said, said_of, wishes_of
from dispensary.database import ReadSession
from dispensary.desks.around import Around, around, who_treats
from dispensary.desks.happened import timeline_of
from dispensary.desks.timeline import USUAL, Timeline
from dispensary.monitoring.queries import conditions_of
from dispensary.prescribing.judging import longest_days
from dispensary.prescribing.models import DoseOrder, DosePlan, Hold
from dispensary.prescribing.queries import held_by, orders_of
from dispensary.staff.queries import Place, names_of
from dispensary.supplies.queries import AtTheWindow, at_the_window
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.policy import Policy, parse
from dispensary.takehome.queries import decisions_of, last_assessment, policy_of
from dispensary.units import AccountId, ClientId, DoseDay
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
    plans: dict[UUID, DosePlan]
    all_holds: Sequence[Hold]
    """The newest first; those that ended or were released too."""
    timeline: Timeline
    around: Around
    colleagues: Sequence[tuple[AccountId, str]]
    """Doctors and nurses of the site."""
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
    wishes: Wishes
    """Which texts they want."""
    wishes_said: Sequence[Said]
    photo: str
    """As a data address, so that no second request shows a face that nobody wrote down as seen."""
    names: dict[UUID, str]
    """Of everybody who ordered, held, assessed, decided, called back or noted something."""
    first_free_day: date
    """The first day from today on for which nothing was given and that is not closed: where a new order can begin."""
    longest_order: int | None
    """Days that one order may cover, where a guideline of the site limits it."""

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
        return next((order for order in self.orders if _on(order.days, self.today)), None)

    @property
    def newest_order(self) -> UUID | None:
        """The order that was written last. The ids of orders are in the order in which they were written."""
        return max((order.id for order in self.orders), default=None)

    @property
    def coming(self) -> list[DoseOrder]:
        """Orders that begin later, the next first."""
        return [order for order in reversed(self.orders) if order.days.lower and order.days.lower > self.today]

    @property
    def plan(self) -> DosePlan | None:
        """The plan by which the dose goes on: with steps to come, or with the order of today as its last."""
        follows = next((order for order in [*self.coming, self.order] if order and order.plan_id), None)
        return self.plans.get(follows.plan_id) if follows and follows.plan_id else None

    @property
    def planned(self) -> list[DoseOrder]:
        """The steps of that plan which are still to come."""
        return [order for order in self.coming if self.plan and order.plan_id == self.plan.id]

    @property
    def last_day(self) -> date | None:
        """The last day that an order from the first free day on may have; nothing where no guideline limits it."""
        return self.first_free_day + timedelta(days=self.longest_order - 1) if self.longest_order else None

    @property
    def past(self) -> list[DoseOrder]:
        """Orders that have ended, the newest first."""
        return [order for order in self.orders if order.days.upper and order.days.upper <= self.today]

    @property
    def holds(self) -> list[Hold]:
        """Those in force today or later, the first to begin first."""
        return [
            hold
            for hold in reversed(self.all_holds)
            if hold.released_at is None and (hold.days.upper is None or hold.days.upper > self.today)
        ]

    @property
    def earlier_holds(self) -> list[Hold]:
        """Those that ended or were released, the newest first."""
        return [hold for hold in self.all_holds if hold not in self.holds]


def _on(days: Range[date], day: date) -> bool:
    return (days.lower is None or days.lower <= day) and (days.upper is None or days.upper > day)


def read_record(
    session: ReadSession, *, place: Place, client_id: ClientId, today: DoseDay, months: int = USUAL
) -> Record:
    """The whole record, with the timeline of so many months. Raises NotThere when the site has no such client."""
    window = at_the_window(session, site_id=place.id, client_id=client_id, today=today)
    client = session.get_one(Client, client_id)
    orders = orders_of(session, client_id=client_id)
    holds = session.scalars(
        select(Hold).where(Hold.client_id == client_id).order_by(func.lower(Hold.days).desc())
    ).all()
    decisions = decisions_of(session, client_id)
    assessment = last_assessment(session, client_id)
    followed = policy_of(session, place.id, today)
    photo = photo_of(session, site_id=place.id, client_id=client_id) if window.face.has_photo else None
    plans = session.scalars(select(DosePlan).where(DosePlan.client_id == client_id)).all()
    besides = around(session, client_id=client_id, site_id=place.id, today=today)
    chart = timeline_of(
        session,
        place=place,
        client_id=client_id,
        orders=orders,
        decisions=decisions,
        holds=holds,
        today=today,
        months=months,
    )
    people: list[UUID | None] = [assessment.made_by if assessment else None]
    people += [order.ordered_by for order in orders] + [one.decided_by for one in decisions]
    people += [who for hold in holds for who in (hold.placed_by, hold.released_by)]
    people += [one.by for one in chart.happened] + [plan.signed_by for plan in plans]
    people += [besides.reduction.agreed_with] if besides.reduction else []
    return Record(
        client=client,
        window=window,
        today=today,
        episode=session.scalar(
            select(Episode)
            .where(Episode.client_id == client_id, Episode.site_id == place.id)
            .order_by(Episode.began_on.desc(), Episode.id.desc())
            .limit(1)
        ),
        orders=orders,
        plans={plan.id: plan for plan in plans},
        all_holds=holds,
        timeline=chart,
        around=besides,
        colleagues=who_treats(session, place.id),
        policy=parse(followed.document) if followed else None,
        assessment=assessment,
        decision=window.reading.decision,
        decisions=decisions,
        conditions=[one.kind for one in conditions_of(session, client_id=client_id) if one.ended_on is None],
        contact=contact_details(session, vault=session.vault, recipient_id=client_id),
        wishes=wishes_of(session, client_id),
        wishes_said=said_of(session, client_id),
        photo="data:image/jpeg;base64," + b64encode(photo).decode() if photo else "",
        names=names_of(session, [who for who in set(people) if who]),
        first_free_day=_first_free_day(window),
        longest_order=longest_days(held_by(session, site_id=place.id, day=today)),
    )


def _first_free_day(window: AtTheWindow) -> date:
    moment = window.reading.moment
    day = DoseDay(moment.today + timedelta(days=1)) if moment.day_closed else moment.today
    while day in moment.covered:
        day = DoseDay(day + timedelta(days=1))
    return day
