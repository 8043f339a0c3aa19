"""Who did what is always right: a form counts only for the person, at the site, for whom its page was drawn.

Two people share a browser, one person has two tabs, somebody goes on at another site: a form that was drawn before then
still stands in a tab. Every form carries for whom and where it was drawn (parts.html puts it there), and whatever is
posted to a page is refused, before any handler sees it, unless that is who is signed in now. JSON has no pages and no
forms: who acts there is whoever's token was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.types import Receive, Scope

from dispensary.database import Database
from dispensary.refusals import Refusal, Refused
from dispensary.staff.models import Account
from dispensary.staff.sessions import SignedIn

FIELD, HEADER = "_acting", "x-acting"
"""Where a form, or a script that posts something else than a form, says for whom its page was drawn."""
_NEVER_SHOWN = ("password", "pin", "again", "current", "secret", "code", "recovery", "credential", "key", "_")
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


class AnothersPage(Refused):
    """The form was drawn for somebody else, or for another site. Nothing of it was done; `typed` is what it held."""

    def __init__(self, *refusals: Refusal, typed: Mapping[str, str]) -> None:
        super().__init__(*refusals)
        self.typed = typed


async def refuse_anothers_page(scope: Scope, receive: Receive, database: Database, who: SignedIn) -> None:
    """Raises AnothersPage unless what is posted comes from a page that was drawn for `who`, here."""
    if scope.get("method") not in _CHANGES:
        return
    request: Request[Any, Any, Any] = Request(scope, receive)
    form = await request.form()  # kept in the scope: the handler reads the same
    drawn_for = request.headers.get(HEADER) or form.get(FIELD)
    if drawn_for == who.acting:
        return
    refusal = await sync_to_thread(_refusal, database, who, drawn_for)
    raise AnothersPage(refusal, typed=typed_in(form))


def typed_in(form: Mapping[str, Any]) -> dict[str, str]:
    """What a person wrote or chose, to write it again: no secret, no number that only the program knows."""
    return {
        name: value.strip()
        for name, value in form.items()
        if isinstance(value, str) and value.strip() and not name.startswith(_NEVER_SHOWN) and "pin" not in name
        if not _is_id(value)
    }


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _refusal(database: Database, who: SignedIn, drawn_for: object) -> Refusal:
    by, _, code = drawn_for.partition("@") if isinstance(drawn_for, str) else ("", "", "")
    remedy = "Open it again, and do it there if it is still to be done."
    if by == str(who.actor.account_id):
        sentence = f"This page was opened at {code}. You work at {who.site.code} now. Nothing was recorded."
        return Refusal("anothers-page", sentence, remedy)
    initials = ""
    if _is_id(by):
        with database.reading() as session:
            account = session.get(Account, UUID(by))
            initials = account.initials if account else ""
    opener = initials or "somebody else"
    sentence = f"This page was opened by {opener}. You are {who.actor.initials}. Nothing was recorded."
    return Refusal("anothers-page", sentence, remedy)
