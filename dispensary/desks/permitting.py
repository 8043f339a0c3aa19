"""The office's page of permissions: who may do what at this site, and changing it within the house's bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.branch_permissions import branches_run_above, set_permission_at_branch
from dispensary.staff.permission_rules import Act, Role, permissions, roles_for
from dispensary.staff.permissions import LONGEST_REASON, changed_at, matrix, own_of, set_permission
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

_PAGE = "/office/permissions"
LONGEST_CODE = 12


@get(_PAGE, sync_to_thread=True, guards=[requires_administrator])
def permissions_page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    act: FromQuery[str] = "",
    role: FromQuery[str] = "",
    done: FromQuery[str] = "",
) -> Template:
    """Every act and role as this site has it, and what it has otherwise than the house. One may be chosen to change."""
    return _page(database, actor, site, act, role, done=done)


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    act: str,
    role: str,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        own, changed = own_of(session, site.id), changed_at(session, site.id)
        branches = branches_run_above(session, actor) if act else []
    chosen = None
    if act in set(Act) and role in set(Role) and permissions()[Act(act)].bounds(Role(role)):
        chosen = {
            "permission": permissions()[Act(act)],
            "role": role,
            "allowed": Role(role) in roles_for(Act(act), own),
        }
    return page(
        "office/permissions.html",
        roles=[each.value for each in Role],
        matrix=matrix(own),
        own={(each.act.value, each.role.value) for each in own},
        changed=changed,
        chosen=chosen,
        branches=branches,
        done=done == "changed",
        longest=LONGEST_REASON,
        refused=refused,
        typed=typed,
    )


@post(_PAGE, sync_to_thread=True, guards=[requires_administrator])
def change_permission(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Lets a role do an act here, or not, with the reason. It counts from the next request on."""

    def change(session: WriteSession) -> None:
        with Typed(data) as typed:
            act, role = typed.choice("act", Act), typed.choice("role", Role)
            allowed = typed.yes_no("allowed")
            reason = typed.text("reason", most=LONGEST_REASON)
            branch = typed.text("branch", most=LONGEST_CODE, required=False)
            if allowed is None:
                typed.fault("allowed", "no-choice", "Nothing was chosen here.", "Choose one.")
        setting: Callable[..., object] = partial(set_permission_at_branch, branch=branch) if branch else set_permission
        setting(session, actor=actor, role=role, act=act, allowed=bool(allowed), reason=reason, at=clock())

    return done_or_again(
        database,
        change,
        then=lambda _: f"{_PAGE}?done=changed",
        else_again=lambda why: _page(
            database, actor, site, str(data.get("act", "")), str(data.get("role", "")), refused=why, typed=data
        ),
    )


HANDLERS: list[ControllerRouterHandler] = [permissions_page, change_permission]
