"""Entry from outside: who came and is no client yet, what was assessed, and what whoever sent them may hear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.centres import SERVICES
from dispensary.care.intake_closing import Outcome, close_intake, waits_long
from dispensary.care.intake_consents import told_to, why_not_told
from dispensary.care.intake_services import services_of
from dispensary.care.intakes import (
    LONGEST_LINE,
    LONGEST_WORDS,
    Heard,
    Part,
    assess_part,
    correct_intake,
    intakes_open,
    parts_of,
    take_in,
    the_intake,
)
from dispensary.care.settings import reminders_of
from dispensary.clients.consent_rules import Information
from dispensary.clients.numbers import client_numbered
from dispensary.clients.queries import face_at
from dispensary.clients.rules import LONGEST_NAME, EntryRoute
from dispensary.database import Database, WriteSession
from dispensary.desks.consulting import Consultation, acts_of, plain_day
from dispensary.refusals import NotThere, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, DoseDay
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, named, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/intakes"
requires_intakes = requires(Act.ENROL)


@dataclass(frozen=True)
class AtIntakes:
    """Somebody of the staff, at this moment."""

    database: Database
    actor: Actor
    site: Place
    now: datetime

    @property
    def today(self) -> DoseDay:
        return self.site.dose_day(self.now)

    def listed(
        self, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
    ) -> Template:
        """The list, with what was refused and typed when something was. The look is written down."""
        with self.database.writing() as session:
            rows = intakes_open(session, site_id=self.site.id)
            days = reminders_of(session, self.site.id).intake_days
            if rows:
                details: dict[str, object] = {"list": "intakes", "clients": len(rows)}
                audit.record(
                    session,
                    actor=self.actor,
                    act="looked at list",
                    subject="site",
                    subject_id=self.site.id,
                    at=self.now,
                    details=details,
                )
        return page(
            "care/intakes.html",
            rows=rows,
            long={row.id for row, _, _ in rows if waits_long(row.came_on, self.today, days)},
            done=done,
            refused=refused,
            typed=typed,
            routes=list(EntryRoute),
            longest=LONGEST_LINE,
            longest_name=LONGEST_NAME,
            longest_words=LONGEST_WORDS,
            today=self.today,
            plain_day=plain_day,
            can=acts_of(self.actor),
        )

    def shown(
        self,
        intake_id: UUID,
        *,
        done: str = "",
        refused: Refused | None = None,
        typed: Mapping[str, Any] | None = None,
        meant: ClientId | None = None,
    ) -> Template:
        """One of them, with what was refused and typed when something was. The looks are written down.

        `meant` is a client of whom it is asked whether they are the same, before anything is sealed for them.
        """
        today = self.today
        with self.database.writing() as session:
            found = the_intake(session, site_id=self.site.id, intake_id=intake_id)
            hears = told_to(session, found.intake)
            silent = {
                kind: why_not_told(session, found.intake, kinds=frozenset({kind}), today=today, at=self.now)
                for kind in (Information.PRESENCE, Information.ATTENDANCE)
            }
            days = reminders_of(session, self.site.id).intake_days
            given = services_of(session, intake_id=intake_id)
            face = None
            if meant is not None:
                face = face_at(session, site_id=self.site.id, client_id=meant)
                looked_at(session, actor=self.actor, client_id=meant, at=self.now, page="how they came")
            audit.record(
                session,
                actor=self.actor,
                act="looked at intake",
                subject="intake",
                subject_id=intake_id,
                at=self.now,
                details={},
            )
        return page(
            "care/intake.html",
            found=found,
            given=given,
            hears=hears,
            done=done,
            refused=refused,
            typed=typed,
            services=SERVICES,
            silent=silent,
            long=waits_long(found.intake.came_on, today, days),
            days=days,
            meant=face,
            longest=LONGEST_LINE,
            longest_name=LONGEST_NAME,
            longest_words=LONGEST_WORDS,
            today=today,
            plain_day=plain_day,
            can=acts_of(self.actor),
        )


@get(HERE, sync_to_thread=True, guards=[requires_intakes])
def intakes(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """Who came and is not a client yet, the oldest first, and somebody new."""
    return AtIntakes(database, actor, site, clock()).listed(done=done)


@post(HERE, sync_to_thread=True, guards=[requires_intakes])
def add(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Writes down that somebody came."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> UUID:
        with Typed(data) as typed:
            heard = Heard(
                typed.text("name", most=LONGEST_NAME),
                typed.choice("route", EntryRoute),
                typed.text("reach", most=LONGEST_LINE, required=False),
                typed.text("words", most=LONGEST_WORDS, required=False),
                typed.text("referrer", most=LONGEST_LINE, required=False),
                typed.text("consent", most=LONGEST_LINE, required=False),
            )
        return take_in(session, actor=actor, heard=heard, today=site.dose_day(here.now), at=here.now).id

    return done_or_again(
        database,
        act,
        then=lambda intake_id: f"{HERE}/{intake_id}?done=taken",
        else_again=lambda why: here.listed(refused=why, typed=data),
    )


@get(f"{HERE}/{{intake_id:uuid}}", sync_to_thread=True, guards=[requires_intakes])
def intake(
    intake_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One of them: what they said, the three assessments, and what may be told. The look is written down."""
    return AtIntakes(database, actor, site, clock()).shown(intake_id, done=done)


@post(f"{HERE}/{{intake_id:uuid}}/parts", sync_to_thread=True, guards=[requires_intakes])
def part(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down an assessment, and the services that were offered for it."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            kind = typed.choice("part", Part)
            words = typed.text("part_words", most=LONGEST_WORDS)
        assess_part(
            session,
            actor=actor,
            intake_id=intake_id,
            part=kind,
            words=words,
            services=several(data, "services"),
            key=key_of(data),
            today=site.dose_day(here.now),
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done=part",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


@post(f"{HERE}/{{intake_id:uuid}}/correct", sync_to_thread=True, guards=[requires_intakes])
def correct(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Puts right what they are called, or how they can be reached."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            name = typed.text("name", most=LONGEST_NAME)
            reach = typed.text("reach", most=LONGEST_LINE, required=False)
        seen = (one(data, "seen_name"), one(data, "seen_reach"))
        correct_intake(session, actor=actor, intake_id=intake_id, name=name, reach=reach, seen=seen, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done=corrected",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


@post(f"{HERE}/{{intake_id:uuid}}/close", sync_to_thread=True, guards=[requires_intakes], status_code=200)
def close(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Closes it; what names them is wiped. Whoever was enrolled is named by a number, and shown before it is done."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> ClientId | None:
        """Closes it; or leaves it open, with the client of whom it is to be asked first whether they are the same."""
        with Typed(data) as typed:
            outcome = typed.choice("outcome", Outcome)
        client_id = None
        if outcome is Outcome.ENROLLED and (number := one(data, "number")):
            client_id = client_numbered(session, site_id=site.id, number=number, remedy="Enrol them.")
        if client_id is not None and client_id != named(data, "meant"):
            return client_id
        close_intake(session, actor=actor, intake_id=intake_id, outcome=outcome, client_id=client_id, at=here.now)
        return None

    try:
        meant = database.write(act)
    except NotThere:
        raise
    except Refused as refused:
        return here.shown(intake_id, refused=refused, typed=data)
    if meant is not None:
        return here.shown(intake_id, typed=data, meant=meant)
    return Redirect(f"{HERE}?done=closed", status_code=303)


@get(f"{HERE}/of/{{client_id:uuid}}", sync_to_thread=True, guards=[requires_intakes])
def of_client(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The assessments by which a client came, in their words of then."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    with database.writing() as session:
        face = face_at(session, site_id=site.id, client_id=here.client_id)
        parts = parts_of(session, client_id=here.client_id)
        looked_at(session, actor=actor, client_id=here.client_id, at=here.now, page="how they came")
    return page("care/came.html", face=face, parts_=parts, plain_day=plain_day, can=acts_of(actor))


HANDLERS: list[ControllerRouterHandler] = [intakes, add, intake, part, correct, close, of_client]
