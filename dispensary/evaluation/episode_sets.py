"""Episodes that were kept elsewhere: bringing a file in under a name, and reading its retention as of the clinic's own.

They stand in tables of their own and touch no record of the clinic. Their clients are digests under a key for the name,
so that neither the file's numbers nor two files can be laid over them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace as with_
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select

from dispensary.database import ReadSession, WriteSession
from dispensary.evaluation.cohorts import both, split
from dispensary.evaluation.episode_files import EpisodeFile, EpisodeLine
from dispensary.evaluation.episode_models import EpisodeSet, ImportedEpisode
from dispensary.evaluation.retention import NO_GAP, Question, Records, Retention, check_moment, faults_of, taken
from dispensary.evaluation.rules import DEFAULT_ROLES, IN_TREATMENT, Observed, Role, Stay, until
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import new_id

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)
_ROWS_AT_ONCE = 5000


def bring_in(
    session: WriteSession, *, actor: Actor, name: str, file: EpisodeFile, at: datetime, replace: bool = False
) -> EpisodeSet:
    """Keeps the episodes of a file under a name; with `replace` instead of those that have it. Raises Refused.

    What a client is called in the file is not kept: only its keyed digest is.
    """
    if not _NAME.fullmatch(name):
        remedy = "Use up to 40 small letters, digits, dots, hyphens and underscores."
        raise BadInput(Refusal("name", f"“{name[:40]}” cannot be a name of episodes.", remedy, field="name"))
    before = session.scalar(select(EpisodeSet).where(EpisodeSet.name == name))
    if before is not None and not replace:
        sentence = f"There are episodes called {name} already, of {before.imported_at:%Y-%m-%d}."
        raise Refused(Refusal("there-already", sentence, "Choose another name, or replace them with --replace."))
    if before is not None:
        session.execute(delete(EpisodeSet).where(EpisodeSet.id == before.id))
    of = defaultdict[bytes, list[EpisodeLine]](list)
    for line in file.lines:
        of[session.vault.blind(f"imported episodes of {name}", line.client.casefold())].append(line)
    made = EpisodeSet(
        id=new_id(),
        name=name,
        site_id=actor.site_id,
        imported_at=at,
        strata=list(file.strata),
        seen_to=file.seen_to,
        episodes=len(file.lines),
        clients=len(of),
        sha256=file.sha256,
    )
    session.add(made)
    session.flush()
    rows = [
        {
            "set_id": made.id,
            "client_digest": digest,
            "number": number,
            "started_on": line.started,
            "ended_on": line.ended,
            "exit_reason": line.exit_reason,
            "strata": [line.strata[key] for key in file.strata],
        }
        for digest, lines in of.items()
        for number, line in enumerate(sorted(lines, key=lambda line: (line.started, line.line)), 1)
    ]
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        session.execute(insert(ImportedEpisode), rows[begin : begin + _ROWS_AT_ONCE])
    audit.record(
        session,
        actor=actor,
        act="replaced imported episodes" if before is not None else "imported episodes",
        subject="episode_set",
        subject_id=made.id,
        at=at,
        details={"name": name, "episodes": made.episodes, "clients": made.clients, "sha256": file.sha256.hex()}
        | ({"instead_of": before.id} if before is not None else {}),
    )
    return made


def forget(session: WriteSession, *, actor: Actor, name: str, at: datetime) -> EpisodeSet:
    """Removes the episodes of this name, every one. Raises NotThere."""
    gone = episode_set(session, name)
    session.execute(delete(EpisodeSet).where(EpisodeSet.id == gone.id))
    audit.record(
        session,
        actor=actor,
        act="forgot imported episodes",
        subject="episode_set",
        subject_id=gone.id,
        at=at,
        details={"name": name, "episodes": gone.episodes, "clients": gone.clients},
    )
    return gone


def episode_set(session: ReadSession, name: str) -> EpisodeSet:
    """The episodes of this name. Raises NotThere, which says what names there are."""
    found = session.scalar(select(EpisodeSet).where(EpisodeSet.name == name))
    if found is None:
        names = list(session.scalars(select(EpisodeSet.name).order_by(EpisodeSet.name)))
        remedy = f"There are {', '.join(names)}." if names else "Bring them in with `dispensary import episodes`."
        raise NotThere(Refusal("no-episodes", f"There are no episodes called “{name[:40]}”.", remedy, field="episodes"))
    return found


def retention_of(session: ReadSession, *, kept: EpisodeSet, question: Question) -> Retention:
    """Answers the question from episodes that were kept elsewhere. Raises BadInput.

    A stay is an episode as its file has it; with a gap, one that begins at most so many whole days after the end of
    another continues it. One without an end is censored at the last day that the records know.
    """
    check_moment(question.period, question.as_of, question.as_of)
    every = _stays(session, kept, question.gap_days)
    reasons = {stay.exit_reason for stay, _ in every if stay.exit_reason}
    faults = faults_of(question, strata=kept.strata, reasons=reasons | DEFAULT_ROLES.keys(), least_gap=NO_GAP)
    if faults:
        raise BadInput(*faults)
    question = with_(question, roles={**dict.fromkeys(sorted(reasons), Role.EVENT), **question.roles})
    inside = {
        (stay.client_id, stay.number): (stay, values)
        for stay, values in every
        if question.period.from_day <= stay.first_day < question.period.until_day
    }
    observed, left_out = taken(question, [(stay, _seen(stay, question)) for stay, _ in inside.values()])
    at = [kept.strata.index(key) for key in question.by]
    first, all_stays = both(observed, scale=question.scale, months=question.months)
    return Retention(
        question,
        (),
        first=first,
        all=all_stays,
        split=split(
            observed,
            {key: tuple(values[n] for n in at) for key, (_, values) in inside.items()},
            by=question.by,
            scale=question.scale,
            months=question.months,
            least=question.least,
        )
        if question.by
        else None,
        outside_period=len(every) - len(inside),
        never_dosed=0,
        in_gap=0,
        left_out=left_out,
        records=Records(kept.name, kept.imported_at, kept.seen_to, kept.episodes, kept.clients, kept.sha256.hex()),
    )


def _stays(session: ReadSession, kept: EpisodeSet, gap_days: int) -> list[tuple[Stay, Sequence[str]]]:
    """The stays with the strata of the line that began each, client by client in order."""
    rows = session.execute(
        select(
            ImportedEpisode.client_digest,
            ImportedEpisode.started_on,
            ImportedEpisode.ended_on,
            ImportedEpisode.exit_reason,
            ImportedEpisode.strata,
        )
        .where(ImportedEpisode.set_id == kept.id)
        .order_by(ImportedEpisode.client_digest, ImportedEpisode.number)
    )
    found: list[tuple[Stay, Sequence[str]]] = []
    for digest, started, ended, reason, strata in rows:
        client = UUID(bytes=digest)
        ends: dict[str, Any] = {"last_day": ended or kept.seen_to, "ended_on": ended, "exit_reason": reason}
        before = found[-1][0] if found and found[-1][0].client_id == client else None
        if before is None:
            number = 1
        elif gap_days and (started - before.last_day).days <= gap_days:
            found[-1] = (with_(before, **ends), found[-1][1])
            continue
        else:
            number = before.number + 1
            found[-1] = (with_(before, came_back=True), found[-1][1])
        stay = Stay(client_id=client, number=number, first_day=started, came_back=False, as_of_day=kept.seen_to, **ends)
        found.append((stay, strata))
    return found


def _seen(stay: Stay, question: Question) -> Observed:
    if stay.ended_on is None or stay.exit_reason is None:
        return until(stay, stay.as_of_day, question.scale, IN_TREATMENT, Role.CENSORED)
    role = question.roles.get(stay.exit_reason, Role.EVENT)
    return until(stay, stay.ended_on, question.scale, stay.exit_reason, role)
