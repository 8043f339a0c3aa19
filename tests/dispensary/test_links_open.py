"""No page leads to what its reader may not do, also where a site has taken acts away from a role."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime
from html import unescape
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.permission_rules import Act, Role, permissions
from dispensary.staff.permissions import own_of, set_permission
from dispensary.staff.rules import Actor
from dispensary.units import AccountId
from dispensary.web.guards import opens
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_audit_sites import furnished
from tests.dispensary.visiting import hire

_LINK = re.compile(r'<a [^>]*href="(/[^"]*)"')
_FORM = re.compile(r'<form [^>]*?action="(/[^"#]*)[^"]*"[^>]*?method="(post|get)"|formaction="(/[^"]*)"')
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_NEVER = ("/signout", "/lock", "/static", "/switch-site")


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    here = desks(database, now, tmp_path)
    furnished(here.place)
    return here


def takes_all_away(here: Desks, role: Role) -> list[Act]:
    """The site takes from a role whatever it can take, and a colleague of another role has it all."""
    with here.database.reading() as session:
        site = session.get_one(Site, here.place.site_id)
    hire(here.database, site, "everything", Role, here.place.now)
    with here.database.writing() as session:
        admin = Actor(here.place.doctor.account_id, here.place.site_id, frozenset({Role.ADMINISTRATOR}))
        gone = [each.act for each in permissions().values() if role in each.may_take_away and each.roles - {role}]
        for act in gone:
            set_permission(session, actor=admin, role=role, act=act, allowed=False, reason="a test", at=here.place.now)
    return gone


@pytest.mark.parametrize("role", list(Role))
def test_no_link_and_no_form_of_a_role_leads_to_a_refusal(here: Desks, role: Role) -> None:
    visitor = here.seat(role)
    takes_all_away(here, role)
    me = visitor.client.get("/api/session").json()["signed_in"]
    with here.database.reading() as session:
        own = own_of(session, here.place.site_id)
    actor = Actor(AccountId(me["account_id"]), here.place.site_id, frozenset({role}), own=own)
    wait, seen, refused = deque(["/"]), {"/"}, set()
    while wait and len(seen) < 400:
        path = wait.popleft()
        answer = visitor.get(path)
        if answer.status_code == 403:
            refused.add(path)
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        for form, method, other in _FORM.findall(answer.text):
            action = unescape(form or other)
            if not opens(here.app, actor, action, method.upper() if method else "POST"):
                refused.add(f"{path} posts to {_ID.sub('*', action)}")
        for link in map(unescape, _LINK.findall(answer.text)):
            plain = _ID.sub("*", link.split("#")[0].split("?")[0])
            if plain not in seen and not plain.startswith(_NEVER):
                seen.add(plain)
                wait.append(link.split("#")[0])
            if not opens(here.app, actor, link):
                refused.add(f"{_ID.sub('*', path)} links to {plain}")
    assert sorted(refused) == []
    assert len(seen) >= 3
