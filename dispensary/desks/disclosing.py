"""What of a client may be told, and what was: their consents, the register's lines about them, a legal hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.consent_rules import LONGEST_WORDS, Asked, Information, RecipientKind, Revoked, Signed
from dispensary.clients.consent_words import endings, grounds, information, recipients
from dispensary.clients.consents import Agreed, consent_of, consents_of, revoke_consent, take_consent
from dispensary.clients.disclosing import Released, disclosures_of
from dispensary.clients.legal_hold_models import LegalHold
from dispensary.clients.legal_holds import held
from dispensary.clients.queries import Face, face_at
from dispensary.clients.telling import words_of
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.consulting import acts_of, plain_day
from dispensary.desks.window import AtCounter
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Act
from dispensary.supplies.printing.accounting import accounting_pdf
from dispensary.supplies.printing.consent_form import asked_by, consent_pdf, language_of
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import Typed

_PAGE = "/consulting/clients/{client_id:uuid}/disclosing"
requires_consent_taker = requires(Act.TAKE_CONSENT)


def url(client_id: ClientId) -> str:
    """A client's page of consents and disclosures."""
    return f"/consulting/clients/{client_id}/disclosing"


@dataclass(frozen=True)
class Sharing:
    """What stands on the page."""

    face: Face
    consents: list[Agreed]
    lines: list[Released]
    words: dict[UUID, str]
    """What was written of an emergency afterwards, by its line."""
    held: LegalHold | None


def _read(session: ReadSession, here: AtCounter) -> Sharing:
    face = face_at(session, site_id=here.site.id, client_id=here.client_id)
    lines = disclosures_of(session, client_id=here.client_id)
    return Sharing(
        face=face,
        consents=consents_of(session, client_id=here.client_id),
        lines=lines,
        words={line.release_id: words for line in lines if (words := words_of(session, release_id=line.release_id))},
        held=held(session, here.client_id),
    )


def sharing_page(
    here: AtCounter, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    """The page, with what was refused and typed when something was. The look is written down."""
    found = here.sees(lambda session: _read(session, here), seen_on="disclosing")
    return page(
        "disclosure/client.html",
        **said(here),
        face=found.face,
        holding=[one for one in found.consents if one.holds(here.today)],
        coming=[one for one in found.consents if one.rule.revoked_at is None and one.rule.from_day > here.today],
        ended=[
            one
            for one in found.consents
            if (not one.holds(here.today) and one.rule.from_day <= here.today) or one.rule.revoked_at is not None
        ],
        lines=found.lines,
        words=found.words,
        held=found.held,
        done=done if done in ("taken", "revoked", "written") else "",
        refused=refused,
        typed=typed,
    )


def said(here: AtCounter) -> dict[str, Any]:
    """What each of these pages is given."""
    return {
        "here_url": url(here.client_id),
        "today": here.today,
        "can": acts_of(here.actor),
        "kinds": information(),
        "recipients": recipients(),
        "recipient_choices": [(kind.value, word) for kind, word in recipients().items()],
        "endings": endings(),
        "grounds": grounds(),
        "plain_day": plain_day,
        "longest": LONGEST_WORDS,
    }


@get(_PAGE, sync_to_thread=True, guards=[requires_client_reader])
def disclosing(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """Which consents hold, what was told of the client and to whom, and whether their record is held."""
    return sharing_page(AtCounter(database, actor, site, ClientId(client_id), clock()), done=done)


def _asked(data: Mapping[str, Any]) -> Asked:
    with Typed(data) as typed:
        kinds = [Information(word) for word in several(data, "kinds") if word in list(Information)]
        return Asked(
            kinds=kinds,
            recipient_kind=typed.choice("recipient_kind", RecipientKind),
            recipient=typed.text("recipient", most=LONGEST_WORDS, required=False),
            purpose=typed.text("purpose", most=LONGEST_WORDS, required=False),
            from_day=typed.day("from_day"),
            until_day=typed.day_or_none("until_day"),
            until_event=typed.text("until_event", most=LONGEST_WORDS, required=False),
            signed=typed.choice("signed", Signed),
            signature=typed.text("signature", most=LONGEST_WORDS, required=False),
        )


def _form(here: AtCounter, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Template:
    face = here.sees(lambda s: face_at(s, site_id=here.site.id, client_id=here.client_id), seen_on="take consent")
    return page("disclosure/consent.html", **said(here), face=face, refused=refused, typed=typed)


@get(f"{_PAGE}/consent", sync_to_thread=True, guards=[requires_consent_taker])
def consent_form(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The form of a new consent."""
    return _form(AtCounter(database, actor, site, ClientId(client_id), clock()))


@post(f"{_PAGE}/consent", sync_to_thread=True, guards=[requires_consent_taker])
def add_consent(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Keeps a consent that the client has signed."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        return take_consent(
            session, actor=actor, client_id=here.client_id, asked=_asked(data), today=here.today, at=here.now
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{url(here.client_id)}?done=taken",
        else_again=lambda why: _form(here, refused=why, typed=data),
    )


@post(f"{_PAGE}/consent.pdf", sync_to_thread=True, guards=[requires_consent_taker], status_code=200)
def consent_to_sign(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The form on paper, to be signed; nothing is kept yet. How it is signed need not be said before."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def read(session: WriteSession) -> bytes:
        asked = _asked({**data, "signed": Signed.PAPER.value, "signature": "-"})
        if faults := asked.faults():
            raise Refused(*faults)
        face = face_at(session, site_id=site.id, client_id=here.client_id)
        _printed(session, here, "printed consent form")
        return consent_pdf(
            site=session.get_one(Site, site.id),
            face=face,
            asked=asked,
            language=language_of(session, here.client_id),
            printed_at=here.now,
        )

    try:
        return pdf(database.write(read), "consent.pdf")
    except Refused as refused:
        return _form(here, refused=refused, typed=data)


@get(f"{_PAGE}/consents/{{consent_id:uuid}}/form.pdf", sync_to_thread=True, guards=[requires_client_reader])
def consent_on_paper(
    client_id: FromPath[UUID],
    consent_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[bytes]:
    """A consent as it was taken, for the client to have."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def read(session: WriteSession) -> bytes:
        face = face_at(session, site_id=site.id, client_id=here.client_id)
        agreed = consent_of(session, client_id=here.client_id, consent_id=consent_id)
        _printed(session, here, "printed consent form")
        return consent_pdf(
            site=session.get_one(Site, site.id),
            face=face,
            asked=asked_by(agreed),
            language=language_of(session, here.client_id),
            printed_at=here.now,
            taken=agreed,
        )

    return pdf(database.write(read), "consent.pdf")


@post(f"{_PAGE}/consents/{{consent_id:uuid}}/revoke", sync_to_thread=True, guards=[requires_consent_taker])
def end_consent(
    client_id: FromPath[UUID],
    consent_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a consent at once."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            how = typed.choice("how", Revoked)
        return revoke_consent(
            session, actor=actor, client_id=here.client_id, consent_id=consent_id, how=how, at=here.now
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{url(here.client_id)}?done=revoked",
        else_again=lambda why: sharing_page(here, refused=why, typed={**data, "consent": str(consent_id)}),
    )


@get(f"{_PAGE}/account.pdf", sync_to_thread=True, guards=[requires_client_reader])
def account(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """Who was told what of the client, on paper for the client."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def read(session: WriteSession) -> bytes:
        content = accounting_pdf(
            session,
            site=session.get_one(Site, site.id),
            client_id=here.client_id,
            language=language_of(session, here.client_id),
            printed_at=here.now,
        )
        _printed(session, here, "printed account of disclosures")
        return content

    return pdf(database.write(read), "account.pdf")


def _printed(session: WriteSession, here: AtCounter, act: str) -> None:
    audit.record(session, actor=here.actor, act=act, subject="client", subject_id=here.client_id, at=here.now)


HANDLERS: list[ControllerRouterHandler] = [
    disclosing,
    consent_form,
    add_consent,
    consent_to_sign,
    consent_on_paper,
    end_consent,
    account,
]
