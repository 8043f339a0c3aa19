"""Files of results: looked at line by line before anything is kept, then taken wholly, or with what is left out said.

The same result is kept once, however often a laboratory sends it and in whichever format, or if somebody typed it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID

import msgspec
from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.comparing import LEFT_OUT, TAKEN, Comparison, Line, Verdict
from dispensary.monitoring.incoming import Format, Incoming, Mapped, Sent, meant_by, plain_test
from dispensary.monitoring.incoming_csv import DAYS, read_csv
from dispensary.monitoring.incoming_fhir import read_fhir
from dispensary.monitoring.incoming_hl7 import read_hl7
from dispensary.monitoring.incoming_models import ResultFile, ResultMapping
from dispensary.monitoring.judging import judge_health
from dispensary.monitoring.result_models import Laboratory
from dispensary.monitoring.results import (
    Measurement,
    correct_result,
    enter_results,
)
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId, new_id

_SEALED = "result_file.content"


@dataclass(frozen=True)
class Taken:
    """What came of a file."""

    entered: int
    corrected: int
    already: int
    left_out: Sequence[Line]
    clients: int


def read_file(content: bytes, format: Format, mapped: Mapped) -> Incoming:
    """What the file says. Raises BadInput when it cannot be read as one of its format."""
    if format is Format.CSV:
        return read_csv(content, mapped)
    return read_fhir(content) if format is Format.FHIR else read_hl7(content)


def mapping_of(session: ReadSession, *, laboratory_id: UUID) -> Mapped:
    """How the laboratory writes its files."""
    row = session.get(ResultMapping, laboratory_id)
    return msgspec.convert(row.document, Mapped) if row is not None else Mapped()


def set_mapping(session: WriteSession, *, actor: Actor, laboratory_id: UUID, mapped: Mapped, at: datetime) -> None:
    """Keeps how a laboratory writes its files, from now on. Raises BadInput, NotThere."""
    place = the_laboratory(session, actor, laboratory_id)
    faults = [
        Refusal("analyte", f"“{name}” means “{named.analyte}”, and there is no such test.", field="tests")
        for name, named in mapped.tests.items()
        if meant_by(Sent(line=0, test=named.analyte), {})[0] is None
    ]
    if mapped.day not in DAYS:
        faults.append(Refusal("day", "This way of writing a day is not known.", "Choose one.", field="day"))
    if faults:
        raise BadInput(*faults)
    document = msgspec.to_builtins(
        msgspec.structs.replace(mapped, tests={plain_test(name): named for name, named in mapped.tests.items()})
    )
    row = session.get(ResultMapping, laboratory_id, with_for_update=True)
    if row is None:
        session.add(ResultMapping(laboratory_id=laboratory_id, document=document, set_by=actor.account_id, set_at=at))
    elif row.document == document:
        return
    else:
        row.document, row.set_by, row.set_at = document, actor.account_id, at
    session.flush()
    _write_down(session, actor, "set mapping of results", at, {"laboratory": place.name})


def the_laboratory(session: ReadSession, actor: Actor, laboratory_id: UUID) -> Laboratory:
    """A laboratory of the actor's site. Raises NotThere."""
    place = session.get(Laboratory, laboratory_id)
    if place is None or place.site_id != actor.site_id:
        raise NotThere(Refusal("no-laboratory", "There is no such laboratory here.", field="laboratory"))
    return place


def receive(
    session: WriteSession,
    *,
    actor: Actor,
    laboratory_id: UUID,
    format: Format,
    name: str,
    content: bytes,
    at: datetime,
) -> ResultFile:
    """Keeps a file, sealed, until somebody has looked at it. The same file that waits already is that one.

    Raises BadInput when it cannot be read, NotThere.
    """
    the_laboratory(session, actor, laboratory_id)
    read_file(content, format, mapping_of(session, laboratory_id=laboratory_id))
    digest = sha256(content).digest()
    waiting = select(ResultFile).where(
        ResultFile.laboratory_id == laboratory_id, ResultFile.digest == digest, ResultFile.closed_at.is_(None)
    )
    known = session.scalar(waiting)
    if known is not None and known.format == format.value:
        return known
    if known is not None:
        _close(session, known, actor, at)
    row_id = new_id()
    row = ResultFile(
        id=row_id,
        site_id=actor.site_id,
        laboratory_id=laboratory_id,
        format=format.value,
        name="".join(sign for sign in name if sign.isprintable())[:120],
        digest=digest,
        content_sealed=session.vault.seal(_SEALED, row_id, content),
        uploaded_by=actor.account_id,
        uploaded_at=at,
        left_out=[],
    )
    session.add(row)
    session.flush()
    _write_down(session, actor, "received file of results", at, {"file": str(row_id), "format": format.value})
    return row


def files_of(session: ReadSession, *, site_id: SiteId, most: int = 20) -> Sequence[ResultFile]:
    """The newest files of a site, those that wait first."""
    newest = (ResultFile.closed_at.is_not(None), ResultFile.uploaded_at.desc())
    return session.scalars(select(ResultFile).where(ResultFile.site_id == site_id).order_by(*newest).limit(most)).all()


def the_file(session: ReadSession, *, actor: Actor, file_id: UUID) -> ResultFile:
    """A file of the actor's site. Raises NotThere."""
    row = session.get(ResultFile, file_id)
    if row is None or row.site_id != actor.site_id:
        raise NotThere(Refusal("no-file", "There is no such file here.", "Look at the list again."))
    return row


def lines_of(
    session: ReadSession, *, actor: Actor, file: ResultFile, today: date, sure: Collection[int] = ()
) -> list[Line]:
    """Every value of a file that waits, and what would become of it; `sure` are the places that are right."""
    assert file.content_sealed is not None, "a closed file has no content"
    content = session.vault.open_bytes(_SEALED, file.id, file.content_sealed)
    mapped = mapping_of(session, laboratory_id=file.laboratory_id)
    incoming = read_file(content, Format(file.format), mapped)
    place = session.get_one(Laboratory, file.laboratory_id)
    return Comparison(session, actor, place, mapped, incoming, today, frozenset(sure)).lines()


def take(
    session: WriteSession,
    *,
    actor: Actor,
    file_id: UUID,
    today: date,
    at: datetime,
    sure: Collection[int] = (),
    keep_good: bool = False,
) -> Taken:
    """Takes a file: enters what is new, corrects what the laboratory corrects, and judges all whom it concerns.

    With faults or questions in it, nothing is taken unless `keep_good` says to leave those lines out. Closed already,
    it is refused. Raises BadInput, Refused, NotThere.
    """
    file = session.get(ResultFile, file_id, with_for_update=True)
    if file is None or file.site_id != actor.site_id:
        raise NotThere(Refusal("no-file", "There is no such file here.", "Look at the list again."))
    if file.closed_at is not None:
        raise Refused(Refusal("closed", "This file was taken or put away already.", "Look at the list of files."))
    about = {line.client_id for line in lines_of(session, actor=actor, file=file, today=today) if line.client_id}
    for client_id in sorted(about):
        lock_client(session, client_id, actor.site_id)
    lines = lines_of(session, actor=actor, file=file, today=today, sure=sure)
    wrong = [line for line in lines if line.verdict in (Verdict.FAULT, Verdict.QUESTION)]
    if wrong and not keep_good:
        raise BadInput(
            *(Refusal("line", f"Line {line.sent.line}: {line.why}", field=f"line.{line.place}") for line in wrong[:50])
        )
    _enter(session, actor, file, [line for line in lines if line.verdict is Verdict.NEW], today, at)
    changed = [line for line in lines if line.verdict in (Verdict.CORRECTS, Verdict.WITHDRAWS)]
    for line in changed:
        assert line.stands is not None, "what corrects names what it corrects"
        correct_result(
            session,
            actor=actor,
            result_id=line.stands,
            value=line.sent.value if line.verdict is Verdict.CORRECTS else "",
            unit=_unit(line),
            reason="Corrected by the laboratory."
            if line.verdict is Verdict.CORRECTS
            else "Taken back by the laboratory.",
            at=at,
            sure=True,
            source=file.format,
        )
    touched = sorted({line.client_id for line in lines if line.verdict in TAKEN and line.client_id})
    if touched:
        judge_health(session, site_id=actor.site_id, on=today, at=at, client_ids=touched)
    taken = Taken(
        entered=sum(line.verdict is Verdict.NEW for line in lines),
        corrected=len(changed),
        already=sum(line.verdict is Verdict.ALREADY for line in lines),
        left_out=[line for line in lines if line.verdict in LEFT_OUT],
        clients=len(touched),
    )
    file.left_out = [line.as_json() for line in taken.left_out]
    file.taken = taken.entered + taken.corrected
    _close(session, file, actor, at)
    details: dict[str, object] = {
        "file": str(file.id),
        "format": file.format,
        "entered": taken.entered,
        "corrected": taken.corrected,
        "left_out": len(taken.left_out),
    }
    _write_down(session, actor, "took file of results", at, details)
    return taken


def put_away(session: WriteSession, *, actor: Actor, file_id: UUID, at: datetime) -> ResultFile:
    """Forgets the content of a file that nobody wants; nothing of it is taken. Raises NotThere."""
    file = session.get(ResultFile, file_id, with_for_update=True)
    if file is None or file.site_id != actor.site_id:
        raise NotThere(Refusal("no-file", "There is no such file here.", "Look at the list again."))
    if file.closed_at is None:
        _close(session, file, actor, at)
        _write_down(session, actor, "put file of results away", at, {"file": str(file.id)})
    return file


def _close(session: WriteSession, file: ResultFile, actor: Actor, at: datetime) -> None:
    file.content_sealed, file.closed_at, file.closed_by = None, at, actor.account_id
    session.flush()


def _unit(line: Line) -> str:
    return line.read.measurement.unit if line.read is not None else line.sent.unit


def _enter(
    session: WriteSession, actor: Actor, file: ResultFile, lines: Sequence[Line], today: date, at: datetime
) -> None:
    """Enters new results, what was measured at once together."""
    together: dict[tuple[ClientId, date, str], list[Measurement]] = defaultdict(list)
    for line in lines:
        assert line.client_id is not None
        assert line.sent.on is not None
        assert line.read is not None
        together[line.client_id, line.sent.on, line.sent.panel].append(line.read.measurement)
    for number, ((client_id, on, _), measurements) in enumerate(together.items()):
        enter_results(
            session,
            actor=actor,
            client_id=client_id,
            taken_on=on,
            measurements=measurements,
            key=f"{file.id}/{number}",
            today=today,
            at=at,
            laboratory_id=file.laboratory_id,
            source=file.format,
            sure=True,
        )


def _write_down(session: WriteSession, actor: Actor, act: str, at: datetime, details: Mapping[str, object]) -> None:
    audit.record(session, actor=actor, act=act, subject="site", subject_id=actor.site_id, at=at, details=dict(details))
