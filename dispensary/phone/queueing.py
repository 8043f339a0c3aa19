"""What staff do about the queue of their own site: called again, not there, asked and back, sooner, left.

Asked again for what is done already, they answer like the first time.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import scheduling.waiting
from dispensary.database import WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from scheduling import calling
from scheduling.models import Visit
from scheduling.queue_rules import QueueRules, faults_in


def call_again(session: WriteSession, *, actor: Actor, visit_id: UUID, window: int, at: datetime) -> Visit:
    """Calls somebody once more, or out of turn, to this window. Raises NotThere."""
    _visit_here(session, actor, visit_id)
    visit = calling.call(session, visit_id=visit_id, window=window, now=at)
    _write_down(session, actor, visit, "called again", at, {"window": window, "calls": visit.calls})
    return visit


def not_there(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> Visit:
    """Called and not there: back into the queue, or set aside for reception to ask. Raises NotThere."""
    before = _visit_here(session, actor, visit_id).skips
    visit = calling.skip(session, visit_id=visit_id, now=at)
    if visit.skips != before:
        _write_down(session, actor, visit, "was not there", at, {"skips": visit.skips})
    return visit


def back_in_queue(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> Visit:
    """Asked, and there: they wait again in their old turn. Raises NotThere."""
    _visit_here(session, actor, visit_id)
    visit = calling.put_back(session, visit_id=visit_id)
    _write_down(session, actor, visit, "put back in the queue", at, {})
    return visit


def has_left(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> Visit:
    """They left without being served; the day's figures count it, and nothing else follows from it. Raises NotThere."""
    ended = _visit_here(session, actor, visit_id).ended_at
    visit = calling.leave(session, visit_id=visit_id, now=at)
    if ended is None:
        _write_down(session, actor, visit, "left unserved", at, {})
    return visit


def comes_sooner(session: WriteSession, *, actor: Actor, visit_id: UUID, word: str, at: datetime) -> Visit:
    """Gives a word of the site's list, by which they come sooner, or takes it back. Raises NotThere and BadInput."""
    before = _visit_here(session, actor, visit_id).group_word
    words = [group.word for group in scheduling.waiting.queue_rules(session, actor.site_id).groups]
    if word and word not in words:
        raise BadInput(Refusal("no-group", "This site has no such group.", "Choose one of the list.", field="word"))
    visit = calling.give_group(session, visit_id=visit_id, word=word)
    if visit.group_word != before:
        _write_down(session, actor, visit, "comes sooner" if word else "comes as others do", at, {})
    return visit


def set_queue(session: WriteSession, *, actor: Actor, rules: QueueRules, at: datetime) -> None:
    """Sets how the actor's site calls those who wait. Raises NotAllowed, and BadInput with every fault."""
    refuse_unless_runs_site(actor, actor.site_id)
    faults = faults_in(rules)
    if faults:
        raise BadInput(*(Refusal("bad-queue", sentence, field=field) for field, sentence in faults))
    before = scheduling.waiting.queue_rules(session, actor.site_id)
    calling.set_queue_rules(session, place_id=actor.site_id, rules=rules)
    if before != rules:
        changed = {
            name: [_plain(getattr(before, name)), _plain(value)]
            for name, value in vars(rules).items()
            if getattr(before, name) != value
        }
        audit.record(
            session, actor=actor, act="changed queue", subject="site", subject_id=actor.site_id, at=at, details=changed
        )


def _plain(value: object) -> object:
    return [vars(each) if hasattr(each, "word") else each for each in value] if isinstance(value, tuple) else value


def _visit_here(session: WriteSession, actor: Actor, visit_id: UUID) -> Visit:
    visit = session.get(Visit, visit_id)
    if visit is None or visit.place_id != actor.site_id:
        raise NotThere(Refusal("no-visit", "There is no such ticket here.", "Look at the queue again."))
    return visit


def _write_down(
    session: WriteSession, actor: Actor, visit: Visit, act: str, at: datetime, details: dict[str, object]
) -> None:
    audit.record(
        session,
        actor=actor,
        act=act,
        subject="client",
        subject_id=visit.holder_id,
        at=at,
        details={"visit": visit.id, **details},
    )
