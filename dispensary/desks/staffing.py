"""The office's pages of who works at the site: accounts, their roles, their passwords, and those who left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import factors, pins
from dispensary.staff.queries import Colleague, Place, colleagues
from dispensary.staff.rules import Role
from dispensary.staff.service import add_account, close_account, grant, revoke, set_password
from dispensary.units import AccountId
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@get("/office/staff", sync_to_thread=True, guards=[requires_administrator])
def staff(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """Everybody with a role here, those who left last, and a form for somebody new."""
    return _staff_page(database, site, done=done)


def _staff_page(
    database: Database,
    site: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        people = colleagues(session, site.id)
    return page(
        "office/staff.html",
        refused=refused,
        typed=_without_passwords(typed),
        people=people,
        roles=[role.value for role in Role],
        done=done,
    )


def _without_passwords(typed: Mapping[str, Any] | None) -> dict[str, Any]:
    """What was typed, except what must not come back in a page."""
    return {name: value for name, value in (typed or {}).items() if "password" not in name and name != "current"}


def _roles(data: Mapping[str, Any]) -> set[Role]:
    return {Role(role) for role in several(data, "roles") if role in list(Role)}


@post("/office/staff", sync_to_thread=True, guards=[requires_administrator])
def add(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Makes an account with its roles and a first password."""
    now = clock()
    with_password = data.get("password")

    def act(session: WriteSession) -> object:
        return add_account(
            session,
            actor=actor,
            site_id=site.id,
            username=one(data, "username"),
            name=one(data, "name"),
            initials=one(data, "initials"),
            password=with_password if isinstance(with_password, str) else "",
            roles=_roles(data),
            at=now,
        )

    try:
        database.write(act)
    except Refused as refused:
        return _staff_page(database, site, refused=refused, typed=data)
    return Redirect("/office/staff?done=added", status_code=303)


@get("/office/staff/{account_id:uuid}", sync_to_thread=True, guards=[requires_administrator])
def account(
    account_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, done: FromQuery[str] = ""
) -> Template:
    """One account: its roles here, a new password, and its end."""
    return _account_page(database, site, account_id, own=actor.account_id == account_id, done=done)


def _account_page(
    database: Database, site: Place, account_id: UUID, *, own: bool, done: str = "", refused: Refused | None = None
) -> Template:
    person = _colleague(database, site, account_id)
    with database.reading() as session:
        has_pin = pins.has_pin(session, person.id)
        has_factor = factors.asked_for(session, person.id)
    return page(
        "office/account.html",
        refused=refused,
        person=person,
        has_pin=has_pin,
        has_factor=has_factor,
        roles=[role.value for role in Role],
        own=own,
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
        return _account_page(database, site, account_id, own=actor.account_id == account_id, refused=refused)
    then = f"/office/staff/{account_id}?done=roles" if wanted else "/office/staff?done=roles"
    return Redirect(then, status_code=303)


@post("/office/staff/{account_id:uuid}/password", sync_to_thread=True, guards=[requires_administrator])
def new_password(
    account_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Sets a new password, which signs the account out everywhere. One's own asks for the current one."""
    now = clock()
    _colleague(database, site, account_id)
    password, current = data.get("password"), data.get("current")
    own = actor.account_id == account_id

    def act(session: WriteSession) -> None:
        set_password(
            session,
            actor=actor,
            account_id=AccountId(account_id),
            password=password if isinstance(password, str) else "",
            current=current if isinstance(current, str) else None,
            at=now,
        )

    try:
        database.write(act)
    except Refused as refused:
        return _account_page(database, site, account_id, own=own, refused=refused)
    return Redirect("/signin" if own else f"/office/staff/{account_id}?done=password", status_code=303)


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
        return _account_page(database, site, account_id, own=actor.account_id == account_id, refused=refused)
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
        return _account_page(database, site, account_id, own=actor.account_id == account_id, refused=refused)
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
        return _account_page(database, site, account_id, own=actor.account_id == account_id, refused=refused)
    return Redirect("/office/staff?done=closed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [
    staff,
    add,
    account,
    set_roles,
    new_password,
    remove_pin,
    reset_factor,
    close,
]
