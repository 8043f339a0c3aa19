"""Making a downtime pack: read, put on paper and on a page, written to the disk, copied to another."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from dispensary.database import WriteSession
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import the_program
from dispensary.supplies.outage_files import copy_pack, folder_of, keep_pack
from dispensary.supplies.outage_pack import pack_of
from dispensary.supplies.outage_settings import downtime_of
from dispensary.supplies.printing.downtime import downtime_page, downtime_pdf
from dispensary.units import DoseDay, SiteId

DOWNTIME_PACK = "downtime pack"
"""The job that makes them."""


def make_pack(session: WriteSession, *, site_id: SiteId, today: DoseDay, data: Path, at: datetime) -> dict[str, object]:
    """Makes the site's pack of this moment in both forms, and says what became of it; nothing without a password.

    The copy on another disk may fail without the pack: why is in the answer, and the page of packs shows it. That the
    program read everybody's record is one entry of the trail. Raises OSError when the data folder takes no file.
    """
    setting = downtime_of(session, site_id=site_id)
    if not setting.password:
        return {"made": False}
    site = session.get_one(Site, site_id)
    pack = pack_of(session, site=site, today=today, days_ahead=setting.days_ahead, made_at=at)
    forms = {
        "pdf": downtime_pdf(pack, password=setting.password),
        "html": downtime_page(pack, password=setting.password),
    }
    kept = keep_pack(folder_of(data, site.code), code=site.code, made_at=at, forms=forms)
    failure = ""
    if setting.copy_to:
        failure = copy_pack(Path(setting.copy_to), code=site.code, stem=kept.stem, forms=forms)
    details = {"pack": kept.stem, "clients": len(pack.clients), "days": list(pack.days)}
    audit.record(
        session,
        actor=the_program(site_id),
        act="made downtime pack",
        subject="site",
        subject_id=site_id,
        at=at,
        details=details,
    )
    return {"made": True, "pack": kept.stem, "clients": len(pack.clients), "size": kept.size, "not_copied": failure}
