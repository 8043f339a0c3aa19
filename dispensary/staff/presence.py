"""Who was seen last when, whose account sleeps, which account is at two places: what an administrator looks at.

Nothing of it is written at sign-in: the trail has each one already, and the sign-ins that are open say the rest. What
is found closes nothing by itself, since a person may be ill, and another may sit at two desks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text

from dispensary.database import ReadSession
from dispensary.staff.entry_models import Invitation
from dispensary.staff.entry_rules import LOOKED_BACK, TWO_PLACES_WITHIN, asleep
from dispensary.staff.entry_settings import entry_of
from dispensary.staff.models import Account
from dispensary.staff.queries import Colleague
from dispensary.staff.rules import IDLE_LIMIT
from dispensary.units import AccountId, SiteId
from dispensary.wall import Door

CAME = ("sign in", "come back")
"""The acts of the trail by which somebody proved who they are."""


@dataclass(frozen=True)
class Presence:
    """What is known of an account besides its roles."""

    accepted_at: datetime | None
    last_seen: datetime | None
    """Their last sign-in, wherever it was."""
    asleep: bool
    invited_until: datetime | None
    """Until when an invitation of theirs opens."""
    places_now: int = 0
    """At how many browsers and programs the account is in use."""
    two_sites: Sequence[datetime] = field(default=())
    """When it signed in here within minutes of a sign-in at another site."""

    @property
    def shared(self) -> bool:
        """Whether more than one person may be using it."""
        return self.places_now > 1 or bool(self.two_sites)


_SEEN = text(
    """
    SELECT id, (SELECT max(at) FROM audit_entry WHERE subject_id = account.id AND act = ANY(:came)) FROM account
    WHERE id = ANY(:ids)
    """
)
# A station counts once, by whoever is in front of it: a place of its own in every shift that is in use.
_PLACES = text(
    """
    SELECT mine.account_id, count(*) FROM sign_in mine
    WHERE mine.account_id = ANY(:ids) AND mine.ends_at > :at AND EXISTS (
        SELECT 1 FROM sign_in front WHERE front.seen_at > :used_since
        AND (front.station_id = mine.station_id OR front.token_digest = mine.token_digest))
    GROUP BY 1
    """
)
_TWO_SITES = text(
    """
    SELECT here.subject_id, array_agg(here.at ORDER BY here.at DESC) FROM audit_entry here
    WHERE here.subject_id = ANY(:ids) AND here.site_id = :site AND here.act = ANY(:came) AND here.at > :since
    AND EXISTS (SELECT 1 FROM audit_entry there WHERE there.subject_id = here.subject_id AND there.site_id <> :site
        AND there.act = ANY(:came) AND there.at BETWEEN here.at - :within AND here.at + :within)
    GROUP BY 1
    """
)


def presences(
    session: ReadSession, people: Sequence[Colleague], *, site_id: SiteId, at: datetime
) -> Mapping[AccountId, Presence]:
    """Of each of a site's people who has not left: when they were seen last, and what does not fit one person."""
    ids = [person.id for person in people if person.left_at is None]
    days = entry_of(session, site_id=site_id).dormant_days
    asked = {"ids": ids, "came": list(CAME), "at": at, "site": site_id}
    places: dict[AccountId, int] = dict(session.execute(_PLACES, asked | {"used_since": at - IDLE_LIMIT}).all())
    with session.before_the_wall(Door.TWO_SITES):
        seen: dict[AccountId, datetime | None] = dict(session.execute(_SEEN, asked).all())
        sites: dict[AccountId, list[datetime]] = dict(
            session.execute(_TWO_SITES, asked | {"since": at - LOOKED_BACK, "within": TWO_PLACES_WITHIN}).all()
        )
    open_until: dict[AccountId, datetime] = dict(
        session.execute(
            select(Invitation.account_id, Invitation.expires_at).where(
                Invitation.account_id.in_(ids),
                Invitation.used_at.is_(None),
                Invitation.revoked_at.is_(None),
                Invitation.expires_at > at,
            )
        ).all()
    )
    accepted: dict[AccountId, datetime | None] = dict(
        session.execute(select(Account.id, Account.accepted_at).where(Account.id.in_(ids))).all()
    )
    return {
        id_: Presence(
            accepted_at=accepted[id_],
            last_seen=seen[id_],
            asleep=(since := accepted[id_]) is not None and asleep(max(seen[id_] or since, since), days=days, now=at),
            invited_until=open_until.get(id_),
            places_now=places.get(id_, 0),
            two_sites=sites.get(id_, ()),
        )
        for id_ in ids
    }
