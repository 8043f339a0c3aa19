"""The office's page of what the site prints: the law, the label's fields and languages, the printer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale
from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.models import Site
from dispensary.staff.queries import Place
from dispensary.supplies.paper import LONGEST_DIRECTIONS, Dilution, LabelSize, Paper, Printer, change_paper, paper_of
from dispensary.supplies.printing.law import Field, laws
from dispensary.units import Millilitres
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import catalogues

_OPTIONAL = tuple(field for field in Field if field is not Field.NAME)


@get("/office/paper", sync_to_thread=True, guards=[requires_administrator])
def paper_form(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """The form, as the site prints now."""
    return _paper_page(database, site, done=done)


def _paper_page(
    database: Database,
    here: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        kept = paper_of(session, session.get_one(Site, here.id))
    return page(
        "office/paper.html",
        kept=kept,
        laws=laws(),
        optional=_OPTIONAL,
        languages=[(code, Locale.parse(code).get_display_name("en") or code) for code in catalogues()],
        longest=LONGEST_DIRECTIONS,
        chosen=several(typed, "fields") if typed is not None else [field.value for field in kept.fields],
        done=done,
        refused=refused,
        typed=typed,
    )


@post("/office/paper", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is set; the next label and the next register follow it."""

    def act(session: WriteSession) -> None:
        paper = _asked(data)
        change_paper(session, actor=actor, site=session.get_one(Site, site.id), paper=paper, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _paper_page(database, site, refused=refused, typed=data)
    return Redirect("/office/paper?done=changed", status_code=303)


def _asked(data: Mapping[str, Any]) -> Paper:
    """What was chosen. Raises BadInput for what is no choice of the page."""
    law = laws().get(one(data, "law"))
    with Typed(data) as typed:
        size = typed.choice("size", LabelSize)
        printer = typed.choice("printer", Printer)
        volume = typed.millilitres("dilution_ml") if one(data, "dilution_ml") else None
        with_what = typed.text("dilution_with", most=60, required=False)
        source = typed.text("dilution_source", most=200, required=False)
    if law is None:
        raise BadInput(Refusal("no-choice", "Nothing was chosen here.", "Choose one.", field="law"))
    second = one(data, "second")
    return Paper(
        law=law,
        named=one(data, "named") == "yes",
        second_identifier=one(data, "second_identifier") == "yes",
        languages=tuple(filter(None, (one(data, "first"), second))),
        fields=frozenset(field for field in _OPTIONAL if field.value in several(data, "fields")),
        directions={code: one(data, f"directions-{code}") for code in catalogues()},
        size=size,
        printer=printer,
        dilution=_dilution(volume, with_what, source),
    )


def _dilution(volume: Millilitres | None, with_what: str, source: str) -> Dilution | None:
    return Dilution(volume, with_what, source) if volume is not None else None


HANDLERS: list[ControllerRouterHandler] = [paper_form, change]
