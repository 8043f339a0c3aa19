"""Lending a satellite to a server of its own: first nobody here writes for it any more, then its cut is taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyrage
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from dispensary.apart.catalogue import new_enough
from dispensary.apart.cutting import Cut, cursor_of, make_cut, ring_of
from dispensary.apart.guarding import guard_at_centre, take_down
from dispensary.apart.joining import forget
from dispensary.database import Database
from dispensary.staff import audit
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.models import Site
from dispensary.staff.rules import the_program
from dispensary.units import SiteId


def lend(
    database: Database,
    *,
    site: Site,
    key: str,
    sealed_to: Sequence[pyrage.x25519.Recipient],
    warn_after: int | None,
    migration: str,
    at: datetime,
) -> Cut:
    """Puts up the guards, so that what the cut holds is the last that was written here, and takes it.

    A satellite that is lent already gets another cut, of what is known here now. Raises BadBackup for a wrong key and
    NoDatabase where PostgreSQL is too old; then nothing changed.
    """
    ring_of(database.vault.ring, key)
    site_id, main_id = SiteId(site.id), SiteId(site.main_site_id or site.id)
    with database.writing() as session:
        anew = session.scalar(select(SiteApart.since).where(SiteApart.site_id == site_id, SiteApart.until.is_(None)))
        with cursor_of(session.connection().connection) as cursor:
            new_enough(cursor.connection, "this server")
            if anew is None:
                guard_at_centre(cursor, site_id=site_id, code=site.code)
    if anew is None:
        forget(database, code=site.code)  # what a server that it had before may have left
    try:
        cut = make_cut(
            database,
            site_id=site_id,
            main_id=main_id,
            key=key,
            sealed_to=sealed_to,
            warn_after=warn_after,
            migration=migration,
            at=at,
        )
        with database.writing() as session:
            values = {"known_at": at, "warn_after": warn_after}
            session.execute(
                insert(SiteApart)
                .values(site_id=site_id, since=anew or at, whole=True, **values)
                .on_conflict_do_update(index_elements=["site_id", "since"], set_=values)
            )
            audit.record(
                session,
                actor=the_program(main_id),
                act="lent site",
                subject="site",
                subject_id=site_id,
                at=at,
                details={"clients": cut.clients, "key": key, "anew": anew is not None, "people": cut.people},
            )
    except BaseException:
        if anew is None:
            with database.writing() as session, cursor_of(session.connection().connection) as cursor:
                take_down(cursor, code=site.code)
        raise
    return cut
