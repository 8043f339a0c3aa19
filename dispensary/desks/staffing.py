"""The office's pages of who works at the site: accounts, their roles, invitations, and those who left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from markupsafe import Markup

from dispensary.database import Database, WriteSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.settings import Settings
from dispensary.staff import factors, invitations, pins
from dispensary.staff.accreditations import accreditations_of
from dispensary.staff.entry_rules import DORMANT_DAYS, GLASS_HOURS, INVITED_DAYS, Entry, spelled
from dispensary.staff.entry_settings import entry_of, set_entry
from dispensary.staff.leaving import last_ones
from dispensary.staff.presence import presences
from dispensary.staff.queries import Colleague, Place, colleagues
from dispensary.staff.rules import Actor, Role
from dispensary.staff.service import close_account, grant, revoke
from dispensary.supplies.printing.qr import qr_svg
from dispensary.units import AccountId
from dispensary.web.forms import Form, one, several
from dispensary.web.given import Clock, TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@get("/office/staff", sync_to_thread=True, guards=[requires_administrator])
def staff(database: TheDatabase, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """Everybody with a role here, those who left last, who has not come for long, and a form for somebody new."""
    return _staff_page(database, site, clock, done=done)


def _staff_page(
    database: Database,
    site: Place,
    clock: Clock,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        people = colleagues(session, site.id)
        present = presences(session, people, site_id=site.id, at=clock())
        entry = entry_of(session, site_id=site.id)
    return page(
        "office/staff.html",
        refused=refused,
        typed=typed,
        people=people,
        present=present,
        asleep=[person for person in people if person.id in present and present[person.id].asleep],
        entry=entry,
        roles=[role.value for role in Role],
        done=done,
    )


def _roles(data: Mapping[str, Any]) -> set[Role]:
    return {Role(role) for role in several(data, "roles") if role in list(Role)}


@post("/office/staff", sync_to_thread=True, guards=[requires_administrator])
def add(
    data: Form, database: TheDatabase, settings: TheSettings, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Makes an account with its roles, and shows, once, the code by which its person chooses the password."""
    now = clock()
    try:
        account, code = database.write(
            lambda session: invitations.hire(
                session,
                actor=actor,
                site_id=site.id,
                username=one(data, "username"),
                name=one(data, "name"),
                initials=one(data, "initials"),
                roles=_roles(data),
                at=now,
            )
        )
    except Refused as refused:
        return _staff_page(database, site, clock, refused=refused, typed=data)
    return _invitation_page(database, site, settings, AccountId(account.id), code, clock)


def _invitation_page(
    database: Database, site: Place, settings: Settings, account_id: AccountId, code: str, clock: Clock
) -> Template:
    """The code as a QR, as a link and in letters. It is on this answer and nowhere else."""
    person = _colleague(database, site, account_id)
    with database.reading() as session:
        until = presences(session, [person], site_id=site.id, at=clock())[account_id].invited_until
    link = f"{settings.public_base_url}/invited#{spelled(code)}"
    return page(
        "office/invitation.html",
        person=person,
        code=spelled(code),
        link=link,
        qr=Markup(qr_svg(link)),  # noqa: S704 - drawn by ourselves from our own address and a code of letters
        until=until,
    )


@post("/office/staff/entry", sync_to_thread=True, guards=[requires_administrator])
def change_entry(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes the site's figures: for how long an invitation opens, and after how long an account is shown."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            wanted = Entry(
                invited_days=typed.whole("invited_days", *INVITED_DAYS),
                dormant_days=typed.whole("dormant_days", *DORMANT_DAYS),
                glass_hours=typed.whole("glass_hours", *GLASS_HOURS),
            )
        set_entry(session, actor=actor, wanted=wanted, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _staff_page(database, site, clock, refused=refused, typed=data)
    return Redirect("/office/staff?done=entry", status_code=303)


@get("/office/staff/{account_id:uuid}", sync_to_thread=True, guards=[requires_administrator])
def account(
    account_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One account: its roles here, how its person comes to a password, when they were here, and its end."""
    return account_page(database, site, account_id, clock, actor=actor, done=done)


def account_page(
    database: Database,
    site: Place,
    account_id: UUID,
    clock: Clock,
    *,
    actor: Actor,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """The page of one account, with what was refused and typed when something was."""
    person = _colleague(database, site, account_id)
    with database.reading() as session:
        has_pin = pins.has_pin(session, person.id)
        has_factor = factors.asked_for(session, person.id)
        seen = presences(session, [person], site_id=site.id, at=clock()).get(person.id)
        alone = last_ones(session, actor=actor, account_id=person.id)
        accredited = accreditations_of(session, account_id=person.id, site_id=site.id)
    return page(
        "office/account.html",
        refused=refused,
        typed=typed,
        accredited=accredited,
        today=site.dose_day(clock()),
        person=person,
        seen=seen,
        has_pin=has_pin,
        has_factor=has_factor,
        roles=[role.value for role in Role],
        alone=alone,
        site_id=site.id,
        own=actor.account_id == account_id,
        done=done,
    )


def _colleague(database: Database, site: Place, account_id: UUID) -> Colleague:
    with database.reading() as session:
        found = next((each for each in colleagues(session, site.id) if each.id == account_id), None)
    if found is None:
        raise NotThere(Refusal("no-account", "There is no such account at this site.", "Look at the list again."))
    return found


@post("/office/staff/{account_id:uuid}/roles", sync_to_thread=True, guards=[requires_administrator])
def set_roles(
    account_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Gives the account the ticked roles at this site, and takes the others back, at once."""
    now = clock()
    has, wanted = _colleague(database, site, account_id).roles, _roles(data)

    def act(session: WriteSession) -> None:
        for role in sorted(wanted - has):
            grant(session, actor=actor, account_id=AccountId(account_id), site_id=site.id, role=role, at=now)
        for role in sorted(has - wanted):
            revoke(session, actor=actor, account_id=AccountId(account_id), site_id=site.id, role=role, at=now)

    try:
        database.write(act)
    except Refused as refused:
        return account_page(database, site, account_id, clock, actor=actor, refused=refused)
    then = f"/office/staff/{account_id}?done=roles" if wanted else "/office/staff?done=roles"
    return Redirect(then, status_code=303)


@post("/office/staff/{account_id:uuid}/invite", sync_to_thread=True, guards=[requires_administrator])
def invite(
    account_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """A new code for somebody who has no password (any more), in place of the one before; shown once."""
    now = clock()
    _colleague(database, site, account_id)
    try:
        code = database.write(
            lambda session: invitations.invite(
                session, actor=actor, site_id=site.id, account_id=AccountId(account_id), at=now
            )
        )
    except Refused as refused:
        return account_page(database, site, account_id, clock, actor=actor, refused=refused)
    return _invitation_page(database, site, settings, AccountId(account_id), code, clock)


@post("/office/staff/{account_id:uuid}/take-back", sync_to_thread=True, guards=[requires_administrator])
def take_back(
    account_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The code that was handed over opens nothing any more."""
    now = clock()
    _colleague(database, site, account_id)
    try:
        database.write(
            lambda session: invitations.take_back(session, actor=actor, account_id=AccountId(account_id), at=now)
        )
    except Refused as refused:
        return account_page(database, site, account_id, clock, actor=actor, refused=refused)
    return Redirect(f"/office/staff/{account_id}?done=taken-back", status_code=303)


@post("/office/staff/{account_id:uuid}/remove-pin", sync_to_thread=True, guards=[requires_administrator])
def remove_pin(
    account_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes the account's PIN away; its person alone sets a new one."""
    _colleague(database, site, account_id)
    now = clock()
    try:
        database.write(lambda session: pins.remove_pin(session, actor=actor, account_id=AccountId(account_id), at=now))
    except Refused as refused:
        return account_page(database, site, account_id, clock, actor=actor, refused=refused)
    return Redirect(f"/office/staff/{account_id}?done=pin", status_code=303)


@post("/office/staff/{account_id:uuid}/reset-factor", sync_to_thread=True, guards=[requires_administrator])
def reset_factor(
    account_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes away the second factor of somebody who has lost it, and signs them out; they are told so."""
    _colleague(database, site, account_id)
    now = clock()
    try:
        database.write(lambda session: factors.reset(session, actor=actor, account_id=AccountId(account_id), at=now))
    except Refused as refused:
        return account_page(database, site, account_id, clock, actor=actor, refused=refused)
    return Redirect(f"/office/staff/{account_id}?done=factor", status_code=303)


@post("/office/staff/{account_id:uuid}/close", sync_to_thread=True, guards=[requires_administrator])
def close(
    account_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """The person has left. Asked for by typing the account name, since it cannot be undone."""
    now = clock()
    person = _colleague(database, site, account_id)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            if typed.text("confirmed") != person.username:
                typed.fault("confirmed", "not-confirmed", f"Type {person.username} to confirm.", "")
        close_account(session, actor=actor, account_id=AccountId(account_id), at=now)

    try:
        if person.left_at is None:
            database.write(act)
    except Refused as refused:
        return account_page(database, site, account_id, clock, actor=actor, refused=refused)
    return Redirect("/office/staff?done=closed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [
    staff,
    add,
    change_entry,
    account,
    set_roles,
    invite,
    take_back,
    remove_pin,
    reset_factor,
    close,
]
