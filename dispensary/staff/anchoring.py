"""Anchors of the audit trail: made each night, written to files, and compared with the chain as it is.

Whoever may change the database can write a whole chain anew, with hashes that fit. Then the anchors that lie where that
hand does not reach no longer fit the chain: a line in a paper register, a file in another building.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.staff.anchor_models import AuditAnchor
from dispensary.staff.anchor_rules import Anchor, BadAnchor, agrees, anchor_of, read_anchor
from dispensary.staff.models import AuditChain, AuditEntry, Site
from dispensary.units import SiteId

ANCHOR: str = "anchor the audit trail"
"""The job that makes them."""


@dataclass(frozen=True)
class Kept:
    """An anchor that was made, and whether an authority has said when."""

    anchor: Anchor
    made_at: datetime
    stamp: bytes | None
    stamped_at: datetime | None


def make_anchor(session: WriteSession, *, site_id: SiteId, day: date, at: datetime) -> Anchor:
    """Writes down how the site's chain ends now, once for each day; a second time it gives back the first."""
    site = session.get_one(Site, site_id)
    known = session.get(AuditAnchor, (site_id, day))
    if known is None:
        chain = session.scalar(select(AuditChain).where(AuditChain.site_id == site_id).with_for_update())
        assert chain is not None, "a site begins with its chain"
        known = session.get(AuditAnchor, (site_id, day))  # another program may have made it while we waited
        if known is None:
            known = AuditAnchor(site_id=site_id, day=day, length=chain.length, head=chain.head, made_at=at)
            session.add(known)
            session.flush()
    return anchor_of(code=site.code, day=day, length=known.length, head=known.head)


def anchors_of(session: ReadSession, *, site_id: SiteId, last: int) -> list[Kept]:
    """The newest anchors of a site, the newest first."""
    site = session.get_one(Site, site_id)
    rows = session.scalars(
        select(AuditAnchor).where(AuditAnchor.site_id == site_id).order_by(AuditAnchor.day.desc()).limit(last)
    )
    return [
        Kept(
            anchor_of(code=site.code, day=row.day, length=row.length, head=row.head),
            row.made_at,
            row.stamp,
            row.stamped_at,
        )
        for row in rows
    ]


def file_name(anchor: Anchor) -> str:
    """What the file of an anchor is called: the site and the day."""
    return f"anchor-{anchor.code}-{anchor.day.isoformat()}.txt"


def write_files(folder: Path, kept: Sequence[Kept]) -> int:
    """Writes the files of these anchors, and their time stamps, that the folder lacks; says how many.

    A file that is there is never written again: it is what the chain was then. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = 0
    for each in kept:
        path = folder / file_name(each.anchor)
        written += _put(path, each.anchor.as_file)
        if each.stamp is not None:
            written += _put(path.with_suffix(".tsr"), each.stamp)
    return written


def _put(path: Path, content: bytes) -> bool:
    if path.exists():
        return False
    part = path.with_name(f".part-{path.name}-{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # unlike a rename, it never takes the place of a file that came meanwhile
        except FileExistsError:
            return False
        except OSError:  # a share without links
            part.replace(path)
        return True
    finally:
        part.unlink(missing_ok=True)


def read_files(path: Path) -> Iterator[Anchor]:
    """The anchors in a file, a line each, or in every .txt of a folder. Raises BadAnchor, which names the file."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    for file in files:
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
            if line.strip():
                try:
                    yield read_anchor(line)
                except BadAnchor as reason:
                    raise BadAnchor(f"{file.name}, line {number}: {reason}") from None


def unlike_anchors(session: ReadSession, anchors: Iterable[Anchor], *, whose: str = "its anchor") -> Iterator[str]:
    """Names each anchor that the chain of its site does not fit; nothing when all fit.

    It looks at the entry with which the chain ended then; whether all before it is whole, `audit.broken_links` says.
    """
    sites = {site.code: SiteId(site.id) for site in session.scalars(select(Site))}
    for anchor in anchors:
        at = f"the audit chain of {anchor.code} is not that of {anchor.day}"
        site_id = sites.get(anchor.code)
        if site_id is None:
            yield f"there is no site {anchor.code}, of which there is an anchor of {anchor.day}"
            continue
        head = _head_at(session, site_id, anchor.length)
        if head is None:
            yield f"{at}: it had {anchor.length} entries then, and the last of them is gone"
        elif not agrees(anchor, head=head):
            yield f"{at}: entry {anchor.length} or one before it is another than {whose} says"


def _head_at(session: ReadSession, site_id: SiteId, length: int) -> bytes | None:
    """The hash of the entry of this number; of a chain without entries, what it begins with."""
    if length == 0:
        return session.scalar(
            select(AuditEntry.previous).where(AuditEntry.site_id == site_id, AuditEntry.seq == 1)
        ) or session.scalar(select(AuditChain.head).where(AuditChain.site_id == site_id))
    return session.scalar(select(AuditEntry.hash).where(AuditEntry.site_id == site_id, AuditEntry.seq == length))


def unlike_table(session: ReadSession, *, site_id: SiteId) -> Iterator[str]:
    """Names each anchor in the table that the site's chain does not fit, by one query; nothing when all fit."""
    code = session.get_one(Site, site_id).code
    rows = session.execute(
        select(AuditAnchor.day, AuditAnchor.length)
        .outerjoin(AuditEntry, (AuditEntry.site_id == AuditAnchor.site_id) & (AuditEntry.seq == AuditAnchor.length))
        .where(AuditAnchor.site_id == site_id, AuditAnchor.length > 0)
        .where(AuditEntry.hash.is_distinct_from(AuditAnchor.head))
        .order_by(AuditAnchor.day)
    )
    for day, length in rows:
        yield f"the audit chain of {code} is not that of {day}: entry {length} or one before it is another or gone"
