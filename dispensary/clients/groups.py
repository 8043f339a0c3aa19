"""For whom a site holds places, and which of these groups a client belongs to. Scheduling knows only the words.

What reception sees of it is that somebody may have a held place, never why.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from dispensary.clients.group_models import ClientGroup, GroupSetting
from dispensary.clients.models import Episode
from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId

NEW: Final = "new"
PREGNANT: Final = "pregnant"
SHIFT: Final = "shift"
NOTED: Final = (PREGNANT, SHIFT)
"""What is noted of a client. Whether somebody is new follows from their episode."""
NEW_DAYS: Final = 14
"""How long somebody is new where the site has not set it: a figure of house-keeping, not of medicine."""


def new_days(session: ReadSession, site_id: SiteId) -> int:
    """On how many days from the first of an episode a client is new at this site."""
    setting = session.get(GroupSetting, site_id)
    return setting.new_days if setting is not None else NEW_DAYS


def set_new_days(session: WriteSession, *, site_id: SiteId, days: int) -> None:
    """Sets it. Raises BadInput."""
    if not 0 <= days <= 365:
        raise BadInput(Refusal("new-days", "Somebody is new for 0 to 365 days.", "Correct it.", field="new_days"))
    put = insert(GroupSetting).values(site_id=site_id, new_days=days)
    session.execute(put.on_conflict_do_update(index_elements=["site_id"], set_={"new_days": days}))
    session.expire_all()


def noted_of(session: ReadSession, client_id: ClientId) -> set[str]:
    """What is noted of the client."""
    return set(session.scalars(select(ClientGroup.word).where(ClientGroup.client_id == client_id)))


def groups_of(session: ReadSession, client_id: ClientId, *, site_id: SiteId, today: date) -> frozenset[str]:
    """The words by which held places of this site are this client's."""
    noted = noted_of(session, client_id)
    began = session.scalar(
        select(Episode.began_on).where(
            Episode.client_id == client_id, Episode.began_on <= today, Episode.ended_on.is_(None)
        )
    )
    if began is not None and today < began + timedelta(days=new_days(session, site_id)):
        noted.add(NEW)
    return frozenset(noted)


def note_groups(
    session: WriteSession, *, actor: Actor, client_id: ClientId, words: Collection[str], at: datetime
) -> None:
    """Writes down which groups the client belongs to, in place of what was noted. Raises NotThere or BadInput."""
    client = the_client(session, client_id, actor.site_id)
    if strange := sorted(set(words) - set(NOTED)):
        raise BadInput(Refusal("no-group", f"“{strange[0][:20]}” is no group.", "Choose from the list.", field="group"))
    if noted_of(session, client_id) == set(words):
        return
    session.execute(delete(ClientGroup).where(ClientGroup.client_id == client.id))
    for word in sorted(set(words)):
        session.add(ClientGroup(client_id=client.id, word=word, noted_by=actor.account_id, noted_at=at))
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="noted held places",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"groups": sorted(words)},
    )
