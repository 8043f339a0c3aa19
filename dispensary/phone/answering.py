"""What a text means: received once, understood, done and answered, all in one unit of work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

import notifications.service
from dispensary.database import WriteSession
from dispensary.phone import ahead, moving, tasks, verbs
from dispensary.phone.digits import digit
from dispensary.phone.entering import Heard, enter, hear
from dispensary.phone.memory import REPLY, Ask, Asked, Memory, keep, recall, told_since
from dispensary.phone.offering import tell_offers
from dispensary.phone.pins import Gate
from dispensary.phone.rules import named, shows
from dispensary.phone.talk import Reply, Talk, Whose, Writer
from dispensary.staff import audit
from dispensary.staff.rules import the_program
from notifications.commands import Command, Verb, parse
from notifications.gateways import Inbound
from notifications.inbound import Received, receive, record_outcome
from notifications.rules import Wish
from scheduling.rules import NotFound

MISSES = 3
"""So many texts in a row that are not understood ask a human. More of them are kept and not answered: two machines
that answer each other come to an end."""
WORTH_SENDING = timedelta(hours=12)
"""How long a reply is worth sending."""
_SILENT = "not_answered"


@dataclass(frozen=True)
class Answered:
    """What came of a text, in a word, and the message that answers it, if any."""

    outcome: str
    reply_id: UUID | None
    repeated: bool = False
    """It had come before: nothing was done now."""


def answer(session: WriteSession, *, gateway: str, inbound: Inbound, at: datetime) -> Answered:
    """Does what a text asks for and queues the reply, together with it or not at all.

    A second delivery of the same message finds the first one's outcome. A number that no client has is told that it
    is not known, and nothing else. Whatever the text, it never raises for what it says; ValueError for a message
    without a number or an id.
    """
    phone = inbound.phone.strip()
    heard = hear(session, phone=phone, text=inbound.text)
    received = receive(
        session,
        vault=session.vault,
        gateway=gateway,
        message_id=inbound.message_id,
        phone=phone,
        text=heard.read.kept,
        at=at,
        opt_out_type=inbound.opt_out_type,
    )
    if received.repeated:
        return Answered(received.already or "", received.reply_id, repeated=True)
    writers = heard.writers
    if received.already is not None:
        return _wished(session, received, phone, writers, at)
    memory = recall(session, phone=phone, at=at)
    mover = moving.agreeing(session, phone=phone, text=inbound.text, at=at)
    if mover is not None:
        reply = moving.move(session, writer=mover, phone=phone, at=at)
        return _finish(session, received, Talk(session, phone, [mover], Command(), Memory(), at), [mover], reply)
    if not writers:
        return _stranger(session, received, phone, memory, at)
    entered = enter(session, heard, phone=phone, memory=memory, at=at)
    if entered.gate is Gate.SHUT:
        return _record(session, received, "line_shut", None)
    memory = entered.memory
    talk = _talk(session, entered.text, phone, entered.writers, memory, at)
    try:
        reply = _at_gate(talk, entered.gate, heard) or _moving(talk, heard, entered.phone) or _reply(talk)
    except Whose:
        tasks.ask_whose(session, writers=writers, at=at)
        reply = Reply("asked_human", "see_reception", asked=memory.asked)
    except NotFound:  # their site has no opening hours yet
        reply = Reply("refused", "see_reception")
    return _finish(session, received, talk, writers, reply)


def _at_gate(talk: Talk, gate: Gate, heard: Heard) -> Reply | None:
    """The answer to a text that came without the PIN, or with a wrong one; nothing when it may be heard."""
    ask = "ask_text_with_pin" if heard.shared else "ask_pin"
    asked, understood = talk.asked, talk.command.understood
    match gate:
        case Gate.ASK if talk.command.verb is Verb.MENU:
            return verbs.menu(talk)
        case Gate.ASK:
            known = talk.command.verb is not Verb.PIN and (understood or talk.command.choice is not None)
            return Reply("asked_pin", ask, asked=asked, understood=understood or known, before_pin=True, holds=known)
        case Gate.WRONG:
            return Reply("wrong_pin", "wrong_pin", asked=asked, before_pin=True, holds=understood)
        case Gate.SHUTS:
            tasks.ask_of_guesses(talk.session, writers=heard.writers, at=talk.at)
            return Reply("line_shut", "see_reception")
    return None


def _moving(talk: Talk, heard: Heard, typed: str) -> Reply | None:
    """The answer to a PIN alone, and to the wish for another number; nothing when the text is neither."""
    if talk.command.verb is Verb.PIN:  # who has none sets it at the desk
        return verbs.menu(talk) if heard.guard.by_digest else Reply("refused", "see_reception")
    return moving.ask_move(talk, typed, heard) if talk.command.verb is Verb.NUMBER else None


def _talk(session: WriteSession, written: str, phone: str, writers: list[Writer], memory: Memory, at: datetime) -> Talk:
    """Reads the text, and finds out who is meant on a shared phone: named in it, or asked before."""
    text, chosen = named(written, {writer.number: writer.client_id for writer in writers})
    today = at.astimezone(ZoneInfo(writers[0].place.zone)).date()
    wrote = next((writer for writer in writers if writer.client_id == chosen), writers[0])
    command = parse(text, today, wrote.language)
    asked = memory.asked
    if asked is not None:
        goes_on = command.verb in (None, Verb.CHOOSE, Verb.OK) or command.choice is not None
        if chosen is None and goes_on:
            chosen = next((writer.client_id for writer in writers if writer.client_id == asked.holder), None)
        elif chosen not in (None, asked.holder) and (asked.booking or asked.bookings):
            memory = msgspec.structs.replace(memory, asked=None)  # it was about somebody else's booking
    meant = [writer for writer in writers if chosen in (None, writer.client_id)]
    return Talk(session, phone, meant, command, memory, at)


def _reply(talk: Talk) -> Reply:
    command, asked = talk.command, talk.asked
    chosen = digit(talk) or _choice(talk)
    if chosen is not None:
        return chosen
    day, clock, sure = command.day, command.time, not command.guessed
    if command.every and command.verb in (None, Verb.BOOK):
        return ahead.regular(talk, command.every, clock, either_half=command.either_half, sure=sure)
    match command.verb:
        case Verb.BOOK:
            return verbs.book(talk, day, clock, either_half=command.either_half, sure=sure)
        case Verb.MOVE:
            return verbs.move(talk, day, clock, either_half=command.either_half, sure=sure)
        case Verb.DROP if command.all and sure and ahead.has_regulars(talk):
            return ahead.end_regulars(talk)
        case Verb.TAKE:
            return ahead.take(talk)
        case Verb.LIST:
            return ahead.wait(talk, day, clock, either_half=command.either_half)
        case Verb.DROP:
            sure = sure and command.choice is None  # a number that was never offered
            return verbs.drop(talk, day, clock, either_half=command.either_half, sure=sure)
        case Verb.WHEN:
            return verbs.when(talk)
        case Verb.SLOTS:
            return verbs.slots(talk)
        case Verb.WAIT:
            return verbs.wait(talk)
        case Verb.OK:
            return _agreed(talk)
        case Verb.LANG if command.language is not None:
            return _language(talk, command.language)
        case Verb.LANG:
            return Reply("told", "languages", asked=asked)
        case Verb.MENU:
            return verbs.menu(talk)
        case Verb.CHOOSE:
            return Reply("told", "nothing_changed", asked=asked)
    if day is not None or clock is not None:
        return _bare(talk, day)
    if command.guessed and not command.unread:  # no
        if _told_of_place(talk):
            return ahead.leave(talk)
        return Reply("told", "nothing_changed")
    return verbs.NOT_UNDERSTOOD


def _choice(talk: Talk) -> Reply | None:
    """A number: one of what was offered, or the hour that was asked for. Nothing when it is neither."""
    command, asked, number = talk.command, talk.asked, talk.command.choice
    if asked is None or number is None:
        return None
    fits = {
        Ask.SLOT: (Verb.CHOOSE, Verb.BOOK, Verb.MOVE),
        Ask.BOOKING: (Verb.CHOOSE, Verb.MOVE, Verb.DROP),
    }
    if command.verb in fits.get(asked.ask, ()):
        if number <= len(asked.starts):
            return _chosen(talk, asked, number - 1)
        return verbs.again(talk, asked) if command.time is None else None
    if command.verb is Verb.CHOOSE and asked.ask is Ask.TIME:
        hour = Command(verb=asked.do, time=time(number), either_half=True)
        return _reply(replace(talk, command=hour))
    return None


def _chosen(talk: Talk, asked: Asked, index: int) -> Reply:
    start, verb = asked.starts[index], talk.command.verb
    if asked.ask is Ask.SLOT:
        if asked.booking is not None:
            return verbs.move_to(talk, asked.booking, start)
        if verb is Verb.MOVE:
            local = start.astimezone(talk.zone)
            return verbs.move(talk, local.date(), local.time(), either_half=False, sure=True)
        return verbs.book_slot(talk, start)
    do = verb if verb in (Verb.MOVE, Verb.DROP) else asked.do
    if do is Verb.DROP:
        return verbs.drop_it(talk, asked.bookings[index])
    booking = next((mine for mine in talk.bookings() if mine.id == asked.bookings[index]), None)
    if booking is None:
        return verbs.when(talk)
    return verbs.move_on(talk, booking, asked.day, asked.time, either_half=asked.either_half, sure=True)


def _agreed(talk: Talk) -> Reply:
    """OK: does what was to be confirmed, takes the only choice there was, or keeps what a reminder was about."""
    asked = talk.asked
    if _told_of_place(talk):
        return ahead.take(talk)
    if asked is None or talk.interrupted:
        return verbs.keep_booking(talk)
    if asked.ask is Ask.REGULAR and asked.time is not None:
        return ahead.set_regular(talk, asked.every, asked.time)
    if asked.ask is Ask.CONFIRM:
        if asked.booking is None:
            return verbs.book_slot(talk, asked.starts[0])
        if asked.do is Verb.MOVE:
            return verbs.move_to(talk, asked.booking, asked.starts[0])
        return verbs.drop_it(talk, asked.booking)
    if asked.ask is Ask.SLOT and len(asked.starts) == 1:
        return _chosen(talk, asked, 0)
    if asked.ask in (Ask.SLOT, Ask.BOOKING):
        return verbs.again(talk, asked)
    return verbs.keep_booking(talk)


def _told_of_place(talk: Talk) -> bool:
    """Whether the latest text to this phone since our last answer told of a place that is kept."""
    told = told_since(talk.session, talk.phone, talk.memory.said)
    return told is not None and told.kind == "place_offered"


def _bare(talk: Talk, day: date | None) -> Reply:
    """A day or a time without a command: the answer to what was asked, or else the wish to book it."""
    command, asked = talk.command, talk.asked
    clock, half, sure = command.time, command.either_half, not command.guessed
    if asked is None:
        return verbs.book(talk, day, clock, either_half=half, sure=sure)
    if asked.ask is Ask.BOOKING:
        mine = [booking for booking in talk.bookings() if booking.id in asked.bookings]
        fit = verbs.fitting(talk, mine, day, clock, half)
        if len(fit) == 1:
            return _chosen(talk, asked, asked.bookings.index(fit[0].id))
        if not fit and asked.do is Verb.MOVE:  # where it goes, not which one
            asked = msgspec.structs.replace(asked, day=day, time=clock, either_half=half)
        return verbs.again(talk, asked)
    if asked.ask is Ask.SLOT and clock is not None:
        fits = [
            number
            for number, start in enumerate(asked.starts)
            if day in (None, talk.local_day(start)) and shows(start, clock, talk.zone, either_half=half)
        ]
        if len(fits) == 1:
            return _chosen(talk, asked, fits[0])
    days = {talk.local_day(start) for start in asked.starts}
    if day is None and len(days) == 1:
        day = days.pop()
    match asked.do:
        case Verb.MOVE:
            return verbs.move(talk, day, clock, either_half=half, sure=sure and asked.ask is not Ask.INSTEAD)
        case Verb.DROP:
            return verbs.drop(talk, day, clock, either_half=half, sure=False)
    return verbs.book(talk, day, clock, either_half=half, sure=sure)


def _language(talk: Talk, language: str) -> Reply:
    for writer in talk.writers:
        notifications.service.set_language(talk.session, recipient_id=writer.client_id, language=language, now=talk.at)
    first, *others = talk.writers
    return Reply("language", "language_changed", asked=talk.asked, language=language, about=first, others=others)


def _finish(session: WriteSession, received: Received, talk: Talk, writers: list[Writer], reply: Reply) -> Answered:
    """Queues the reply, remembers what it asks, and writes down what was done, the audit trail last."""
    missed = 0 if reply.understood else talk.memory.missed + 1
    if missed > MISSES:
        keep(session, phone=talk.phone, memory=msgspec.structs.replace(talk.memory, missed=missed), at=talk.at)
        return _record(session, received, _SILENT, None)
    if missed == MISSES:
        tasks.ask_human(session, writers=talk.writers, at=talk.at)
        reply = Reply("asked_human", "see_reception", asked=talk.asked)
    elif not reply.understood:
        reply = replace(reply, asked=talk.asked)
    recipient = talk.writer_of(reply.changed) if reply.changed is not None else reply.about or talk.writers[0]
    reply_id = _write(session, received, talk.phone, reply, recipient=recipient, at=talk.at)
    said = talk.memory.said if reply.before_pin else reply_id
    held = received.id if reply.holds else talk.memory.held if reply.before_pin else None
    after = Memory(asked=reply.asked, missed=missed, said=said, held=held)
    keep(session, phone=talk.phone, memory=after, at=talk.at)
    answered = _record(session, received, reply.outcome, reply_id)
    if reply.changed is not None or reply.about is not None:
        tell_offers(session, site=recipient.place, at=talk.at)
    if reply.changed is not None:
        audit.record(
            session,
            actor=the_program(recipient.place.id),
            act=f"{reply.outcome} by text",
            subject="client",
            subject_id=recipient.client_id,
            at=talk.at,
            details={"booking": reply.changed.id},
        )
    elif reply.about is not None:
        for writer in (reply.about, *reply.others):
            audit.record(
                session,
                actor=the_program(writer.place.id),
                act=f"{reply.outcome} by text",
                subject="client",
                subject_id=writer.client_id,
                at=talk.at,
                details=reply.details,
            )
    return answered


def _stranger(session: WriteSession, received: Received, phone: str, memory: Memory, at: datetime) -> Answered:
    """Somebody whom nobody here knows is told so, a few times, and nothing is said of what is here."""
    missed = memory.missed + 1
    reply_id = None
    if missed <= MISSES:
        reply_id = _write(session, received, phone, Reply("unknown_number", "unknown_number"), recipient=None, at=at)
    keep(session, phone=phone, memory=Memory(missed=missed, said=reply_id), at=at)
    return _record(session, received, "unknown_number", reply_id)


def _wished(session: WriteSession, received: Received, phone: str, writers: list[Writer], at: datetime) -> Answered:
    """STOP, START and their like: done already. Who begins again is welcomed; who ends is on reception's list."""
    reply_id = None
    if received.wish is Wish.IN and writers:
        reply_id = _write(session, received, phone, Reply("", "welcome"), recipient=writers[0], at=at)
    return _record(session, received, received.already or "", reply_id)


def _write(
    session: WriteSession, received: Received, phone: str, reply: Reply, *, recipient: Writer | None, at: datetime
) -> UUID | None:
    return notifications.service.queue_reply(
        session,
        vault=session.vault,
        phone=phone,
        recipient_id=recipient.client_id if recipient else None,
        kind=reply.kind,
        reason_key=f"{REPLY}{received.id}",
        fields=reply.fields,
        zone=ZoneInfo(recipient.place.zone if recipient else "UTC"),
        now=at,
        valid_until=at + WORTH_SENDING,
        language=reply.language,
    )


def _record(session: WriteSession, received: Received, outcome: str, reply_id: UUID | None) -> Answered:
    record_outcome(session, inbound_id=received.id, outcome=outcome, reply_id=reply_id)
    return Answered(outcome, reply_id)
