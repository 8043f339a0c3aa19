"""What staff do about the queue of their own site: called, called again, not there, asked and back, sooner, left.

Asked again for what is done already, they answer like the first time. What would be done twice by a repeated request
has a key: a lost answer is asked for again, and nobody else is called by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import scheduling.service
import scheduling.waiting
from dispensary.database import WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.staff.service import refuse_unless_runs_site
from scheduling import calling
from scheduling.models import Visit
from scheduling.queue_rules import QueueRules, faults_in
from scheduling.rules import NotFound

_CALLED: Final = "called"
_AGAIN: Final = "called again"
_NOT_THERE: Final = "was not there"


def call_next(session: WriteSession, *, actor: Actor, window: int, key: UUID, at: datetime) -> Visit | None:
    """Calls whoever is next in the queue to this window, or nobody when none waits. Raises NotThere.

    Asked again under the same key, it is the person whom the first call was for, and nobody else is called.
    """
    with _where_it_is():
        before = calling.first_answer(session, place_id=actor.site_id, key=key, act=_CALLED)
        visit = before or calling.call_next(session, place_id=actor.site_id, window=window, now=at)
    if visit is not None and before is None:
        calling.keep_answer(session, visit=visit, key=key, act=_CALLED, now=at)
        _write_down(session, actor, visit, _CALLED, at, {"window": window})
    return visit


def call_again(session: WriteSession, *, actor: Actor, visit_id: UUID, window: int, key: UUID, at: datetime) -> Visit:
    """Calls somebody once more, or out of turn, to this window; once for each key. Raises NotThere."""
    _visit_here(session, actor, visit_id)
    before = calling.first_answer(session, place_id=actor.site_id, key=key, act=_AGAIN)
    if before is not None:
        return before
    with _where_it_is():
        visit = calling.call(session, visit_id=visit_id, window=window, now=at)
    calling.keep_answer(session, visit=visit, key=key, act=_AGAIN, now=at)
    _write_down(session, actor, visit, _AGAIN, at, {"window": window, "calls": visit.calls})
    return visit


def not_there(session: WriteSession, *, actor: Actor, visit_id: UUID, key: UUID, at: datetime) -> Visit:
    """Called and not there: back into the queue, or set aside for reception to ask. Raises NotThere.

    Once for each key: a repeated request does not send them back who have been called again meanwhile.
    """
    _visit_here(session, actor, visit_id)
    first = calling.first_answer(session, place_id=actor.site_id, key=key, act=_NOT_THERE)
    if first is not None:
        return first
    before = session.get_one(Visit, visit_id, with_for_update={"key_share": True}, populate_existing=True).skips
    visit = calling.skip(session, visit_id=visit_id, now=at)
    calling.keep_answer(session, visit=visit, key=key, act=_NOT_THERE, now=at)
    if visit.skips != before:
        _write_down(session, actor, visit, _NOT_THERE, at, {"skips": visit.skips})
    return visit


def serve(session: WriteSession, *, actor: Actor, visit_id: UUID, window: int, at: datetime) -> Visit:
    """They are at this window and their turn has begun; the first such moment stays. Raises NotThere."""
    _visit_here(session, actor, visit_id)
    began = session.get_one(Visit, visit_id, with_for_update={"key_share": True}, populate_existing=True).started_at
    with _where_it_is():
        calling.check_window(window)
        visit = scheduling.service.start(session, visit_id=visit_id, now=at, window=window)
    if began is None and visit.started_at is not None:
        _write_down(session, actor, visit, "came to the window", at, {"window": visit.at_window})
    return visit


def back_in_queue(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> Visit:
    """Asked, and there: they wait again in their old turn. Raises NotThere."""
    _visit_here(session, actor, visit_id)
    visit = calling.put_back(session, visit_id=visit_id)
    _write_down(session, actor, visit, "put back in the queue", at, {})
    return visit


def has_left(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> Visit:
    """They left without being served; the day's figures count it, and nothing else follows from it. Raises NotThere."""
    _visit_here(session, actor, visit_id)
    ended = session.get_one(Visit, visit_id, with_for_update={"key_share": True}, populate_existing=True).ended_at
    visit = calling.leave(session, visit_id=visit_id, now=at)
    if ended is None:
        _write_down(session, actor, visit, "left unserved", at, {})
    return visit


def comes_sooner(session: WriteSession, *, actor: Actor, visit_id: UUID, word: str, at: datetime) -> Visit:
    """Gives a word of the site's list, by which they come sooner, or takes it back. Raises NotThere and BadInput.

    A word may tell of somebody's health, so that whoever may not look at records gives none (`starts_sooner`).
    """
    groups = scheduling.waiting.queue_rules(session, actor.site_id).groups
    if word and (word not in {group.word for group in groups} or not actor.may(Act.LOOK_AT_CLIENT)):
        raise _no_group("word")
    return _goes(session, actor, visit_id, at, lambda: calling.give_group(session, visit_id=visit_id, word=word))


def starts_sooner(session: WriteSession, *, actor: Actor, visit_id: UUID, minutes: int, at: datetime) -> Visit:
    """They come sooner by the minutes of one of the site's groups, and nobody says why; by 0 as others do.

    It is for reception, who sees of nobody why they go first. Raises NotThere and BadInput.
    """
    groups = scheduling.waiting.queue_rules(session, actor.site_id).groups
    if minutes and minutes not in {group.minutes for group in groups}:
        raise _no_group("minutes")
    return _goes(session, actor, visit_id, at, lambda: calling.give_start(session, visit_id=visit_id, minutes=minutes))


def _no_group(field: str) -> BadInput:
    return BadInput(Refusal("no-group", "This site has no such group.", "Choose one of the list.", field=field))


def _goes(session: WriteSession, actor: Actor, visit_id: UUID, at: datetime, act: Callable[[], Visit]) -> Visit:
    there = _visit_here(session, actor, visit_id)
    before = there.group_word, there.priority
    visit = act()
    if (visit.group_word, visit.priority) != before:
        _write_down(session, actor, visit, "comes sooner" if visit.priority else "comes as others do", at, {})
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


@contextmanager
def _where_it_is() -> Iterator[None]:
    """Says of a site without a queue, or a window that is none, that it is not there. Raises NotThere."""
    try:
        yield
    except NotFound as reason:
        raise NotThere(Refusal(reason.code, reason.sentence, "Look at the queue again.")) from None


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
