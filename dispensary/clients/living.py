"""Whether a client is alive, as the record has it: nobody is reminded, visited or asked after who has died.

Their last stay in treatment says it, and PostgreSQL is asked (`has_died`), so that pages, jobs and the house of texts
mean the same. Who was written down as dead in error begins a new stay, and is alive again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func, not_, select

from dispensary.database import ReadSession
from dispensary.refusals import Refusal, Refused
from dispensary.units import ClientId


def alive(client_id: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    """A condition on rows about clients: theirs alone who have not died."""
    return not_(func.has_died(client_id))


def has_died(session: ReadSession, client_id: ClientId) -> bool:
    """Whether somebody has died."""
    return bool(session.scalar(select(func.has_died(client_id))))


def refuse_dead(session: ReadSession, client_id: ClientId) -> None:
    """Raises Refused for somebody who has died."""
    if has_died(session, client_id):
        raise Refused(
            Refusal("died", "On record they have died.", "If that was written down in error, begin a new stay first.")
        )
