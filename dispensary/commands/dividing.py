"""The command that divides the tables that grow, and makes them whole again (docs/scale.md, “Partitions”)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click

from dispensary.commands.parts import bar, database_of, one_clear_line
from dispensary.parts.tables import BY, FEWEST, MOST, PARTS
from dispensary.settings import settings_from


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1, type=click.Choice(list(BY)))
@click.option(
    "--parts", type=click.IntRange(FEWEST, MOST), default=PARTS, show_default=True, help="Into how many parts."
)
@click.option("--whole", is_flag=True, help="Take the parts together again.")
def divide(tables: tuple[str, ...], parts: int, whole: bool) -> None:
    """Divide the tables that grow in a whole country, or TABLE alone, into parts that PostgreSQL keeps.

    Stop the program first: nobody works with a table while it is divided. Each is one transaction: when it is stopped
    in the middle, nothing has changed. No key says less afterwards, and the program is the same.
    """
    from dispensary.parts.dividing import Done, divided, make_whole
    from dispensary.parts.dividing import divide as divide_table

    with one_clear_line(), database_of(settings_from()) as database:
        there = divided(database)
        chosen = tables or tuple(table for table in BY if (table in there) == whole)
        if not chosen:
            click.echo("Every table is whole." if whole else "Every table that can be divided is divided.")
            return
        for table in chosen:
            turn: Callable[..., Done] = make_whole if whole else partial(divide_table, parts=parts)
            done = turn(database, table, progress=bar(table))
            said = f"divided into {done.parts} parts by {BY[table]}" if done.parts else "whole"
            pace = f", {done.rows / done.seconds:,.0f} a second" if done.rows else ""
            click.echo(f"{table}: {said}; {done.rows:,} rows. It stood still for {done.seconds:.1f} s{pace}.")
