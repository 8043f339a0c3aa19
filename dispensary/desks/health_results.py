"""Entering a client's results, several at once, reading all values of a test, and correcting one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.desks.consulting import Consultation, about
from dispensary.desks.health import when
from dispensary.desks.health_record import GROUPS, Measured
from dispensary.desks.health_words import said_of
from dispensary.monitoring.analytes import Analyte, analytes
from dispensary.monitoring.heart import Formula
from dispensary.monitoring.result_models import HealthResult
from dispensary.monitoring.results import Measurement
from dispensary.monitoring.setting import laboratories
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.queries import names_of
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

LIMITS_ASKED = frozenset(("alt", "ast", "bilirubin"))
"""Tests that are judged by the laboratory's upper limit, so that it is asked for beside the value."""
LONGEST_VALUE = 40
OPEN_GROUPS = ("liver", "heart", "hiv")
"""Groups that are open in the form; the others open by a press."""


def measurements(typed: Mapping[str, Any]) -> list[Measurement]:
    """What was written into the form: of each test its value, unit and limit; a test left empty was not done."""
    formula = one(typed, "formula")
    return [
        Measurement(
            analyte=code,
            value=one(typed, code)[:LONGEST_VALUE],
            unit=one(typed, f"{code}_unit")[:LONGEST_VALUE],
            upper=one(typed, f"{code}_upper")[:LONGEST_VALUE] if code in LIMITS_ASKED else "",
            formula=Formula(formula) if code == "qtc" and formula in list(Formula) else None,
        )
        for code in analytes()
        if one(typed, code)
    ]


@get("/consulting/clients/{client_id:uuid}/health/results", sync_to_thread=True, guards=[requires_health_watcher])
def results_form(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    of: FromQuery[str] = "",
) -> Template:
    """Every test that can be entered, with `of` that group's first."""
    return _form_page(Consultation(database, actor, site, ClientId(client_id), clock()), of=of)


def _open_groups(first: str, typed: Mapping[str, Any], refused: Refused | None) -> frozenset[str]:
    """The groups that stand open: what is measured most, what was asked for, and wherever something was typed."""
    at_fault = {each.field for each in refused.refusals} if refused else set()
    used = {each.group for code, each in analytes().items() if one(typed, code) or code in at_fault}
    return frozenset({first, *OPEN_GROUPS, *used})


def _form_page(
    here: Consultation,
    *,
    of: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    record = here.opened(seen_on="results")
    with here.database.reading() as session:
        places = laboratories(session, site_id=here.site.id)
    groups: dict[str, list[Analyte]] = {name: [] for name in GROUPS}
    for each in analytes().values():
        groups[each.group].append(each)
    first = of if of in groups else GROUPS[0]
    return page(
        "consulting/results.html",
        refused=refused,
        typed=typed,
        groups={first: groups[first], **groups},
        first=first,
        open_groups=_open_groups(first, typed or {}, refused),
        limits_asked=LIMITS_ASKED,
        laboratories=places,
        formulas=list(Formula),
        asks_sure=bool(refused and any(each.code == "implausible" for each in refused.refusals))
        or one(typed or {}, "sure") == "yes",
        said=said_of(),
        **about(here.actor, record),
    )


@post("/consulting/clients/{client_id:uuid}/health/results", sync_to_thread=True, guards=[requires_health_watcher])
def enter(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Keeps the values and judges them at once. Refused, the form comes again with all that was typed."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            taken_on = typed.day("taken_on")
            place = typed.text("laboratory", most=120, required=False)
        return health_acts.enter(
            session,
            actor=actor,
            client_id=here.client_id,
            when=when(here),
            taken_on=taken_on,
            laboratory=place,
            measurements=measurements(data),
            sure=one(data, "sure") == "yes",
            key=key_of(data),
        )

    return here.does(act, then="/health?done=entered", else_again=lambda why: _form_page(here, refused=why, typed=data))


@dataclass(frozen=True)
class Entry:
    """What stands of one measurement, or that it was taken back, with what it replaced, the newest first."""

    now: HealthResult
    before: Sequence[HealthResult]

    @property
    def stands(self) -> bool:
        return self.now.number is not None or self.now.choice is not None


def entries_of(session: ReadSession, *, client_id: ClientId, analyte: str) -> list[Entry]:
    """Every measurement of a test, the newest first, those too that were taken back."""
    rows = session.scalars(
        select(HealthResult)
        .where(HealthResult.client_id == client_id, HealthResult.analyte == analyte)
        .order_by(HealthResult.taken_on.desc(), HealthResult.entered_at.desc(), HealthResult.id)
    ).all()
    by_id = {row.id: row for row in rows}
    replaced = {row.replaces for row in rows if row.replaces}
    found = []
    for row in rows:
        if row.id not in replaced:
            before, earlier = [], row.replaces
            while earlier is not None:
                before.append(by_id[earlier])
                earlier = by_id[earlier].replaces
            found.append(Entry(row, before))
    return found


@get(
    "/consulting/clients/{client_id:uuid}/health/tests/{code:str}",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def history(
    client_id: FromPath[UUID],
    code: FromPath[str],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """All values of one test, each with what it replaced and why, and the way to correct it."""
    return _history_page(Consultation(database, actor, site, ClientId(client_id), clock()), code, done=done)


def _history_page(
    here: Consultation,
    code: str,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
    correcting: UUID | None = None,
) -> Template:
    analyte = analytes().get(code)
    if analyte is None:
        raise NotThere(Refusal("no-test", "There is no such test.", "Open the client's health again."))
    record = here.opened(seen_on=f"results of {code}")
    with here.database.reading() as session:
        entries = entries_of(session, client_id=here.client_id, analyte=code)
        rows = [row for each in entries for row in (each.now, *each.before)]
        names = names_of(session, [row.entered_by for row in rows if row.entered_by])
        places = {each.laboratory.id: each.laboratory.name for each in laboratories(session, site_id=here.site.id)}
    standing = [each.now for each in reversed(entries) if each.stands]
    return page(
        "consulting/results_of_test.html",
        refused=refused,
        typed=typed,
        done=done,
        analyte=analyte,
        entries=entries,
        measured=Measured(analyte, standing) if standing else None,
        correcting=correcting,
        asks_sure=bool(refused and any(each.code == "implausible" for each in refused.refusals)),
        names=names,
        laboratory_names=places,
        said=said_of(),
        **about(here.actor, record),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/results/{result_id:uuid}/correct",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def correct(
    client_id: FromPath[UUID],
    result_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Puts another value in the place of one, or takes it back where none is written."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    code = one(data, "test")

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            back = one(data, "take_back") == "yes"
            value = typed.text("value", most=LONGEST_VALUE, required=not back)
            unit = typed.text("unit", most=LONGEST_VALUE, required=False)
            reason = typed.text("reason", most=LONGEST_NOTE)
        return health_acts.correct(
            session,
            actor=actor,
            client_id=here.client_id,
            when=when(here),
            result_id=result_id,
            value="" if back else value,
            unit="" if back else unit,
            reason=reason,
            sure=one(data, "sure") == "yes",
        )

    return here.does(
        act,
        then=f"/health/tests/{code if code in analytes() else ''}?done=corrected",
        else_again=lambda why: _history_page(here, code, refused=why, typed=data, correcting=result_id),
    )


HANDLERS: list[ControllerRouterHandler] = [results_form, enter, history, correct]
