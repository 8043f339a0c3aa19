"""Results by file: uploaded, looked at line by line, taken or put away; and how a laboratory writes its files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, FromQuery, MultipartBody
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.database import Database, WriteSession
from dispensary.monitoring.analytes import analytes
from dispensary.monitoring.comparing import TAKEN, Verdict
from dispensary.monitoring.importing import (
    files_of,
    lines_of,
    mapping_of,
    put_away,
    receive,
    set_mapping,
    take,
    the_file,
    the_laboratory,
)
from dispensary.monitoring.incoming import LARGEST_FILE, Format, Mapped, Named
from dispensary.monitoring.incoming_csv import COLUMNS, DAYS, NEEDED
from dispensary.monitoring.result_models import Laboratory
from dispensary.monitoring.results import laboratory
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/consulting/results/import"
_ORDER = (Verdict.FAULT, Verdict.QUESTION, Verdict.UNKNOWN, Verdict.CORRECTS, Verdict.WITHDRAWS, Verdict.NEW)


@get(HERE, sync_to_thread=True, guards=[requires_health_watcher])
def upload_page(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """Where a file is chosen; the files that wait, and what became of the last ones."""
    return _upload(database, site, done=done)


def _upload(
    database: Database,
    site: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        laboratories = session.scalars(
            select(Laboratory).where(Laboratory.site_id == site.id).order_by(Laboratory.name)
        ).all()
        files = files_of(session, site_id=site.id)
    return page(
        "consulting/results_import.html",
        here_url=HERE,
        laboratories=laboratories,
        names={each.id: each.name for each in laboratories},
        files=files,
        done=done,
        refused=refused,
        typed={name: value for name, value in (typed or {}).items() if isinstance(value, str)},
    )


@post(HERE, sync_to_thread=True, guards=[requires_health_watcher])
def upload(
    data: MultipartBody[dict[str, Any]], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Keeps a file until somebody has looked at it. One that cannot be read is refused, and its laboratory stays."""
    now = clock()
    sent = data.get("file")
    content = sent.file.read(LARGEST_FILE + 1) if isinstance(sent, UploadFile) else b""
    name = sent.filename if isinstance(sent, UploadFile) else ""
    try:
        with Typed(data) as typed:
            called = typed.text("laboratory", most=120)
            format = typed.choice("format", Format)
            if not content:
                typed.fault("file", "missing", "No file was chosen.", "Choose one.")
        # In a unit of its own: where the file is refused for its headers, they are said to be of this laboratory.
        from_id = database.write(lambda session: laboratory(session, actor=actor, name=called).id)
        file_id = database.write(
            lambda session: (
                receive(
                    session, actor=actor, laboratory_id=from_id, format=format, name=name, content=content, at=now
                ).id
            )
        )
    except Refused as refused:
        return _upload(database, site, refused=refused, typed=data)
    return Redirect(f"{HERE}/{file_id}", status_code=303)


@get(HERE + "/{file_id:uuid}", sync_to_thread=True, guards=[requires_health_watcher])
def look(file_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """What would become of each line; or, of a file that was taken, what was left out of it. The look is audited."""
    return _look(database, actor, site, file_id, clock())


def _look(
    database: Database,
    actor: Actor,
    site: Place,
    file_id: UUID,
    now: datetime,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    def act(session: WriteSession) -> Template:
        file = the_file(session, actor=actor, file_id=file_id)
        lines = [] if file.closed_at else lines_of(session, actor=actor, file=file, today=site.dose_day(now))
        audit.record(
            session,
            actor=actor,
            act="looked at file of results",
            subject="site",
            subject_id=actor.site_id,
            at=now,
            details={"file": str(file_id)},
        )
        return page(
            "consulting/results_file.html",
            here_url=HERE,
            file=file,
            laboratory=session.get_one(Laboratory, file.laboratory_id),
            groups=[(verdict, [line for line in lines if line.verdict is verdict]) for verdict in _ORDER],
            counts={verdict.name: sum(line.verdict is verdict for line in lines) for verdict in Verdict},
            good=sum(line.verdict in TAKEN for line in lines),
            sure=set(several(typed or {}, "sure")),
            refused=refused,
            typed=typed,
        )

    return database.write(act)


@post(HERE + "/{file_id:uuid}", sync_to_thread=True, guards=[requires_health_watcher])
def accept(
    file_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes the file: all of it, or its good lines where that is ticked."""
    now = clock()
    sure = [int(each) for each in several(data, "sure") if each.isascii() and each.isdigit() and len(each) < 6]
    return done_or_again(
        database,
        lambda session: take(
            session,
            actor=actor,
            file_id=file_id,
            today=site.dose_day(now),
            at=now,
            sure=sure,
            keep_good=one(data, "keep_good") == "yes",
        ),
        then=lambda _: f"{HERE}/{file_id}",
        else_again=lambda refused: _look(database, actor, site, file_id, now, refused=refused, typed=data),
    )


@post(HERE + "/{file_id:uuid}/away", sync_to_thread=True, guards=[requires_health_watcher])
def away(file_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Redirect:
    """Forgets a file that nobody wants."""
    now = clock()
    database.write(lambda session: put_away(session, actor=actor, file_id=file_id, at=now))
    return Redirect(f"{HERE}?done=away", status_code=303)


@get(HERE + "/laboratory/{laboratory_id:uuid}", sync_to_thread=True, guards=[requires_health_watcher])
def mapping_page(laboratory_id: FromPath[UUID], database: TheDatabase, actor: TheActor) -> Template:
    """How a laboratory writes its files."""
    return _mapping(database, actor, laboratory_id)


def _mapping(
    database: Database,
    actor: Actor,
    laboratory_id: UUID,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        place = the_laboratory(session, actor, laboratory_id)
        mapped = mapping_of(session, laboratory_id=laboratory_id)
    tests = "\n".join(
        f"{name} = {named.analyte}{f', {named.unit}' if named.unit else ''}" for name, named in mapped.tests.items()
    )
    return page(
        "consulting/results_mapping.html",
        here_url=HERE,
        laboratory=place,
        mapped=mapped,
        tests=tests,
        columns=COLUMNS,
        needed=NEEDED,
        days=[(code, example) for code, example in DAYS.items()],
        known=[(each.code, each.name, [unit for unit in each.all_units() if unit]) for each in analytes().values()],
        refused=refused,
        typed=typed,
    )


@post(HERE + "/laboratory/{laboratory_id:uuid}", sync_to_thread=True, guards=[requires_health_watcher])
def keep_mapping(
    laboratory_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """Keeps how a laboratory writes its files, for every file from now on."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            columns = {what: typed.text(f"column_{what}", most=60, required=False) for what in COLUMNS}
            text = typed.text("tests", most=8000, required=False)
            tests: dict[str, Named] = {}
            for line in filter(None, (each.strip() for each in text.splitlines())):
                name, _, meant = line.partition("=")
                analyte, _, unit = (part.strip() for part in meant.partition(","))
                if not name.strip() or not analyte:
                    typed.fault("tests", "no-test", f"“{line[:40]}” does not say what it means.", "Write: GPT = alt")
                tests[name.strip()[:120]] = Named(analyte[:40], unit[:40])
        mapped = Mapped({what: header for what, header in columns.items() if header}, tests, one(data, "day"))
        set_mapping(session, actor=actor, laboratory_id=laboratory_id, mapped=mapped, at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=mapping",
        else_again=lambda refused: _mapping(database, actor, laboratory_id, refused=refused, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [upload_page, upload, look, accept, away, mapping_page, keep_mapping]
