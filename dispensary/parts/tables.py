"""Which tables can be divided, by which column or by which day. Pure.

PostgreSQL demands of a unique key of a divided table that it has the column by which it is divided. A table is divided
by the column that the most of its keys have already, or by the day or moment that it is of, in months. A key that lacks
it stays exact by a table of its own, of the key's columns alone, which is not divided (dispensary/parts/keys.py).
"""

from __future__ import annotations

BY = {
    "audit_entry": "site_id",
    "day_outcome": "client_id",
    "register_line": "book_id",
    "message": "reason_key",
}
"""Each table with its column.

The trail has one key, a site and a number. A day is frozen once at any site, so that it is by client: by site it could
be frozen at two. A book is of one site and product, so that a line's number is its book's. A text is queued once for
its reason, which is what inserts conflict on.
"""

BY_MONTH = {"day_outcome": "dose_day", "register_line": "dose_day", "audit_entry": "at"}
"""Each table that can lie in months, with its day, or its moment in months of UTC.

None of them is inserted by a key that lacks it: what a dose day conflicts on has the day, and a line and an entry have
the number that their book or chain gives them.
"""
NOT_BY_MONTH = {
    "message": "message cannot lie in months: a text is queued once for its reason, whenever, and PostgreSQL finds that"
    " out by a key of the reason alone (ON CONFLICT), which a table in months cannot have. Divide it by its reason:"
    " `dispensary divide message`."
}

FEWEST, MOST = 2, 64
PARTS = 16

KEYS = "parts"
"""The schema of the keys that are not divided, and of the functions that keep them."""
WAS = "parts_were"
"""Where a table is while it is copied; there is no such schema before or after."""
