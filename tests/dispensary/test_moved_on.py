"""Whoever moves to another site is looked after by nobody of the one before, whichever program moves them."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from dispensary.clients.goals import assign
from dispensary.clients.models import LookedAfter
from dispensary.database import Database
from dispensary.homes import going
from tests.dispensary.guest_place import two_sites
from tests.dispensary.test_moves import moved


@pytest.mark.parametrize("older", [False, True])
def test_nobody_of_the_site_before_has_them(
    database: Database, now: datetime, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = two_sites(database, now)
    client = sites.home.client()
    for each in (sites.home.doctor, sites.home.pharmacist):
        assert each.account_id is not None
        with database.writing() as session:
            assign(session, actor=sites.home.doctor, client_id=client, account_id=each.account_id, at=sites.home.now)
    if older:  # it ends the one whom it knows, and knows of no other
        one = "DELETE FROM client_assignment WHERE client_id = %(client)s"
        follows = [one if "looked_after" in each else each for each in going._FOLLOWS]
        monkeypatch.setattr(going, "_FOLLOWS", tuple(follows))
    moved(sites, client)
    with database.reading() as session:
        had = session.scalars(select(LookedAfter).where(LookedAfter.client_id == client)).all()
    assert [each.ended_at is not None for each in had] == [True, True]
    assert {each.ended_by for each in had} == ({None} if older else {sites.guest.pharmacist.account_id})
