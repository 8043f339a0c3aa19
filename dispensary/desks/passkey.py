"""Passkeys: signing in with one alone, proving with one, and one's own, made and taken away.

A browser asks here by script what to sign, and sends what was signed with a form, as all pages do. Without a script
one signs in by password and code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary import words
from dispensary.database import WriteSession
from dispensary.desks.factor import codes_page, proof_in, proof_page
from dispensary.desks.signin import came_in, door_page, own_path
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.settings import Settings
from dispensary.staff import passkeys
from dispensary.staff.passkey_rules import LONGEST_NAME, RelyingParty, relying_party
from dispensary.web.entering import enter_by_passkey
from dispensary.web.factor_acts import by_proof, registered
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheVisitor
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import address_of, half_cookie, presented_token, token_cookie

AnyRequest = Request[Any, Any, Any]


def _party(settings: Settings) -> RelyingParty:
    """For which address passkeys are. Raises NotThere where browsers make none for it."""
    party = relying_party(settings.public_base_url)
    if party is None:
        raise NotThere(
            Refusal(
                "no-passkeys",
                "Browsers make no passkeys for the address of this server.",
                "It needs a name, and https. Sign in with password and code.",
            )
        )
    return party


def _to_script(ask: Callable[[], dict[str, Any]]) -> Response[Any]:
    """What a script is told: what to sign, or why not, in the words that a person reads."""
    try:
        return Response(ask(), media_type=MediaType.JSON)
    except Refused as refused:
        said = " ".join(words.gettext(each) for each in (refused.first.sentence, refused.first.remedy) if each)
        return Response({"said": said}, status_code=refused.status, media_type=MediaType.JSON)


@post("/signin/passkey/ask", sync_to_thread=True, status_code=200)
def ask_to_sign_in(
    request: AnyRequest, data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """What a passkey is to sign so that its person comes in. Nobody is known yet."""

    def ask() -> dict[str, Any]:
        party = _party(settings)
        with database.writing() as session:
            return passkeys.ask_to_sign_in(session, party=party, address=address_of(request, settings), at=clock())

    return _to_script(ask)


@post("/signin/passkey", sync_to_thread=True)
def sign_in(
    request: AnyRequest, data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Signs in by what a passkey has signed, and leads on."""
    onward = own_path(one(data, "next"))
    try:
        entered = enter_by_passkey(
            database,
            party=relying_party(settings.public_base_url),
            credential=one(data, "credential"),
            address=address_of(request, settings),
            at=clock(),
            presented=presented_token(request),
        )
    except Refused as refused:
        return door_page(settings, onward, refused=refused)
    cookies = [token_cookie(entered.token, settings), half_cookie("", settings)]
    return came_in(database, entered, onward, cookies)


@post("/second-factor/prove", sync_to_thread=True, status_code=200, guards=[requires_sign_in])
def ask_to_prove(
    request: AnyRequest, data: Form, database: TheDatabase, settings: TheSettings, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """What one's own passkey is to sign in place of a code."""
    account_id = actor.account_id
    assert account_id is not None

    def ask() -> dict[str, Any]:
        party = _party(settings)
        with database.writing() as session:
            return passkeys.ask_to_prove(
                session, party=party, account_id=account_id, address=address_of(request, settings), at=clock()
            )

    return _to_script(ask)


@get("/second-factor/passkeys", sync_to_thread=True, guards=[requires_sign_in])
def before_passkey(database: TheDatabase, settings: TheSettings, actor: TheActor) -> Template:
    """Before a passkey is made one proves who one is, and says what the device is called."""
    _party(settings)
    return proof_page(database, settings, actor, "passkey")


@post("/second-factor/passkeys/ask", sync_to_thread=True, status_code=200, guards=[requires_sign_in])
def ask_to_register(
    request: AnyRequest, data: Form, database: TheDatabase, settings: TheSettings, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """After the proof: what a device is asked for a new passkey."""
    account_id, now = actor.account_id, clock()
    assert account_id is not None

    def ask() -> dict[str, Any]:
        party, proof = _party(settings), proof_in(request, data, settings)

        def act(session: WriteSession) -> dict[str, Any]:
            return passkeys.ask_to_register(session, party=party, account_id=account_id, address=proof.address, at=now)

        return by_proof(database, actor=actor, proof=proof, at=now, act=act)

    return _to_script(ask)


@post("/second-factor/passkeys", sync_to_thread=True, guards=[requires_sign_in])
def register(
    data: Form, database: TheDatabase, settings: TheSettings, who: TheVisitor, clock: TheClock
) -> Response[Any]:
    """Keeps the passkey that the device has made; with the first one come recovery codes, once."""
    try:
        codes = registered(
            database,
            actor=who.actor,
            party=relying_party(settings.public_base_url),
            credential=one(data, "credential"),
            name=one(data, "name")[:LONGEST_NAME],
            keep=who.token_digest,
            at=clock(),
        )
    except BadInput as refused:
        return proof_page(database, settings, who.actor, "passkey", refused=refused)
    return codes_page(codes, first=True) if codes else Redirect("/second-factor?done=passkey", status_code=303)


@get("/second-factor/passkeys/{passkey_id:uuid}/remove", sync_to_thread=True, guards=[requires_sign_in])
def before_removing(
    passkey_id: FromPath[UUID], database: TheDatabase, settings: TheSettings, actor: TheActor
) -> Template:
    """Before a passkey is taken away one proves who one is."""
    return proof_page(database, settings, actor, "remove-passkey", passkey_id=passkey_id)


@post("/second-factor/passkeys/{passkey_id:uuid}/remove", sync_to_thread=True, guards=[requires_sign_in])
def remove(
    passkey_id: FromPath[UUID],
    request: AnyRequest,
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    who: TheVisitor,
    clock: TheClock,
) -> Response[Any]:
    """Takes one of one's own passkeys away; other sign-ins of the account end."""
    now = clock()
    try:
        by_proof(
            database,
            actor=who.actor,
            proof=proof_in(request, data, settings),
            at=now,
            act=lambda session: passkeys.remove(
                session, actor=who.actor, passkey_id=passkey_id, keep=who.token_digest, at=now
            ),
        )
    except Refused as refused:
        return proof_page(database, settings, who.actor, "remove-passkey", refused=refused, passkey_id=passkey_id)
    return Redirect("/second-factor?done=passkey-removed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [
    ask_to_sign_in,
    sign_in,
    ask_to_prove,
    before_passkey,
    ask_to_register,
    register,
    before_removing,
    remove,
]
