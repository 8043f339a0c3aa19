"""One's own second factor: an authenticator that makes codes, the recovery codes beside it, and taking it away."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from markupsafe import Markup

from dispensary.database import Database
from dispensary.desks.signin import own_path
from dispensary.refusals import BadInput, Refused
from dispensary.settings import Settings
from dispensary.staff import factors, passkeys
from dispensary.staff.factor_rules import WORTH_TELLING, address_of_secret, in_groups
from dispensary.staff.factors import Begun
from dispensary.staff.models import Account
from dispensary.staff.passkey_rules import relying_party
from dispensary.staff.rules import Actor
from dispensary.staff.sessions import SignedIn
from dispensary.supplies.printing.qr import qr_svg
from dispensary.web.factor_acts import Proof, by_proof, confirm
from dispensary.web.forms import Form, named, one, secret
from dispensary.web.given import Clock, TheActor, TheClock, TheDatabase, TheSettings, TheVisitor
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import address_of
from dispensary.web.templating import page

AnyRequest = Request[Any, Any, Any]


@get("/second-factor", sync_to_thread=True, guards=[requires_sign_in])
def second_factor(
    database: TheDatabase,
    settings: TheSettings,
    actor: TheActor,
    done: FromQuery[str] = "",
    next: FromQuery[str] = "/",
) -> Template:
    """What one has beside the password, and what can be changed of it."""
    assert actor.account_id is not None
    with database.reading() as session:
        return page(
            "second_factor.html",
            has=factors.has(session, actor.account_id),
            was_reset=factors.was_reset(session, actor.account_id),
            passkeys=passkeys.passkeys_of(session, actor.account_id),
            can_have_passkeys=relying_party(settings.public_base_url) is not None,
            wrong=factors.wrong_lately(session, actor.account_id, sign_ins_ago=1),
            telling=WORTH_TELLING,
            done=done,
            next=own_path(next),
        )


def proof_in(request: AnyRequest, data: Form, settings: Settings) -> Proof:
    """What a form holds to prove that the account is theirs who send it."""
    return Proof(
        secret(data, "password"),
        one(data, "code"),
        address_of(request, settings),
        one(data, "credential"),
        relying_party(settings.public_base_url),
    )


def proof_page(
    database: Database, settings: Settings, actor: Actor, what: str, *, refused: Refused | None = None, **context: Any
) -> Template:
    """Where one proves that the account is one's own, for one act: `what` names it to the template."""
    assert actor.account_id is not None
    with database.reading() as session:
        has = factors.has(session, actor.account_id)
    by_passkey = has.passkeys > 0 and relying_party(settings.public_base_url) is not None
    return page("second_factor_proof.html", refused=refused, what=what, has=has, by_passkey=by_passkey, **context)


@get("/second-factor/app", sync_to_thread=True, guards=[requires_sign_in])
def before_app(database: TheDatabase, settings: TheSettings, actor: TheActor) -> Template:
    """Before an authenticator is set up one proves who one is."""
    return proof_page(database, settings, actor, "app")


@post("/second-factor/app", sync_to_thread=True, guards=[requires_sign_in])
def begin(
    request: AnyRequest,
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    who: TheVisitor,
    clock: TheClock,
) -> Template:
    """After the proof the secret is shown, as a picture and as letters, on this page and on no other."""
    account_id, now = who.actor.account_id, clock()
    assert account_id is not None
    try:
        found = by_proof(
            database,
            actor=who.actor,
            proof=proof_in(request, data, settings),
            at=now,
            act=lambda session: factors.begin_authenticator(session, account_id=account_id, at=now),
        )
    except Refused as refused:
        return proof_page(database, settings, who.actor, "app", refused=refused)
    return _app_page(database, who, found)


def _app_page(database: Database, who: SignedIn, found: Begun, refused: Refused | None = None) -> Template:
    with database.reading() as session:
        username = session.get_one(Account, who.actor.account_id).username
    address = address_of_secret(found.secret, username=username, site=who.site.code)
    return page(
        "second_factor_app.html",
        refused=refused,
        begun=found.id,
        secret=in_groups(found.secret),
        qr=Markup(qr_svg(address)),  # noqa: S704 - drawn by ourselves, and holds no text
    )


@post("/second-factor/app/confirm", sync_to_thread=True, guards=[requires_sign_in])
def confirm_app(
    request: AnyRequest,
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    who: TheVisitor,
    clock: TheClock,
) -> Template:
    """The authenticator shows a code: from now on it is asked for. The recovery codes are shown, once."""
    now, begun_id = clock(), named(data, "begun")
    try:
        codes = confirm(
            database,
            actor=who.actor,
            address=address_of(request, settings),
            at=now,
            act=lambda session: factors.confirm_authenticator(
                session, actor=who.actor, begun_id=begun_id, typed=one(data, "code"), keep=who.token_digest, at=now
            ),
        )
    except Refused as refused:
        return _again(database, settings, who, data, refused, clock)
    return codes_page(codes, first=True)


def _again(
    database: Database, settings: Settings, who: SignedIn, data: Form, refused: Refused, clock: Clock
) -> Template:
    """The same picture again for a code that did not fit, to whoever holds the page; else the page before it."""
    assert who.actor.account_id is not None
    try:
        with database.reading() as session:
            found = factors.begun(session, account_id=who.actor.account_id, begun_id=named(data, "begun"), at=clock())
    except BadInput:
        return proof_page(database, settings, who.actor, "app", refused=refused)
    return _app_page(database, who, found, refused)


def codes_page(codes: list[str], *, first: bool) -> Template:
    """The recovery codes, to be printed or written down: no other page shows them again."""
    return page("second_factor_codes.html", codes=codes, first=first)


@get("/second-factor/codes", sync_to_thread=True, guards=[requires_sign_in])
def before_codes(database: TheDatabase, settings: TheSettings, actor: TheActor) -> Template:
    """Before new recovery codes are made one proves who one is."""
    return proof_page(database, settings, actor, "codes")


@post("/second-factor/codes", sync_to_thread=True, guards=[requires_sign_in])
def new_codes(
    request: AnyRequest,
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    actor: TheActor,
    clock: TheClock,
) -> Template:
    """Ten new recovery codes, for whoever has used or lost theirs."""
    now = clock()
    try:
        codes = by_proof(
            database,
            actor=actor,
            proof=proof_in(request, data, settings),
            at=now,
            act=lambda session: factors.new_recovery_codes(session, actor=actor, at=now),
        )
    except Refused as refused:
        return proof_page(database, settings, actor, "codes", refused=refused)
    return codes_page(codes, first=False)


@get("/second-factor/remove", sync_to_thread=True, guards=[requires_sign_in])
def before_removing(database: TheDatabase, settings: TheSettings, actor: TheActor) -> Template:
    """Before the authenticator is taken away one proves who one is."""
    return proof_page(database, settings, actor, "remove")


@post("/second-factor/remove", sync_to_thread=True, guards=[requires_sign_in])
def remove(
    request: AnyRequest,
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    who: TheVisitor,
    clock: TheClock,
) -> Response[Any]:
    """Takes one's own authenticator away; other sign-ins of the account end."""
    now = clock()
    try:
        by_proof(
            database,
            actor=who.actor,
            proof=proof_in(request, data, settings),
            at=now,
            act=lambda session: factors.take_away_authenticator(
                session, actor=who.actor, keep=who.token_digest, at=now
            ),
        )
    except Refused as refused:
        return proof_page(database, settings, who.actor, "remove", refused=refused)
    return Redirect("/second-factor?done=removed", status_code=303)


@post("/second-factor/known", sync_to_thread=True, guards=[requires_sign_in])
def known(data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Redirect:
    """One has read that an administrator took the second factor away."""
    with database.writing() as session:
        factors.knows_of_reset(session, actor=actor, at=clock())
    return Redirect(f"/second-factor?next={quote(own_path(one(data, 'next')))}", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [
    second_factor,
    before_app,
    begin,
    confirm_app,
    before_codes,
    new_codes,
    before_removing,
    remove,
    known,
]
