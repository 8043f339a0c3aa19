"""Downtime packs: how old the newest is, taking it along, and the office's page of how they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.models import JobRun
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act
from dispensary.supplies.outage_files import PackFiles, folder_of, made_at_of, packs_in, read_pack
from dispensary.supplies.outage_making import DOWNTIME_PACK, fresh_pack, take_along
from dispensary.supplies.outage_settings import MOST_DAYS, Downtime, downtime_of, set_downtime
from dispensary.web.forms import Form, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires, requires_administrator, requires_pack_taker
from dispensary.web.paper import to_keep
from dispensary.web.templating import page
from dispensary.web.typed import Typed

OLD_AFTER = timedelta(hours=2)
"""A pack is made every hour: one that is older than two was not followed by another."""


@dataclass(frozen=True)
class Packs:
    """What lies on the disk of a site's packs, and why the last one may be missing there or on the other disk."""

    made: bool
    """Whether packs are made at all: somebody has set the words that open them."""
    files: Sequence[PackFiles]
    old: bool
    copied: bool
    failure: str
    not_copied: str
    elsewhere: datetime | None = None
    """When the last was made by another server of the program, on whose disk it lies."""

    @property
    def newest(self) -> PackFiles | None:
        return self.files[0] if self.files else None


def packs_of(session: ReadSession, *, site: Place, data: Path, now: datetime) -> Packs:
    """Reads the folder and what the last run said."""
    setting = downtime_of(session, site_id=site.id)
    files = packs_in(folder_of(data, site.code), site.code)
    run = session.scalars(
        select(JobRun)
        .where(JobRun.job == DOWNTIME_PACK, JobRun.slot.startswith(f"{site.code} ", autoescape=True))
        .order_by(JobRun.began_at.desc())
        .limit(1)
    ).first()
    last = made_at_of(str(run.result.get("pack", ""))) if run else None
    here = files[0].made_at if files else None
    newest = max((each for each in (last, here) if each is not None), default=None)
    return Packs(
        made=bool(setting.password),
        files=files,
        old=newest is None or newest < now - OLD_AFTER,
        elsewhere=last if last is not None and (here is None or here < last) else None,
        copied=bool(setting.copy_to),
        failure=run.failure if run else "",
        not_copied=str(run.result.get("not_copied", "")) if run and setting.copy_to else "",
    )


@get("/counter/downtime", sync_to_thread=True, guards=[requires(Act.DISPENSE, Act.TAKE_PACK)])
def packs(database: TheDatabase, actor: TheActor, site: TheSite, settings: TheSettings, clock: TheClock) -> Template:
    """How old the newest pack is, both its forms to take along, and where sheets are entered afterwards."""
    with database.reading() as session:
        found = packs_of(session, site=site, data=settings.data, now=clock())
    return page("counter/downtime.html", packs=found, at="/counter/downtime" if actor.may(Act.TAKE_PACK) else "")


@get("/counter/downtime/{name:str}", sync_to_thread=True, guards=[requires_pack_taker])
def take(
    name: FromPath[str],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[bytes]:
    """One form of a pack, sealed as it is. That it was taken is written down.

    Whoever sets the words of a pack, in the office, takes none along: together they are everybody's name and dose.
    """
    now = clock()
    content = read_pack(folder_of(settings.data, site.code), site.code, name)
    if content is None:
        raise NotThere(Refusal("no-pack", "There is no such pack any more.", "Take the newest of the list."))
    with database.writing() as session:
        take_along(session, actor=actor, name=name, at=now)
    return to_keep(content, name)


@get("/counter/downtime/now/{form:str}", sync_to_thread=True, guards=[requires_pack_taker])
def take_now(
    form: FromPath[str], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """A pack of this moment, made by whichever server is asked, and taken along in the same breath."""
    now = clock()
    with database.writing() as session:
        name, content = fresh_pack(session, actor=actor, today=site.dose_day(now), form=form, at=now)
    return to_keep(content, name)


@get("/office/downtime", sync_to_thread=True, guards=[requires_administrator])
def setting(
    database: TheDatabase, site: TheSite, settings: TheSettings, clock: TheClock, done: FromQuery[bool] = False
) -> Template:
    """How packs are made here, and whether they are."""
    return _setting_page(database, site, settings.data, clock(), done=done)


def _setting_page(
    database: Database,
    site: Place,
    data: Path,
    now: datetime,
    *,
    done: bool = False,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        kept: Downtime = downtime_of(session, site_id=site.id)
        found = packs_of(session, site=site, data=data, now=now)
    return page(
        "office/downtime.html",
        refused=refused,
        typed=typed,
        kept=kept,
        packs=found,
        most_days=MOST_DAYS,
        done=done,
    )


@post("/office/downtime", sync_to_thread=True, guards=[requires_administrator])
def change(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Sets the words and the rest. The next pack is made by it, within the hour; older ones open by the older words."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            days = typed.whole("days_ahead", 1, MOST_DAYS)
            copy_to = typed.text("copy_to", most=400, required=False)
            password = secret(data, "password")
            if password != secret(data, "again"):
                typed.fault("again", "not-the-same", "This is not the same.", "Type the words twice.")
        set_downtime(session, actor=actor, password=password, days_ahead=days, copy_to=copy_to, at=now)

    try:
        database.write(act)
    except Refused as refused:
        kept = {name: value for name, value in data.items() if name not in ("password", "again")}
        return _setting_page(database, site, settings.data, now, refused=refused, typed=kept)
    return Redirect("/office/downtime?done=true", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [packs, take, take_now, setting, change]
