"""Handlers that the application of these tests has besides its own: one for each way to refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Template
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.models import Account
from dispensary.staff.rules import Act
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheDatabase
from dispensary.web.guards import requires, requires_prescriber
from dispensary.web.templating import page


@get("/api/whoami", sync_to_thread=True, guards=[requires_prescriber])
def whoami(actor: TheActor) -> dict[str, str]:
    return {"name": actor.name}


@get("/a-desk", sync_to_thread=True, guards=[requires_prescriber])
def a_desk() -> Template:
    return page("home.html", elsewhere=[])


@post(["/refuse", "/api/refuse"], sync_to_thread=True, guards=[requires(Act.ORDER)], status_code=200)
def refuse(kind: FromQuery[str], database: TheDatabase, site_code: FromQuery[str] = "KL") -> None:
    if kind == "refused":
        raise Refused(
            Refusal("already-covered", "The day is covered.", "Choose another day.", {"day": "2026-11-24"}, "day"),
            Refusal("no-order", "There is no order."),
        )
    if kind == "bad input":
        raise BadInput(Refusal("bad-amount", "Not an amount.", field="mg"))
    if kind == "not there":
        raise NotThere(Refusal("no-client", "No such client."))
    if kind == "unexpected":
        raise RuntimeError("Ahmad bin Ali was here")
    if kind == "lost database":
        raise OperationalError("SELECT secret", {}, Exception("server closed the connection"))
    with database.writing() as session:
        if kind == "constraint":
            again = Account(username="siti", name="x", initials="x", made_at=datetime.now(UTC))
            session.add(again)
            session.flush()
        if kind == "bad data":
            session.execute(text("SELECT :value || 'x'"), {"value": "a\x00b"})
        if kind == "waited":
            session.execute(text("SET LOCAL statement_timeout = 20"))
            session.execute(text("SELECT pg_sleep(2)"))


@post("/form", sync_to_thread=True, guards=[requires(Act.ORDER)], status_code=200)
def form(data: Form) -> dict[str, Any]:
    return {"one": one(data, "portion"), "several": several(data, "portion"), "none": one(data, "nothing")}


@post("/keyed", sync_to_thread=True, guards=[requires(Act.ORDER)], status_code=200)
def keyed(data: Form) -> str:
    return str(key_of(data))


@get("/api/typed", sync_to_thread=True, guards=[requires(Act.ORDER)])
def typed(number: FromQuery[int], when: FromQuery[datetime]) -> None: ...


HOUSE = [whoami, a_desk, refuse, form, keyed, typed]
