"""Ten thousand due reminders leave the outbox through two senders: none twice, and how fast beside a bare loop.

The bare loop claims the same rows with SKIP LOCKED and marks each as sent in a unit of its own, as safely as the outbox
does: no key is opened, no rule asked, no gateway called.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import text

import notifications.service
from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground
from dispensary.database import Database
from dispensary.key_sources import open_vault
from notifications.gateways import Accepted
from notifications.gateways.console import ConsoleGateway
from notifications.places import set_rules
from notifications.sending import send_due
from notifications.waiting import TextRules

NAME = "texts"
TEXTS = 10_000
PEOPLE = 500
SENDERS = 2
ROUNDS = 3
BATCH = 50

CLAIM = """
UPDATE message SET state = 'sending', claimed_at = now(), next_attempt_at = now() + interval '10 minutes'
WHERE id IN (SELECT id FROM message WHERE next_attempt_at <= now() ORDER BY next_attempt_at, id LIMIT %s
             FOR UPDATE SKIP LOCKED)
RETURNING id
"""
MARK = """
UPDATE message SET state = 'sent', gateway = 'bare', provider_id = id::text, next_attempt_at = NULL, claimed_at = NULL,
    changed_at = now() WHERE id = %s
"""


class _Noting(ConsoleGateway):
    """Takes every text and remembers which."""

    def __init__(self) -> None:
        self.took: list[UUID] = []

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted:
        self.took.append(reference)
        return super().send(to, body, reference, valid_seconds)


def run(ground: Ground) -> list[Figure]:
    say(f"texts: {TEXTS} through {SENDERS} senders, {ROUNDS} times")
    _fill(ground)
    ours, theirs, twice, left = [], [], 0, 0
    for number in range(ROUNDS):
        for name, work in (("bare", _bare), ("outbox", partial(_outbox, ground.keys))):
            url = ground.copy(f"{name}{number}", template="texts")
            seconds, took = _together(work, url)
            times = Counter(took)
            if name == "bare":
                theirs.append(TEXTS / seconds)
            else:
                ours.append(TEXTS / seconds)
                twice += sum(count - 1 for count in times.values())
            left += TEXTS - len(times)
    fast = of_rounds(NAME, f"texts a second through {SENDERS} senders", ours, "1/s")
    bare = of_rounds(NAME, f"texts a second by the bare SKIP LOCKED loop, {SENDERS} processes", theirs, "1/s")
    return [
        Figure(NAME, f"texts of {ROUNDS} times {TEXTS} that went twice", float(twice), "", 0),
        Figure(NAME, "texts that were left in the outbox", float(left), "", 0),
        fast,
        bare,
        ratio(NAME, "the bare loop's texts for each of ours", bare, fast),
    ]


def _fill(ground: Ground) -> None:
    """A database of its own with people and their reminders, all due."""
    ground.copy("texts")
    now, place = datetime.now(UTC), uuid4()
    with ground.database("texts") as database:
        people = [uuid4() for _ in range(PEOPLE)]
        with database.writing() as session:
            set_rules(session, place_id=place, rules=TextRules(quiet=None), now=now)
            for number, person in enumerate(people):
                notifications.service.set_contact(
                    session,
                    vault=session.vault,
                    recipient_id=person,
                    phone=f"+6012{3_000_000 + number}",
                    language="en",
                    region="MY",
                    now=now,
                    place_id=place,
                )
        with database.writing() as session:
            for number in range(TEXTS):
                starts = now + timedelta(days=1, minutes=number)
                notifications.service.queue(
                    session,
                    vault=session.vault,
                    recipient_id=people[number % PEOPLE],
                    kind="booking_reminder",
                    reason_key=f"reminder:{number}",
                    fields={"at": starts},
                    zone=ZoneInfo("Asia/Kuala_Lumpur"),
                    now=now - timedelta(minutes=1),
                    valid_until=starts,
                )
        with database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM message")).scalar_one() == TEXTS


def _together(work: object, url: str) -> tuple[float, list[UUID]]:
    """Seconds from when all senders are ready until the last one found nothing more, and all that they took."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(SENDERS + 1), context.Queue()
    senders = [context.Process(target=_sender, args=(work, url, barrier, told)) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    barrier.wait(120)
    began = time.perf_counter()
    took: list[UUID] = []
    for _ in senders:
        took += told.get(timeout=1800)
    seconds = time.perf_counter() - began
    for sender in senders:
        sender.join(60)
    return seconds, took


def _sender(work: object, url: str, barrier: object, told: object) -> None:
    told.put(work(url, barrier))  # type: ignore[attr-defined, operator]


def _outbox(keys: Path, url: str, barrier: object) -> Sequence[UUID]:
    database, gateway = Database(url, open_vault(keys), pool_size=2), _Noting()
    barrier.wait(120)  # type: ignore[attr-defined]
    while send_due(
        database.writing, vault=database.vault, gateway=gateway, now=lambda: datetime.now(UTC), batch=BATCH
    ).claimed:
        pass
    database.close()
    return gateway.took


def _bare(url: str, barrier: object) -> Sequence[UUID]:
    took: list[UUID] = []
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        barrier.wait(120)  # type: ignore[attr-defined]
        while claimed := connection.execute(CLAIM, (BATCH,)).fetchall():
            for (message_id,) in claimed:
                connection.execute(MARK, (message_id,))
                took.append(message_id)
    return took
