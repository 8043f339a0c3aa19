"""What depends on a key, and ending it with the key where somebody has said so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, text, update

from dispensary.database import ReadSession, WriteSession
from dispensary.keys import BadKeys, Kind
from dispensary.resealing.counting import fields_by_key
from dispensary.resealing.digests import reached, stays, under
from dispensary.staff import audit
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.factor_models import RecoveryCode
from dispensary.staff.models import Site
from dispensary.staff.rules import the_program
from dispensary.supplies.models import PickupPass
from dispensary.units import SiteId


def refuse_while_needed(session: ReadSession, kind: Kind, name: str, *, even_so: bool, at: datetime) -> None:
    """Raises BadKeys, which says all that depends on this key, unless nothing does.

    `even_so` lets go of what only time or a person could bring under another key, and of nothing else.
    """
    if (alone := _lent(session)) and (kind is Kind.SEALING or not even_so):
        raise BadKeys(
            f"{', '.join(alone)} has a server of its own, which writes by keys of this file: what it has not sent yet"
            f" may need {name}. Bring it home first: dispensary join SITE --last"
        )
    if kind is Kind.SEALING:
        if left := fields_by_key(session).get(name, 0):
            raise BadKeys(f"{left:,} fields lie under {name}. Seal them anew first: dispensary keys reseal")
    elif kind is Kind.INDEX:
        if left := reached(session, name):
            raise BadKeys(f"{left:,} digests lie under {name}. Make them anew first: dispensary keys reindex")
        if not even_so and (kept := stays(session, name)):
            said = "; ".join(f"{each.count:,} {each.what}" for each in kept)
            raise BadKeys(f"Under {name} lie {said}. Wait, or drop it with --even-so.")
    elif not even_so and (live := _live_passes(session, name, at)):
        said = ", ".join(f"{count:,} of {code} until {until:%Y-%m-%d %H:%M}Z" for code, count, until in live)
        raise BadKeys(
            f"Passes that {name} has signed would open nothing any more: {said}. Wait until they are over, or drop it"
            " with --even-so: they are revoked, and the counter makes new ones."
        )


def _lent(session: ReadSession) -> list[str]:
    lent = select(SiteApart.site_id).where(SiteApart.whole, SiteApart.until.is_(None))
    return list(session.scalars(select(Site.code).where(Site.id.in_(lent)).order_by(Site.code)))


def _live_passes(session: ReadSession, name: str, at: datetime) -> list[tuple[str, int, datetime]]:
    rows = session.execute(
        select(Site.code, func.count(), func.max(PickupPass.valid_until))
        .join(Site, Site.id == PickupPass.site_id)
        .where(PickupPass.signed_by == name, PickupPass.ended_at.is_(None), PickupPass.valid_until > at)
        .group_by(Site.code)
        .order_by(Site.code)
    )
    return [(code, count, until) for code, count, until in rows]


def end_what_depends(session: WriteSession, kind: Kind, name: str, *, at: datetime) -> None:
    """Ends what this key alone could have read: passes of a signing key, recovery codes of an index key.

    A PIN of the phone line stays, so that its number is told nothing until the client has set another one.
    """
    if kind is Kind.INDEX:
        codes = update(RecoveryCode).where(text(f"{under('recovery_code.digest')} = :key").bindparams(key=name))
        session.execute(codes.where(RecoveryCode.used_at.is_(None)).values(used_at=at))
    elif kind is Kind.SIGNING:
        ended = session.execute(
            update(PickupPass)
            .where(PickupPass.signed_by == name, PickupPass.ended_at.is_(None))
            .values(ended_at=at, end_reason="revoked")
            .returning(PickupPass.site_id)
        ).scalars()
        by_site: dict[SiteId, int] = {}
        for site_id in ended:
            by_site[site_id] = by_site.get(site_id, 0) + 1
        for site_id, count in sorted(by_site.items()):
            audit.record(
                session,
                actor=the_program(site_id),
                act="dropped signing key",
                subject="site",
                subject_id=site_id,
                at=at,
                details={"key": name, "passes": count},
            )
