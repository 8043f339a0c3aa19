"""Tokens for programs: one's own, made after the password and shown once; all of a site, for its administrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff import factors, tokens
from dispensary.staff.entry_rules import LONGEST_TOKEN_DAYS
from dispensary.staff.rules import Actor
from dispensary.web.factor_acts import Proof, by_proof
from dispensary.web.forms import Form, one, secret, several
from dispensary.web.given import Clock, TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import acts_behind, requires_administrator, requires_sign_in
from dispensary.web.signed_in import address_of
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@get("/tokens", sync_to_thread=True, guards=[requires_sign_in])
def own_tokens(
    request: Request[Any, Any, Any],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One's own tokens, and a form for another one at this site."""
    return _own(request, database, actor, clock, done=done)


def _own(
    request: Request[Any, Any, Any],
    database: Database,
    actor: Actor,
    clock: Clock,
    *,
    done: str = "",
    made: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    assert actor.account_id is not None
    with database.reading() as session:
        kept = tokens.tokens(session, at=clock(), account_id=actor.account_id)
        asked_for = factors.asked_for(session, actor.account_id)
    shown = {name: value for name, value in (typed or {}).items() if name in ("name", "days", "scopes")}
    return page(
        "tokens.html",
        refused=refused,
        typed=shown,
        kept=kept,
        made=made,
        asked_for=asked_for,
        acts=[act.value for act in acts_behind(request.app, "/api") if actor.may(act)],
        done=done,
    )


@post("/tokens", sync_to_thread=True, guards=[requires_sign_in], status_code=200)
def make(
    request: Request[Any, Any, Any],
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    actor: TheActor,
    clock: TheClock,
) -> Template:
    """Makes one after the password (and the code of a second factor), and shows it on this answer alone."""
    now = clock()

    def act(session: WriteSession) -> str:
        with Typed(data) as typed:
            days = typed.whole("days", 1, LONGEST_TOKEN_DAYS)
        return tokens.make_token(
            session,
            actor=actor,
            name=one(data, "name"),
            scopes=several(data, "scopes"),
            offered=acts_behind(request.app, "/api"),
            days=days,
            at=now,
        )

    proof = Proof(secret(data, "password"), one(data, "code"), address_of(request, settings))
    try:
        made = by_proof(database, actor=actor, proof=proof, at=now, act=act)
    except Refused as refused:
        return _own(request, database, actor, clock, refused=refused, typed=data)
    return _own(request, database, actor, clock, made=made)


@post("/tokens/{token_id:uuid}/revoke", sync_to_thread=True, guards=[requires_sign_in])
def revoke_own(
    token_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Redirect:
    """It opens nothing any more."""
    now = clock()
    database.write(lambda session: tokens.revoke_token(session, actor=actor, token_id=token_id, at=now))
    return Redirect("/tokens?done=revoked", status_code=303)


@get("/office/tokens", sync_to_thread=True, guards=[requires_administrator])
def tokens_here(database: TheDatabase, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """Every token that works at this site: whose, what it may do, until when, and when it was used last."""
    with database.reading() as session:
        return page("office/tokens.html", kept=tokens.tokens(session, at=clock(), site_id=site.id), done=done)


@post("/office/tokens/{token_id:uuid}/revoke", sync_to_thread=True, guards=[requires_administrator])
def revoke_here(
    token_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """An administrator takes one back, whoever made it."""
    now = clock()
    database.write(lambda session: tokens.revoke_token(session, actor=actor, token_id=token_id, at=now))
    return Redirect("/office/tokens?done=revoked", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [own_tokens, make, revoke_own, tokens_here, revoke_here]
