"""Making every digest that can be made anew under the index key of today, in small batches, beside whoever works.

Whatever is looked up is looked up under every key that there is, so that nobody is missed meanwhile. Each batch is a
unit of its own: whoever ends this at any moment loses nothing, and the next run goes on with what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import delete, insert, select, text, update

from dispensary.clients.service import index_client
from dispensary.database import Database, WriteSession
from dispensary.keys import BadKeys
from dispensary.phone.pin_models import PhonePin, PinGate
from dispensary.resealing.digests import older
from dispensary.resealing.moving import tried_again
from dispensary.supplies import passes
from dispensary.supplies.models import PickupPass
from notifications.models import NumberExchange
from notifications.sealing import CONTACT_PHONE, INBOUND_PHONE, MESSAGE_PHONE, phone_digests

AT_ONCE = 50
"""Clients, numbers or passes in a unit: their locks are held for some hundredths of a second."""


@dataclass
class Indexed:
    """What a run did."""

    clients: int = 0
    numbers: int = 0
    passes: int = 0
    unread: list[str] = field(default_factory=list)
    """One line for each whose words do not open, by column and row; its digests stay as they are."""


_CLIENTS = f"""
SELECT DISTINCT client_id FROM client_index
WHERE {older("digest")} AND (CAST(:after AS uuid) IS NULL OR client_id > CAST(:after AS uuid)) ORDER BY 1 LIMIT :most
"""
_NUMBERS = """
SELECT {row}, phone_index, phone_sealed FROM {table}
WHERE {older} AND octet_length(phone_sealed) > 0 AND (CAST(:after AS uuid) IS NULL OR {row} > CAST(:after AS uuid))
ORDER BY 1 LIMIT :most
"""
_PASSES = f"""
SELECT id, site_id, signed_by FROM pickup_pass
WHERE ({older("code_digest")} OR {older("token_digest")}) AND signed_by = ANY(:signers)
    AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY 1 LIMIT :most
"""
_WITH_NUMBERS = (
    ("contact", "recipient_id", CONTACT_PHONE),
    ("number_change", "client_id", "number_change.phone_sealed"),
    ("message", "id", MESSAGE_PHONE),
    ("inbound", "id", INBOUND_PHONE),
)
_Batch = Callable[[WriteSession, object, int, Indexed], Sequence[Any]]


def index_anew(
    database: Database, *, at_once: int = AT_ONCE, progress: Callable[[int], None] = lambda done: None
) -> Indexed:
    """Brings clients, numbers and passes under the index key of today, and says what was done.

    It may be run by several at once. Raises BadKeys when a key is missing that is no row's own fault.
    """
    database.vault.keyring.look()
    done = Indexed()
    batches: list[_Batch] = [_clients, *(_numbers(*each) for each in _WITH_NUMBERS), _passes]
    for batch in batches:
        after: object = None
        while True:
            rows, part = tried_again(database, partial(_unit, batch, after, at_once))
            done.clients += part.clients
            done.numbers += part.numbers
            done.passes += part.passes
            done.unread += part.unread
            progress(done.clients + done.numbers + done.passes)
            if len(rows) < at_once:
                break
            after = rows[-1][0]
    tried_again(database, _gates_without_pins)
    return done


def _unit(batch: _Batch, after: object, most: int, session: WriteSession) -> tuple[Sequence[Any], Indexed]:
    part = Indexed()
    return batch(session, after, most, part), part


def _rows(session: WriteSession, statement: str, after: object, most: int, **more: object) -> Sequence[Any]:
    current = session.vault.ring.index.current
    return session.execute(text(statement), {"after": after, "most": most, "current": current, **more}).all()


def _clients(session: WriteSession, after: object, most: int, done: Indexed) -> Sequence[Any]:
    rows = _rows(session, _CLIENTS, after, most)
    session.vault.know([client_id for (client_id,) in rows])
    for (client_id,) in rows:
        try:
            index_client(session, client_id=client_id)
            done.clients += 1
        except BadKeys as reason:
            done.unread.append(str(reason))
    return rows


def _numbers(table: str, row: str, bound_by: str) -> _Batch:
    def batch(session: WriteSession, after: object, most: int, done: Indexed) -> Sequence[Any]:
        rows = _rows(session, _NUMBERS.format(table=table, row=row, older=older("phone_index")), after, most)
        for row_id, was, sealed in rows:
            try:
                phone = session.vault.open(bound_by, row_id, bytes(sealed))
            except BadKeys as reason:
                done.unread.append(str(reason))
                continue
            becomes = phone_digests(session.vault, phone)[0]
            session.execute(insert(NumberExchange).values(was=bytes(was), becomes=becomes))
            done.numbers += 1
        return rows

    return batch


def _passes(session: WriteSession, after: object, most: int, done: Indexed) -> Sequence[Any]:
    rows = _rows(session, _PASSES, after, most, signers=list(session.vault.ring.signing.keys))
    for pass_id, site_id, signed_by in rows:
        signer = session.vault.signing_by(signed_by)
        digests = {
            "token_digest": passes.token_digest(signer, pass_id),
            "code_digest": passes.code_digest(signer, site_id, passes.code_of(signer, pass_id)),
        }
        session.execute(update(PickupPass).where(PickupPass.id == pass_id).values(**digests))
        done.passes += 1
    return rows


def _gates_without_pins(session: WriteSession) -> None:
    """What is known of guesses at a number without a PIN is asked by nobody, and nobody knows the number."""
    stale = text(older("pin_gate.phone_index")).bindparams(current=session.vault.ring.index.current)
    with_pin = select(PhonePin.client_id).where(PhonePin.phone_index == PinGate.phone_index).exists()
    session.execute(delete(PinGate).where(stale, ~with_pin))
