"""Which tables can be divided, and by which column. Pure.

PostgreSQL demands of a unique key of a divided table that it has the column by which it is divided. A table is divided
by the column that the most of its keys have already. A key that lacks it stays exact by a table of its own, of the
key's columns alone, which is not divided (dispensary/parts/keys.py).
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

FEWEST, MOST = 2, 64
PARTS = 16

KEYS = "parts"
"""The schema of the keys that are not divided, and of the functions that keep them."""
WAS = "parts_were"
"""Where a table is while it is copied; there is no such schema before or after."""


def schema_of(part: int) -> str:
    """Each part lies in a schema of its own, under the table's own name.

    So its keys have the names that the program knows a refusal by, and whoever sees to the tables of `public` sees none
    of it.
    """
    return f"part_{part:02}"
