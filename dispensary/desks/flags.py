"""Stops and messages of a client: one page, which the counter and the consulting room open alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import Face, face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.window import AtCounter
from dispensary.refusals import Refused
from dispensary.staff.rules import Role
from dispensary.supplies.flags import (
    LONGEST_SENTENCE,
    Flag,
    clear_flag,
    clearable,
    flags_of,
    set_flag,
    who_may_own,
)
from dispensary.supplies.flags_rules import OWNERS, FlagKind, may_set
from dispensary.units import AccountId, ClientId
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

_CLEARED_SHOWN = timedelta(days=90)
"""How far back the page shows what was cleared."""
_ROLE = "role:"


def _page(
    here: AtCounter,
    desk: str,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    def read(session: ReadSession) -> tuple[Face, list[Flag], set[UUID], list[tuple[AccountId, str]]]:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        found = flags_of(session, client_id=here.client_id, cleared_since=here.now - _CLEARED_SHOWN)
        mine = {f.row.id for f in found if f.is_live and clearable(session, actor=here.actor, flag=f.row)}
        return face, found, mine, who_may_own(session, site_id=here.site.id)

    face, found, mine, people = here.sees(read, seen_on="flags")
    return page(
        "counter/flags.html",
        refused=refused,
        typed=typed,
        done=done if done in ("set", "cleared") else "",
        here_url=_url(desk, here),
        face=face,
        live=[flag for flag in found if flag.is_live],
        cleared=[flag for flag in found if not flag.is_live],
        mine=mine,
        kinds=[kind for kind in FlagKind if may_set(kind, here.actor.roles)],
        roles=[_ROLE + role for role in OWNERS],
        people=[(id, name) for id, name in people if id != here.actor.account_id],
        today=here.today,
        longest=LONGEST_SENTENCE,
    )


def _url(desk: str, here: AtCounter) -> str:
    """The client's page from which this one was opened."""
    return f"/{desk}/clients/{here.client_id}"


def _put(here: AtCounter, data: Mapping[str, Any], session: WriteSession) -> object:
    with Typed(data) as typed:
        kind = typed.choice("flag_kind", FlagKind)
        sentence = typed.text("flag_sentence", most=LONGEST_SENTENCE, required=False)
        from_day = typed.day_or_none("flag_from") or here.today
        last_day = typed.day_or_none("flag_last")
        owner = one(data, "flag_owner")
        role = next((each for each in Role if owner == _ROLE + each), None)
        owner_id = AccountId(typed.id("flag_owner")) if owner and role is None else None
    return set_flag(
        session,
        actor=here.actor,
        client_id=here.client_id,
        kind=kind,
        sentence=sentence,
        from_day=from_day,
        last_day=last_day,
        owner_id=owner_id,
        owner_role=role,
        today=here.today,
        at=here.now,
    )


def _at(desk: str) -> list[ControllerRouterHandler]:
    """The page and its two acts, as they are reached from a desk."""
    path = f"/{desk}/clients/{{client_id:uuid}}/flags"

    @get(path, sync_to_thread=True, guards=[requires_client_reader])
    def flags(
        client_id: FromPath[UUID],
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
        done: FromQuery[str] = "",
    ) -> Template:
        """What stops a dose or a bottle, what is to be said, and who clears it. The look is written down."""
        return _page(AtCounter(database, actor, site, ClientId(client_id), clock()), desk, done=done)

    @post(path, sync_to_thread=True, guards=[requires_client_reader])
    def put(
        client_id: FromPath[UUID],
        data: Form,
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
    ) -> Response[Any]:
        """Sets a flag; sent again it is found set."""
        here = AtCounter(database, actor, site, ClientId(client_id), clock())
        return here.does(
            lambda session: _put(here, data, session),
            then=lambda _: f"{_url(desk, here)}/flags?done=set",
            else_again=lambda why: _page(here, desk, refused=why, typed=data),
        )

    @post(f"{path}/{{flag_id:uuid}}/clear", sync_to_thread=True, guards=[requires_client_reader])
    def clear(
        client_id: FromPath[UUID],
        flag_id: FromPath[UUID],
        data: Form,
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
    ) -> Response[Any]:
        """Clears a flag for a reason; its owner alone does."""
        here = AtCounter(database, actor, site, ClientId(client_id), clock())

        def act(session: WriteSession) -> object:
            with Typed(data) as typed:
                reason = typed.text("clear_reason", most=LONGEST_NOTE, required=False)
            return clear_flag(
                session, actor=actor, client_id=here.client_id, flag_id=flag_id, reason=reason, at=here.now
            )

        return here.does(
            act,
            then=lambda _: f"{_url(desk, here)}/flags?done=cleared",
            else_again=lambda why: _page(here, desk, refused=why, typed=data),
        )

    return [flags, put, clear]


HANDLERS: list[ControllerRouterHandler] = [*_at("counter"), *_at("consulting")]
