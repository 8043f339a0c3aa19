"""The second wall as migrations raise it: which rows of a table a signed-in person's unit of work sees and may write.

A migration that makes a table says in the same step how it is walled, with one of the functions below:

    op.execute(walled_by_site("laboratory"))            # the table has site_id
    op.execute(walled_by_client("client_goal"))         # the table has client_id, and no site of its own
    op.execute(walled_by_clients("fact_month"))         # the same, where hundreds of rows are read at once
    op.execute(walled_by_both("dose"))                  # it has both: what one's site did, and whatever its clients did
    op.execute(walled_by_account("counter_pin"))        # a person's own: at the sites where they work
    op.execute(walled_through("dose_part", "dose"))     # it hangs on another table by dose_id
    op.execute(walled_by("stock_transfer", "..."))      # none of these: the condition in SQL
    op.execute(open_to_all_sites("policy_version"))     # nobody's: `OPEN` in tests/dispensary/test_wall.py says why

Nothing else is to be said: what the role may do to a table, which functions see past the wall, and that views do not,
follows from the tables by one rule (`dispensary/schema.py`), which is applied anew after
every migration and every restored backup.
A table that says nothing is out of the role's reach altogether, and a test names it.

Policies bind whoever is not the owner, not the role alone, so that a dump names no role and comes back on any server.
"""

from __future__ import annotations

MINE = "{} = ANY (desk_sites())"
OUR_CLIENT = "EXISTS (SELECT FROM client WHERE client.id = {})"
OUR_CLIENTS = "{} IN (SELECT client.id FROM client)"
CLIENTS = (
    f"{MINE.format('client.site_id')} OR client.id = ANY (ARRAY(SELECT guest_stay.client_id FROM guest_stay"
    f" WHERE guest_stay.verified_at IS NOT NULL AND {MINE.format('guest_stay.guest_site_id')}))"
)
"""The clients of the sites in view, and their guests, who are looked up once for a statement: both by an index."""

DESK_SITES = """
CREATE FUNCTION desk_sites() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('takehome.sites', true), '')::uuid[]
"""
"""The sites in view; nothing, and so no row, where nobody said which. PostgreSQL writes it into each query."""


def walled_by(table: str, seen: str, *, added: str | None = None, changed: str | None = None) -> str:
    """Sees the rows for which `seen` holds, and changes those alone.

    A row that is added meets `added`, and one that was changed meets `changed` afterwards; without these, `seen`.
    """
    return "; ".join(
        (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY wall ON {table} FOR SELECT USING ({seen})",
            f"CREATE POLICY write ON {table} FOR INSERT WITH CHECK ({added or seen})",
            f"CREATE POLICY change ON {table} FOR UPDATE USING ({seen}) WITH CHECK ({changed or seen})",
            f"CREATE POLICY remove ON {table} FOR DELETE USING ({seen})",
        )
    )


def walled_by_site(table: str, column: str = "site_id") -> str:
    """A row belongs to one site."""
    return walled_by(table, MINE.format(column))


def walled_by_client(table: str, column: str = "client_id") -> str:
    """A row belongs to a client, and is seen wherever the client is: at home, and where home verified a guest stay."""
    return walled_by(table, OUR_CLIENT.format(f"{table}.{column}"))


def walled_by_clients(table: str, column: str = "client_id") -> str:
    """As `walled_by_client`, for a table that is read by the hundred: the clients in view are looked up once for all.

    For one row it costs more, since all of them are.
    """
    return walled_by(table, OUR_CLIENTS.format(f"{table}.{column}"))


def walled_by_both(table: str, site: str = "site_id", client: str = "client_id") -> str:
    """A row that a site has about a client: seen at that site, and wherever the client is.

    It is added for a client in view alone, as one's own site's or as that of the client's home, and changed likewise: a
    record reads as a whole wherever its client is treated, what a guest site has to tell home stands there, and home
    takes back what a guest site gave.
    """
    mine = MINE.format(f"{table}.{site}")
    of_client = f"SELECT FROM client WHERE client.id = {table}.{client}"
    return walled_by(
        table,
        f"{mine} OR EXISTS ({of_client})",
        added=f"EXISTS ({of_client} AND ({mine} OR client.site_id = {table}.{site}))",
        changed=f"EXISTS ({of_client})",
    )


def walled_by_account(table: str, column: str = "account_id") -> str:
    """A row is a person's own, and is reached at the sites where they work: by them, and by who runs the site."""
    works_here = f"SELECT FROM role_grant AS works WHERE works.account_id = {table}.{column}"
    return walled_by(table, f"EXISTS ({works_here} AND {MINE.format('works.site_id')})")


def walled_through(table: str, other: str, column: str = "", *, key: str = "id") -> str:
    """A row is part of a row of another table, and is seen with it."""
    column = column or f"{other}_id"
    return walled_by(table, f"EXISTS (SELECT FROM {other} WHERE {other}.{key} = {table}.{column})")


def open_to_all_sites(table: str, *, added: str = "", changed: str = "") -> str:
    """Every site reads the table. A row may be added, changed or removed where these conditions hold, or not at all.

    Any row can be locked where some can be changed, since a lock that silently missed a row would be worse than a
    change that is refused aloud.
    """
    policies = [f"CREATE POLICY open ON {table} FOR SELECT USING (true)"]
    if added:
        policies.append(f"CREATE POLICY write ON {table} FOR INSERT WITH CHECK ({added})")
    if changed:
        policies.append(f"CREATE POLICY change ON {table} FOR UPDATE USING (true) WITH CHECK ({changed})")
        policies.append(f"CREATE POLICY remove ON {table} FOR DELETE USING ({changed})")
    return "; ".join([f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", *policies])


def no_wall(table: str) -> str:
    """Takes a table's wall down again, for a migration that goes back."""
    names = " ".join(
        f"DROP POLICY IF EXISTS {name} ON {table};" for name in ("wall", "open", "write", "change", "remove")
    )
    return f"{names} ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
