"""Making a downtime pack: read, put on paper and on a page, written to the disk, copied to another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dispensary.database import WriteSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, the_program
from dispensary.supplies.outage_files import ENDINGS, copy_pack, folder_of, keep_pack, stem_of
from dispensary.supplies.outage_pack import pack_of
from dispensary.supplies.outage_settings import Downtime, downtime_of
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
    code, clients, forms = _drawn(session, setting, site_id=site_id, today=today, at=at, wanted=ENDINGS)
    kept = keep_pack(folder_of(data, code), code=code, made_at=at, forms=forms)
    failure = ""
    if setting.copy_to:
        failure = copy_pack(Path(setting.copy_to), code=code, stem=kept.stem, forms=forms)
    return {"made": True, "pack": kept.stem, "clients": clients, "size": kept.size, "not_copied": failure}


def fresh_pack(session: WriteSession, *, actor: Actor, today: DoseDay, form: str, at: datetime) -> tuple[str, bytes]:
    """The pack of the actor's site as it is at this moment, in one form (`pdf` or `html`): its name and its bytes.

    Whichever server is asked makes it, and keeps nothing of it. Raises NotThere for another form, and Refused where no
    words are set.
    """
    if form not in ENDINGS:
        raise NotThere(Refusal("no-pack", "There is no such form of a pack.", "Take the page or the PDF."))
    setting = downtime_of(session, site_id=actor.site_id)
    if not setting.password:
        raise Refused(
            Refusal(
                "no-pack-words",
                "No words are set that open a pack.",
                "An administrator sets them under Office, Downtime.",
            )
        )
    code, _, forms = _drawn(session, setting, site_id=actor.site_id, today=today, at=at, wanted=[form])
    name = f"{stem_of(code, at)}.{form}"
    take_along(session, actor=actor, name=name, at=at)
    return name, forms[form]


def take_along(session: WriteSession, *, actor: Actor, name: str, at: datetime) -> None:
    """Writes down that somebody takes a pack along."""
    audit.record(
        session,
        actor=actor,
        act="took downtime pack",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"pack": name},
    )


_DRAWS = {"pdf": downtime_pdf, "html": downtime_page}


def _drawn(
    session: WriteSession, setting: Downtime, *, site_id: SiteId, today: DoseDay, at: datetime, wanted: Sequence[str]
) -> tuple[str, int, dict[str, bytes]]:
    """A site's code, of how many clients its pack tells, and the wanted forms, sealed. It writes down what was read."""
    site = session.get_one(Site, site_id)
    pack = pack_of(session, site=site, today=today, days_ahead=setting.days_ahead, made_at=at)
    forms = {form: _DRAWS[form](pack, password=setting.password) for form in wanted}
    details = {"pack": stem_of(site.code, at), "clients": len(pack.clients), "days": list(pack.days)}
    audit.record(
        session,
        actor=the_program(site_id),
        act="made downtime pack",
        subject="site",
        subject_id=site_id,
        at=at,
        details=details,
    )
    return site.code, len(pack.clients), forms
