"""A digit that answers a text of ours which asked for one: would you like to talk, how was the visit, and the wait."""

from __future__ import annotations

from typing import Final

from dispensary.clients.surveys import new_link
from dispensary.phone import tasks
from dispensary.phone.feedback import OPEN_FOR, answer_visit, answer_wait
from dispensary.phone.memory import Ask, told_since
from dispensary.phone.talk import Reply, Talk, Writer
from notifications.commands import Verb

ASKS_FOR_A_DIGIT: Final = ("missed_today", "caring", "feedback_visit")
"""The kinds of texts that a digit answers, when it comes within a day and nothing else was answered since."""


def digit(talk: Talk) -> Reply | None:
    """What a bare number means to the latest text that asked for one; nothing when it answers none."""
    number = talk.command.choice
    if talk.command.verb is not Verb.CHOOSE or number is None:
        return None
    told = told_since(talk.session, talk.phone, talk.memory.said, kinds=ASKS_FOR_A_DIGIT)
    if told is not None and talk.at - told.at <= OPEN_FOR:
        writer = next((each for each in talk.writers if each.client_id == told.recipient_id), None)
        if writer is not None and told.kind in ("missed_today", "caring") and number == 1:
            return _wants_to_talk(talk, writer)
        if writer is not None and told.kind == "feedback_visit":
            return _of_visit(talk, writer, number)
    asked = talk.asked
    if asked is None or asked.ask is not Ask.FEEDBACK or asked.answer is None:
        return None
    visited = answer_wait(talk.session, answer_id=asked.answer, number=number)
    if visited is None:
        return None
    link = new_link(talk.session, site_id=visited, at=talk.at)
    return Reply("feedback", "feedback_more", {"link": link}) if link else Reply("feedback", "feedback_thanks")


def _wants_to_talk(talk: Talk, writer: Writer) -> Reply:
    tasks.leave_task(talk.session, cause=tasks.TALK, client_id=writer.client_id, site_id=writer.place.id, at=talk.at)
    return Reply("wants to talk", "talk_soon", about=writer)


def _of_visit(talk: Talk, writer: Writer, number: int) -> Reply | None:
    answer = answer_visit(talk.session, client_id=writer.client_id, site=writer.place, number=number, at=talk.at)
    if answer is None:
        return None
    return Reply("feedback", "feedback_wait", asked=talk.asks(Ask.FEEDBACK, Verb.CHOOSE, answer=answer))
