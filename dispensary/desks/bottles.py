"""Bottles that are brought back to the counter: counted against what there must be, taken back, or sent home again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import func, select

from dispensary.clients.queries import Face, face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.window import AtCounter
from dispensary.prescribing.rules import MOST_PORTIONS
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.supplies.bringing import CAN_COME_BACK, Scan, scan_brought, tally, usually
from dispensary.supplies.full_bottles import awaiting
from dispensary.supplies.models import Bottle, BottleReturn, Recall
from dispensary.supplies.recalls import expected_by_portion, open_recall
from dispensary.supplies.returns import OutThere, bottles_lost, bottles_out
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.supplies.serials import bottle_code, spoken_serial
from dispensary.units import ClientId, DoseDay
from dispensary.web import bottle_acts
from dispensary.web.bottle_acts import Brought, recall_of
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

_MOST_OTHERS = 100
_FIELD = "bottle_"


@dataclass(frozen=True)
class Bottles:
    """What the client carries, what there must be, and what came back today."""

    face: Face
    ahead: Sequence[OutThere]
    """Of today and later; when bottles were called back from a later day on, of that day and later."""
    not_called: Sequence[OutThere]
    """Of today and later, which nobody called back: rightly full, and not counted."""
    past: Sequence[OutThere]
    """Of the days before today, which are empty when all is well."""
    recall: Recall | None
    expected: Mapping[int, int]
    """How many must be full, by how many portions of today have been taken: 0, and each of today's bottles."""
    destroyed_later: int
    back: Sequence[BottleReturn]
    counted: Recall | None
    """The recall that was closed today."""
    lost: Sequence[OutThere]
    """Reported lost; what has turned up again is taken back."""
    scanned: Bottle | None
    """The bottle whose label was scanned."""

    @property
    def due(self) -> list[tuple[UUID, date]]:
        """What is due back: the empties of the days before, and what was called back."""
        awaited = [*self.past, *(self.ahead if self.recall else ())]
        return [(bottle.bottle_id, bottle.day) for bottle in awaited]


@get("/counter/clients/{client_id:uuid}/bottles", sync_to_thread=True, guards=[requires_dispenser])
def bottles(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[bool] = False,
    bottle: FromQuery[UUID | None] = None,
) -> Template:
    """The bottles that the client has not brought back, the scanned one marked as brought. The look is written down."""
    return _page(AtCounter(database, actor, site, ClientId(client_id), clock()), done=done, scanned=bottle)


@post("/counter/clients/{client_id:uuid}/bottles/scan", sync_to_thread=True, guards=[requires_dispenser])
def scan(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The page again, with the bottle whose label was scanned marked and all that was chosen and typed kept."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())
    label, typed = one(data, "label"), {**data, "label": ""}
    if not label:
        nothing = Refusal("nothing-scanned", "Nothing was scanned.", "When all are marked, choose the button below.")
        return _page(here, typed=typed, scan=Scan(refusal=nothing))
    chosen = _chosen(data)

    def look(session: WriteSession) -> Scan:
        return scan_brought(
            session, actor=actor, client_id=here.client_id, text=label, chosen=chosen, today=here.today, at=here.now
        )

    try:
        said = database.write(look)
    except Refused as refused:
        said = Scan(refusal=refused.first)
    if said.bottle_id:
        typed[f"{_FIELD}{said.bottle_id}"] = said.content
    return _page(here, typed=typed, scanned=said.bottle_id, scan=said)


def _page(
    here: AtCounter,
    *,
    done: bool = False,
    scanned: UUID | None = None,
    scan: Scan | None = None,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    chosen = _chosen(typed or {})

    def read(session: ReadSession) -> Bottles:
        client_id, today = here.client_id, here.today
        face = face_at(session, site_id=here.site.id, client_id=client_id)
        found = session.scalar(select(Bottle).where(Bottle.id == scanned, Bottle.client_id == client_id))
        shown = [*chosen, *([found.id] if found else [])]
        first_shown = session.scalar(select(func.min(Bottle.dose_day)).where(Bottle.id.in_(shown)))
        shown_from = min(today - timedelta(days=LONGEST_SUPPLY), first_shown or today)
        out = bottles_out(session, client_id=client_id, first=DoseDay(shown_from))
        recall = open_recall(session, client_id=client_id)
        first = today if recall is None else max(today, recall.from_day)
        return Bottles(
            face=face,
            ahead=[bottle for bottle in out if bottle.day >= first],
            not_called=[bottle for bottle in out if today <= bottle.day < first],
            past=[bottle for bottle in out if bottle.day < today],
            recall=recall,
            expected=expected_by_portion(session, client_id=client_id, today=today, recall=recall),
            destroyed_later=len(awaiting(session, site_id=here.site.id)),
            back=_back_on(session, client_id, today),
            counted=_counted_on(session, here),
            lost=bottles_lost(session, client_id=client_id),
            scanned=found,
        )

    seen = here.sees(read, seen_on="bottles")
    if seen.scanned and scan is None and seen.scanned.state in CAN_COME_BACK:
        scan = Scan(seen.scanned.id, usually(seen.scanned.dose_day, today=here.today))
        typed = {f"{_FIELD}{seen.scanned.id}": scan.content}
        chosen = _chosen(typed)
    came = [each for each in seen.back if seen.recall or each.dose_day < here.today]
    return page(
        "counter/bottles.html",
        refused=refused,
        typed=typed,
        here_url=here.url,
        seen=seen,
        face=seen.face,
        today=here.today,
        done=done,
        scan=scan,
        came=len(came),
        tally=tally(seen.due, came=len(came), brought=chosen),
        usually=usually,
        spoken_serial=spoken_serial,
        bottle_code=bottle_code,
    )


def _chosen(typed: Mapping[str, Any]) -> dict[UUID, str]:
    """What each bottle is taken for on the page that was sent, but for what is no bottle."""
    chosen = {}
    for name in typed:
        if name.startswith(_FIELD) and (content := one(typed, name)) in ("full", "empty"):
            with suppress(ValueError):
                chosen[UUID(name.removeprefix(_FIELD))] = content
    return chosen


def _back_on(session: ReadSession, client_id: ClientId, day: date) -> Sequence[BottleReturn]:
    return session.scalars(
        select(BottleReturn)
        .where(BottleReturn.client_id == client_id, BottleReturn.returned_on == day)
        .order_by(BottleReturn.dose_day)
    ).all()


def _counted_on(session: ReadSession, here: AtCounter) -> Recall | None:
    began, _ = here.site.window_of(here.today)
    return session.scalar(
        select(Recall)
        .where(Recall.client_id == here.client_id, Recall.closed_at >= began)
        .order_by(Recall.closed_at.desc())
        .limit(1)
    )


@post("/counter/clients/{client_id:uuid}/bottles", sync_to_thread=True, guards=[requires_dispenser])
def bring(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Counts what was brought where it was called back, and takes back what stays here."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
            others = typed.whole_or_none("others_full", 0, _MOST_OTHERS)
            note = typed.text("note", most=LONGEST_NOTE, required=False)
            portions_taken = typed.whole_or_none("portions_taken", 0, MOST_PORTIONS)
            recall_id = typed.id("recall_id") if one(data, "recall_id") else None
        return bottle_acts.bring(
            session,
            actor=actor,
            client_id=here.client_id,
            recall_id=recall_id,
            brought=Brought(
                full=_brought(data),
                reason=reason,
                stay=one(data, "full_ones") != "go home",
                others_full=others or 0,
                portions_taken=portions_taken or 0,
                note=note,
            ),
            today=here.today,
            at=here.now,
        )

    return _goes_on(here, act, data)


def _brought(data: Mapping[str, Any]) -> dict[UUID, bool]:
    """The bottles that were brought, each full or empty. Raises BadInput for what the page did not have."""
    full = {}
    for name in data:
        state = one(data, name)
        if not name.startswith(_FIELD) or state not in ("full", "empty"):
            continue
        try:
            full[UUID(name.removeprefix(_FIELD))] = state == "full"
        except ValueError:
            raise BadInput(Refusal("no-id", "The page has lost what this is about.", "Open the page again.")) from None
    return full


@post(
    "/counter/clients/{client_id:uuid}/recalls/{recall_id:uuid}/call-off",
    sync_to_thread=True,
    guards=[requires_dispenser],
)
def end_recall(
    client_id: FromPath[UUID],
    recall_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a recall without a count, for a reason."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            note = typed.text("off_note", most=LONGEST_NOTE)
        recall_of(session, client_id=here.client_id, recall_id=recall_id)
        return bottle_acts.end_recall(session, actor=actor, recall_id=recall_id, note=note, at=here.now)

    return _goes_on(here, act, data)


def _goes_on(here: AtCounter, act: Any, data: Mapping[str, Any]) -> Response[Any]:
    return here.does(
        act,
        then=lambda _: f"{here.url}/bottles?done=true",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [bottles, scan, bring, end_recall]
