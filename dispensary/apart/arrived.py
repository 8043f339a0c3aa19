"""How far everything of a satellite is here: what its paper is held against when its server is lost."""

from __future__ import annotations

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.units import SiteId, plain

_TRAIL = text("SELECT seq, at FROM audit_entry WHERE site_id = :site ORDER BY seq DESC LIMIT 1")
_BOOKS = text("""
SELECT b.product, b.lines, b.balance, (SELECT at FROM register_line WHERE book_id = b.id ORDER BY seq DESC LIMIT 1)
FROM register_book b WHERE b.site_id = :site ORDER BY b.product
""")
_HAND_OVER = text("SELECT max(at) FROM supply WHERE site_id = :site")
_TICKET = text("SELECT day, ticket FROM visit WHERE place_id = :site ORDER BY day DESC, ticket DESC LIMIT 1")
_CLOSED = text("SELECT max(dose_day) FROM day_close WHERE site_id = :site")


def how_far(session: ReadSession, *, site_id: SiteId) -> list[str]:
    """The last of each kind that is here, a sentence each: whatever its paper has after that did not come.

    Volumes in mL, moments in UTC.
    """
    asked = {"site": site_id}
    told = [
        f"Register, {product}: to line {lines}{f' of {at:%Y-%m-%d %H:%M} UTC' if at else ''}, {plain(balance)} mL left."
        for product, lines, balance, at in session.execute(_BOOKS, asked)
    ]
    hand_over = session.scalar(_HAND_OVER, asked)
    told.append(f"Last hand-over: {hand_over:%Y-%m-%d %H:%M} UTC." if hand_over else "Last hand-over: none.")
    ticket = session.execute(_TICKET, asked).one_or_none()
    told.append(f"Last ticket: {ticket.ticket} of {ticket.day}." if ticket else "Last ticket: none.")
    told.append(f"Last day that was closed: {session.scalar(_CLOSED, asked) or 'none'}.")
    trail = session.execute(_TRAIL, asked).one_or_none()
    if trail:
        told.append(f"Audit trail: to entry {trail.seq} of {trail.at:%Y-%m-%d %H:%M} UTC.")
    return told
