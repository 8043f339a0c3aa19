"""A client at the counter's window: opened with the look written down, acted on, and who is seen again today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from litestar.response import Response, Template
from sqlalchemy import select

from dispensary.clients.guest_rules import StayState
from dispensary.clients.guests import StayShown, stays_of
from dispensary.clients.queries import Face, faces_on_papers
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.prescribing.models import Reduction
from dispensary.prescribing.sections import Counter
from dispensary.refusals import Refused
from dispensary.staff.countersign import Somebody, on_duty, who_can_stand_by
from dispensary.staff.models import Account
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.calls import prescribers
from dispensary.supplies.far_away import Heard, heard_of
from dispensary.supplies.guests import stay_state
from dispensary.supplies.queries import AtTheWindow, at_the_window
from dispensary.supplies.unusual import Unusual, awaiting_review, to_see_again
from dispensary.takehome.naloxone import offers_naloxone
from dispensary.units import ClientId, DoseDay, SiteId, plain
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from scheduling.models import Visit
from scheduling.queries import open_visit

Done = TypeVar("Done")


@dataclass(frozen=True)
class Opened:
    """What the counter sees of the client."""

    window: AtTheWindow
    agreed: tuple[Reduction, str] | None
    """Less than the order, as agreed by telephone, and with whom."""
    stays: Sequence[StayShown]
    """The client's guest stays that are not over, as far as the counter has to do with them."""
    is_guest: bool
    """Whether another site is the client's home."""
    heard: Heard | None
    """The satellite on a server of its own that may give this client doses, of which nobody here knows yet."""
    called: Visit | None
    """Their visit of today, when they were called to a window and are not known to be there."""
    offers_naloxone: bool
    """Whether they carry doses home, and have neither a kit nor said that they want none."""

    @property
    def asks_for_call(self) -> bool:
        """Whether the site's guideline gives less after a call that nobody has made yet."""
        ruling = self.window.ruling
        if self.is_guest:
            return False  # home's prescriber agrees to it, and home writes it down
        refused = {refusal.code for refusal in self.window.refusals}
        return ruling is not None and ruling.instruction == Counter.REDUCED_AFTER_CALL and "absent-call" in refused


def desk_of(actor: Actor) -> str:
    """At which desk the actor has the clients before them."""
    return "/counter" if actor.may(Act.DISPENSE) else "/consulting"


@dataclass(frozen=True)
class StandingBy:
    """Who may be called or stand by."""

    prescribers: Sequence[Somebody]
    seconds: Sequence[Somebody]
    """Who else can look at a loss."""
    needs_second: bool
    """Whether one of them is on duty, so that a loss is not written off alone."""


@dataclass(frozen=True)
class AtCounter:
    """Who works at the counter, when, and which client stands before them."""

    database: Database
    actor: Actor
    site: Place
    client_id: ClientId
    now: datetime

    @property
    def today(self) -> DoseDay:
        return self.site.dose_day(self.now)

    @property
    def url(self) -> str:
        return f"/counter/clients/{self.client_id}"

    def sees(self, read: Callable[[WriteSession], Done], *, seen_on: str) -> Done:
        """Reads something of the client, and writes down with it that somebody saw them, and on which page."""

        def look(session: WriteSession) -> Done:
            read_so = read(session)
            looked_at(session, actor=self.actor, client_id=self.client_id, at=self.now, page=seen_on)
            return read_so

        return self.database.write(look)

    def opened(self, session: ReadSession) -> Opened:
        """Reads the client as the counter sees them. Raises NotThere."""
        window = at_the_window(session, site_id=self.site.id, client_id=self.client_id, today=self.today, guests=True)
        decision = window.reading.decision
        return Opened(
            window=window,
            stays=self._stays(session) if window.there.stays else (),
            is_guest=window.reading.home_id != self.site.id,
            heard=heard_of(session, client_id=self.client_id) if window.there.stays else None,
            called=_called(session, self.site, self.client_id, self.now),
            agreed=_agreed(session, self.client_id) if window.reading.moment.reduction else None,
            offers_naloxone=bool(decision and decision.per_supply)
            and offers_naloxone(session, client_id=self.client_id, today=self.today),
        )

    def _stays(self, session: ReadSession) -> list[StayShown]:
        return [
            each
            for each in stays_of(session, client_id=self.client_id, until_after=self.today)
            if self.site.id in (each.stay.home_site_id, each.stay.guest_site_id)
            and stay_state(each.stay, self.today) in (StayState.ASKED, StayState.COMING, StayState.RUNNING)
        ]

    def standing_by(self, session: ReadSession, opened: Opened) -> StandingBy:
        """Who may be called about this client, and who can stand by a loss."""
        return StandingBy(
            prescribers=prescribers(session, site_id=opened.window.reading.home_id),
            seconds=who_can_stand_by(session, actor=self.actor),
            needs_second=bool(on_duty(session, actor=self.actor, at=self.now)),
        )

    def does(
        self,
        act: Callable[[WriteSession], Done],
        *,
        then: Callable[[Done], str],
        else_again: Callable[[Refused], Template],
    ) -> Response[Any]:
        """Does one act and goes on; refused, the page comes again with every reason and all that was typed."""
        return done_or_again(self.database, act, then=then, else_again=else_again)


def choices(people: Sequence[Somebody], *, only_one_is_chosen: bool = False) -> list[tuple[str, str]]:
    """People as a form's list has them; nobody is chosen before, unless there is only one who can be."""
    named = [(str(each.id), each.name) for each in people]
    return named if only_one_is_chosen and len(named) == 1 else [("", "–"), *named]


def amount(mg: str) -> str:
    """An amount that is kept as text, with its unit on one line: 62.5 mg."""
    return f"{plain(Decimal(mg))}\N{NO-BREAK SPACE}mg"


def _called(session: ReadSession, site: Place, client_id: ClientId, now: datetime) -> Visit | None:
    visit = open_visit(session, site.id, client_id, now.astimezone(ZoneInfo(site.zone)).date())
    return visit if visit is not None and visit.at_window is not None and visit.started_at is None else None


def _agreed(session: ReadSession, client_id: ClientId) -> tuple[Reduction, str] | None:
    row = session.execute(
        select(Reduction, Account.name)
        .join(Account, Account.id == Reduction.agreed_with)
        .where(Reduction.client_id == client_id, Reduction.ended_at.is_(None))
    ).one_or_none()
    return (row[0], row[1]) if row else None


@dataclass(frozen=True)
class SeenAgain:
    """A client whom the counter sees again today, or observes, and why."""

    one: Unusual
    face: Face


def seen_again(session: ReadSession, *, site_id: SiteId, today: DoseDay) -> list[SeenAgain]:
    """Whom the counter sees again: who was given a wrong dose first, then whose dose of today is still to be given."""
    found = [
        *awaiting_review(session, site_id=site_id, today=today),
        *to_see_again(session, site_id=site_id, day=today),
    ]
    known = faces_on_papers(session, {one.client_id for one in found})
    return [SeenAgain(one, known[one.client_id]) for one in found]
