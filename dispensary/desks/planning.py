"""The page on which a doctor plans several steps at once: proposed by the guideline, edited, signed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, about, client_page
from dispensary.desks.dosing import Basis, basis_of, bottles_of
from dispensary.desks.health_record import read_health
from dispensary.desks.health_words import said_of
from dispensary.desks.plan_form import (
    WEEK,
    Places,
    Written,
    beside_fields,
    kind_of,
    proposed_rows,
    read_aim,
    read_plan,
    row_of,
    rows_in,
    tidied,
)
from dispensary.desks.record import Record
from dispensary.prescribing.drafting import Said, faults_of_whole
from dispensary.prescribing.plans import TOPIC, PlanKind, propose, within
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.units import ClientId
from dispensary.web import planning_acts
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_prescriber
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed
from dispensary.words import weekday_names


@get("/consulting/clients/{client_id:uuid}/plan", sync_to_thread=True, guards=[requires_prescriber])
def plan_form(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    kind: FromQuery[str] = "",
) -> Template:
    """The kinds of plan and the few figures that one is proposed from."""
    return _Planning(Consultation(database, actor, site, ClientId(client_id), clock()), {"kind": kind}).page()


@post(
    "/consulting/clients/{client_id:uuid}/plan/propose",
    sync_to_thread=True,
    guards=[requires_prescriber],
    status_code=200,
)
def proposed(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """Dated steps by the site's guideline, to be edited. Nothing is kept yet."""
    return _Planning(Consultation(database, actor, site, ClientId(client_id), clock()), data).propose()


@post(
    "/consulting/clients/{client_id:uuid}/plan/look",
    sync_to_thread=True,
    guards=[requires_prescriber],
    status_code=200,
)
def looked_through(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """What the guideline says of the steps as they are now. Nothing is kept yet."""
    return _Planning(Consultation(database, actor, site, ClientId(client_id), clock()), data).page()


@post("/consulting/clients/{client_id:uuid}/plan", sync_to_thread=True, guards=[requires_prescriber])
def sign(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Signs the plan. Refused, the form comes again with each question beside its step and all that was typed."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    planning = _Planning(here, data)

    def act(session: WriteSession) -> object:
        written = read_plan(planning.typed, planning.kind)
        return planning_acts.sign(
            session,
            actor=actor,
            client_id=here.client_id,
            draft=written.draft,
            reason=written.reason,
            bottles=bottles_of(data),
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="?done=planned", else_again=lambda why: planning.page(refused=why))


@post(
    "/consulting/clients/{client_id:uuid}/plans/{plan_id:uuid}/stop", sync_to_thread=True, guards=[requires_prescriber]
)
def stop(
    client_id: FromPath[UUID],
    plan_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a plan: the dose stays what it is on the day before."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            last = typed.day_or_none("plan_until")
            reason = typed.text("plan_reason", most=LONGEST_NOTE)
            ending = planning_acts.Ending(
                from_day=typed.day("plan_from"),
                until_day=last + timedelta(days=1) if last else None,
                reason=reason,
                second_look=reason,
            )
        return planning_acts.stop(
            session,
            actor=actor,
            client_id=here.client_id,
            plan_id=plan_id,
            ending=ending,
            bottles=bottles_of(data, "plan_bottles"),
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="?done=plan-stopped", else_again=lambda why: client_page(here, refused=why, typed=data))


class _Planning:
    """The page for one client, with what was typed so far. The record is opened once it is shown."""

    def __init__(self, here: Consultation, data: Mapping[str, Any]) -> None:
        self.here = here
        self.kind = kind_of(data) or (PlanKind.INDUCTION if self.basis.first_dose else PlanKind.TITRATION)
        self.typed = tidied(data, self.kind)

    @cached_property
    def record(self) -> Record:
        return self.here.opened(seen_on="plan")

    @cached_property
    def basis(self) -> Basis:
        record = self.record
        with self.here.database.reading() as session:
            return basis_of(session, record, self.here.actor.site_id)

    def propose(self) -> Template:
        """Steps from the figures. What the guideline leaves open stays open, and is said."""
        try:
            aim = read_aim(self.typed, self.kind, self.basis.current_mg)
        except BadInput as refused:
            return self.page(refused=refused)
        guideline = self.basis.held.of(TOPIC[self.kind])
        made = within(propose(aim, self.basis.course, guideline), self.basis.longest)
        others = {name: value for name, value in self.typed.items() if not name.partition("_")[2].isdigit()}
        # A pattern needs a last day; four weeks of it are a beginning, to be changed like everything else here.
        until = (aim.first_day + timedelta(weeks=4, days=-1)).isoformat() if self.kind is PlanKind.WEEKDAYS else ""
        self.typed = {**others, "until_day": until, **proposed_rows(made, self.kind)}
        return self.page(note=made.note)

    def page(self, *, refused: Refused | None = None, note: str = "") -> Template:
        """The form, with the figures, the steps, and what is said of each."""
        written, unread = self._written()
        said = self._said(written)
        faults = list(refused.refusals if refused else unread)
        if not refused and written is not None and written.draft.steps:
            faults += [fault for one in said for fault in one.refusals]
            faults += faults_of_whole(written.draft, self.basis.held)
        draft = written.draft if written else None
        shown = beside_fields(faults, draft)
        beside: dict[int, list[Said]] = {}
        for number, one in enumerate(said):
            if draft is not None:
                beside.setdefault(row_of(draft, number), []).append(one)
        with self.here.database.reading() as session:
            health = read_health(session, place=self.here.site, record=self.record, now=self.here.now)
        shown_page = page(
            "consulting/plan.html",
            health=health,
            said=said_of(),
            refused=refused,
            typed=self.typed,
            basis=self.basis,
            kind=self.kind,
            kinds=list(PlanKind),
            places=list(Places),
            rows=WEEK if self.kind is PlanKind.WEEKDAYS and rows_in(self.typed) else rows_in(self.typed),
            weekdays=weekday_names("wide"),
            asks_outside=any(fault.field == "outside" for fault in shown) or bool(self.typed.get("outside")),
            beside={row: found[0] for row, found in beside.items()},
            guideline=self.basis.held.of(TOPIC[self.kind]),
            kind_topic=TOPIC[self.kind],
            note=note,
            signs=refused is not None,
            **about(self.here.actor, self.record),
        )
        shown_page.context["refusals"] = shown
        return shown_page

    def _written(self) -> tuple[Written | None, Sequence[Refusal]]:
        if not rows_in(self.typed):
            return None, ()
        try:
            return read_plan(self.typed, self.kind), ()
        except BadInput as unread:
            return None, unread.refusals

    def _said(self, written: Written | None) -> list[Said]:
        if written is None or self.record.episode is None:
            return []
        with self.here.database.reading() as session:
            return planning_acts.look(
                session,
                actor=self.here.actor,
                client_id=self.here.client_id,
                episode_id=self.record.episode.id,
                draft=written.draft,
            )


HANDLERS: list[ControllerRouterHandler] = [plan_form, proposed, looked_through, sign, stop]
