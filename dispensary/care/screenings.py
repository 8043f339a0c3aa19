"""Screenings: an instrument is asked of a client, what it comes to is kept, and a risk is told at once.

What it finds says where to look further. It decides about no dose and about nothing that is carried home.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, insert, select

from dispensary.care.instrument_setting import Used, asks_besides, in_use, may_use, the_instrument, treats
from dispensary.care.instruments import Answers, Instrument, Score, Scored, faults, instruments, kept, score
from dispensary.care.screening import BadAnswers
from dispensary.care.screening_models import ScreeningScore, ScreeningTaken
from dispensary.clients.models import Episode
from dispensary.clients.own import own_client
from dispensary.clients.own_keys import refuse_erased
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.alerts import keep_alerts
from dispensary.monitoring.judged import Caused
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId, SiteId, months_after

LONGEST_REASON = 500
_CUT_OFF = "positive_from"
"""Under which the cut-off by which a screening was judged is kept among its answers."""


@dataclass(frozen=True)
class Taken:
    """A screening as it is listed."""

    id: UUID
    instrument: Instrument
    taken_on: date
    recorded_at: datetime
    by: str
    scores: tuple[Score, ...]
    voided: bool

    @property
    def whole(self) -> Score | None:
        """The score of the whole, for an instrument that has one."""
        return next((each for each in self.scores if not each.part), None)


@dataclass(frozen=True)
class Opened:
    """A screening with its answers, judged as it was then."""

    taken: Taken
    answers: Answers
    scored: Scored
    why_voided: str


@dataclass(frozen=True)
class DueScreening:
    """An instrument that is due again for a client, or for the first time."""

    client_id: ClientId
    instrument: Instrument
    due_on: date
    last_on: date | None


def screen(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    instrument: str,
    answers: Answers,
    taken_on: date,
    key: UUID,
    today: date,
    at: datetime,
) -> ScreeningTaken:
    """Keeps what was answered and what it came to. The same key again is the same screening.

    Who asks as a peer worker asks own clients alone. An answer that says somebody may end their life opens an urgent
    alert for the site's role, whatever the sum is.
    Raises NotThere, NotAllowed for somebody who may not ask it, BadInput with the item that is wrong,
    Refused for somebody who was erased.
    """
    used = the_instrument(session, instrument, site_id=actor.site_id)
    if refusal := may_use(session, used, actor=actor, today=today):
        raise NotAllowed(refusal)
    refuse_others_clients(session, used, actor=actor, client_id=client_id)
    if not today.replace(year=today.year - 1, day=min(today.day, 28)) <= taken_on <= today:
        raise BadInput(Refusal("taken-on", "It was asked within the last year.", "Correct it.", field="taken_on"))
    if wrong := faults(used.instrument, answers):
        raise BadInput(*(_refusal(each) for each in wrong))
    try:
        said = kept(used.instrument, answers)
        scored = score(used.instrument, said, positive_from=used.positive_from)
    except BadAnswers as reason:
        raise BadInput(_refusal(reason)) from None
    lock_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    known = session.get(ScreeningTaken, key)
    if known is not None:
        if (known.client_id, known.taken_by) != (client_id, actor.account_id):
            raise Refused(Refusal("another-form", "This form was sent before for somebody else.", "Open it anew."))
        return known
    assert actor.account_id is not None, "people screen"
    judged = {**said, _CUT_OFF: str(used.positive_from)} if used.positive_from else said
    row = ScreeningTaken(
        id=key,
        client_id=client_id,
        site_id=actor.site_id,
        instrument=instrument,
        taken_on=taken_on,
        taken_by=actor.account_id,
        recorded_at=at,
        answers_sealed=session.vault.seal("screening.answers", key, json.dumps(judged), of=client_id),
    )
    session.add(row)
    session.flush()
    if scored.scores:
        session.execute(
            insert(ScreeningScore),
            [
                {"screening_id": key, "part": each.part, "points": each.points, "band": each.band}
                for each in scored.scores
            ],
        )
    if scored.risk is not None:
        caused = Caused(f"screening: {instrument}", used.risk_role, scored.risk, (str(key),))
        keep_alerts(session, {client_id: [caused]}, site_id=actor.site_id, at=at)
    audit.record(
        session,
        actor=actor,
        act="screened",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"screening": key, "instrument": instrument},
    )
    return row


def refuse_others_clients(session: ReadSession, used: Used, *, actor: Actor, client_id: ClientId) -> None:
    """Raises NotThere where the actor asks as a peer worker alone, and the client is not one of theirs."""
    if not treats(used, actor) and asks_besides(used, actor) == {Role.PEER_WORKER}:
        own_client(session, actor=actor, client_id=client_id)


@dataclass(frozen=True)
class Told:
    """What whoever asks without treating is told of a screening of their own."""

    instrument: Instrument
    taken_on: date
    bands: tuple[tuple[str, str], ...]
    """Part and band, where the site's setting says that they are told; nothing is told of points or answers."""
    risk: bool
    """That an answer is assessed by somebody at once, which they have heard themselves."""


def told_of(session: ReadSession, *, actor: Actor, client_id: ClientId, screening_id: UUID) -> Told:
    """What the actor is told of what they asked themselves. Raises NotThere for another's, or one taken back."""
    opened = screening_of(session, client_id=client_id, screening_id=screening_id)
    row = session.get_one(ScreeningTaken, screening_id)
    used = in_use(session, site_id=actor.site_id)[row.instrument]
    if row.taken_by != actor.account_id or row.site_id != actor.site_id or opened.taken.voided:
        raise NotThere(Refusal("no-screening", "There is no such screening.", "Look at the client's page again."))
    refuse_others_clients(session, used, actor=actor, client_id=client_id)
    bands = tuple((each.part, each.band) for each in opened.taken.scores if each.band) if used.band_told else ()
    return Told(used.instrument, opened.taken.taken_on, bands, opened.scored.risk is not None)


def take_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, screening_id: UUID, reason: str, at: datetime
) -> None:
    """Takes back what was entered in error; it stays on record and counts nowhere. Taken back, it stays so.

    An alert that it opened stays until somebody closes it. Raises NotAllowed, NotThere, BadInput without a reason.
    """
    _refuse_others(actor)
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise BadInput(Refusal("void-reason", "Say what was wrong.", "Write a sentence.", field="void_reason"))
    lock_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    row = _row(session, client_id, screening_id)
    if row.voided_at is not None:
        return
    row.voided_at, row.voided_by = at, actor.account_id
    row.void_reason_sealed = session.vault.seal("screening.void_reason", row.id, reason.strip(), of=client_id)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="took screening back",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"screening": row.id},
    )


def screenings_of(session: ReadSession, *, client_id: ClientId) -> list[Taken]:
    """Every screening of a client, the newest first; those that were taken back too."""
    rows = session.execute(
        select(ScreeningTaken, Account.name)
        .join(Account, Account.id == ScreeningTaken.taken_by)
        .where(ScreeningTaken.client_id == client_id)
        .order_by(ScreeningTaken.taken_on.desc(), ScreeningTaken.recorded_at.desc())
    ).all()
    scores = _scores(session, [row.id for row, _ in rows])
    return [_taken(row, by, scores.get(row.id, ())) for row, by in rows if row.instrument in instruments()]


def screening_of(session: ReadSession, *, client_id: ClientId, screening_id: UUID) -> Opened:
    """One with its answers. Raises NotThere, or Refused for somebody who was erased: nobody can open them any more."""
    refuse_erased(session, client_id)
    row = _row(session, client_id, screening_id)
    by = session.get_one(Account, row.taken_by).name
    answers: dict[str, str] = json.loads(session.vault.open("screening.answers", row.id, row.answers_sealed))
    cut_off = answers.pop(_CUT_OFF, None)
    instrument = instruments()[row.instrument]
    sealed = row.void_reason_sealed
    return Opened(
        _taken(row, by, _scores(session, [row.id]).get(row.id, ())),
        answers,
        score(instrument, answers, positive_from=int(cut_off) if cut_off else None),
        session.vault.open("screening.void_reason", row.id, sealed) if sealed else "",
    )


def due_screenings(
    session: ReadSession, *, site_id: SiteId, until: date, client_id: ClientId | None = None
) -> list[DueScreening]:
    """What is due by a day at a site, the longest due first: for everybody in treatment, or for one client.

    An instrument is due for the site's own interval alone: with the stay's first day, then so long after the last.
    """
    watched = {key: each for key, each in in_use(session, site_id=site_id).items() if each.used and each.every_months}
    if not watched:
        return []
    stays = select(Episode.client_id, Episode.began_on).where(
        Episode.site_id == site_id, Episode.ended_on.is_(None), Episode.began_on <= until
    )
    last = select(ScreeningTaken.client_id, ScreeningTaken.instrument, func.max(ScreeningTaken.taken_on)).where(
        ScreeningTaken.voided_at.is_(None), ScreeningTaken.instrument.in_(list(watched))
    )
    if client_id is not None:
        stays = stays.where(Episode.client_id == client_id)
        last = last.where(ScreeningTaken.client_id == client_id)
    else:
        last = last.where(ScreeningTaken.client_id.in_(stays.with_only_columns(Episode.client_id)))
    taken: dict[tuple[UUID, str], date] = {
        (who, key): day for who, key, day in session.execute(last.group_by("client_id", "instrument"))
    }
    found = []
    for who, began in session.execute(stays):
        for key, each in watched.items():
            day = taken.get((who, key))
            assert each.every_months is not None
            due_on = began if day is None else months_after(day, each.every_months)
            if due_on <= until:
                found.append(DueScreening(ClientId(who), each.instrument, due_on, day))
    return sorted(found, key=lambda each: (each.due_on, str(each.client_id), each.instrument.key))


def _refusal(reason: BadAnswers) -> Refusal:
    return Refusal("bad-answer", str(reason), reason.remedy, field=reason.item)


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.CARE):
        raise NotAllowed(Refusal("may-not-care", "Your work at this site does not include this.", "Ask a nurse."))


def _row(session: ReadSession, client_id: ClientId, screening_id: UUID) -> ScreeningTaken:
    row = session.get(ScreeningTaken, screening_id)
    if row is None or row.client_id != client_id or row.instrument not in instruments():
        raise NotThere(Refusal("no-screening", "There is no such screening.", "Look at the client's page again."))
    return row


def _taken(row: ScreeningTaken, by: str, scores: Sequence[Score]) -> Taken:
    instrument = instruments()[row.instrument]
    return Taken(row.id, instrument, row.taken_on, row.recorded_at, by, tuple(scores), row.voided_at is not None)


def _scores(session: ReadSession, ids: Sequence[UUID]) -> Mapping[UUID, list[Score]]:
    found: dict[UUID, list[Score]] = {}
    rows = session.scalars(
        select(ScreeningScore).where(ScreeningScore.screening_id.in_(ids)).order_by(ScreeningScore.part)
    )
    for row in rows:
        found.setdefault(row.screening_id, []).append(Score(row.part, row.points, row.band))
    return found
