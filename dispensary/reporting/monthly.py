"""The report of each month, made by itself once for each site: into a folder, and by mail where that is set up."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from dispensary.database import WriteSession
from dispensary.evaluation.queries import Period
from dispensary.evaluation.taken import note_taken
from dispensary.reporting.mail import send
from dispensary.reporting.programme import NAME, asked_of, export_report, manifests
from dispensary.settings import Reports
from dispensary.staff.queries import Place
from dispensary.staff.rules import the_program

JOB = "monthly report"
"""As `job_run` has it; its slot is the site and the month, `HRP 2026-10`."""
WAITS = timedelta(days=3)
"""For how long a month that is over waits for its last day to be closed: later it is told as far as it is known."""


def month_before(day: date) -> date:
    """The first day of the month before this day's."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def slot_of(site: Place, month: date) -> str:
    """The site and the month."""
    return f"{site.code} {month:%Y-%m}"


def write_report(
    session: WriteSession, *, site: Place, month: date, reports: Reports, at: datetime
) -> dict[str, object]:
    """Writes the month's report into the folder of the site and month, then mails it, and says what became of it.

    As known at this moment. Cut short it is done again from the beginning: the files are written over, and the mail
    goes out last. Raises BadInput when the folder takes no file, NotSent when the server takes no mail.
    """
    next_month = (month + timedelta(days=32)).replace(day=1)
    asked = asked_of([site], Period(month, next_month), at, at)
    folder = reports.folder / site.code / f"{month:%Y-%m}"
    folder.mkdir(parents=True, exist_ok=True)
    export_report(session, asked=asked, path=folder / f"{NAME}.csv")
    files = _files_of(folder)
    sent = 0
    if reports.mail is not None:
        subject = f"{site.code} {month:%Y-%m}"
        sent = len(send(reports.mail, subject=subject, words=_words(site, month), files=files, at=at))
    result = {
        "month": f"{month:%Y-%m}",
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "mailed_to": sent,
    }
    note_taken(session, actor=the_program(site.id), name=NAME, at=at, asked={**result, "by": "schedule"})
    return result


def _files_of(folder: Path) -> dict[str, bytes]:
    """The manifests and the files that they name, and no other that lies there."""
    files = {name: (folder / name).read_bytes() for name in manifests()}
    names = [each["name"] for content in files.values() for each in json.loads(content)["tables"]]
    return files | {name: (folder / name).read_bytes() for name in names}


def _words(site: Place, month: date) -> str:
    """A mail is read on the way: it says which report it is, and nothing of what is in it."""
    return (
        f"The monthly report of {site.code} for {month:%Y-%m}: one page, its tables, and a manifest with the hash of"
        " each file.\nIt names nobody. It was sent by itself; nobody reads answers to it.\n"
    )
