"""What a phone was last offered or asked, so that “2” or “OK” means something, until it is too old to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications.models import Conversation
from notifications.sealing import Vault, phone_digests, phone_index

LASTS = timedelta(hours=12)


def recall(session: Session, *, vault: Vault, phone: str, now: datetime) -> dict[str, Any] | None:
    """What this phone was last offered or asked; nothing when that is over. The row is held until the unit ends.

    Two texts that come at once are answered one after the other, and an offer is taken up once.
    """
    row = session.scalar(
        select(Conversation)
        .where(Conversation.phone_index.in_(phone_digests(vault, phone)), Conversation.expires_at > now)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return dict(row.state) if row is not None else None


def remember(
    session: Session,
    *,
    vault: Vault,
    phone: str,
    state: Mapping[str, Any],
    now: datetime,
    lasts: timedelta = LASTS,
) -> None:
    """Keeps what this phone is offered or asked now, in place of what it was before.

    `state` is JSON of ids and moments; never a name, a number or a text, since it is not sealed.
    """
    values = {"state": dict(state), "expires_at": now + lasts}
    session.execute(
        insert(Conversation)
        .values(phone_index=phone_index(session, vault, phone), **values)
        .on_conflict_do_update(index_elements=[Conversation.phone_index], set_=values)
    )


def forget(session: Session, *, vault: Vault, phone: str) -> None:
    """Ends what this phone was offered or asked."""
    session.execute(delete(Conversation).where(Conversation.phone_index.in_(phone_digests(vault, phone))))
