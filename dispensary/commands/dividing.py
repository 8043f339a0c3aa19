"""The command that divides the tables that grow, and makes them whole again (docs/scale.md, “Partitions”)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click
from click.core import ParameterSource

from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.parts.tables import BY, BY_MONTH, FEWEST, MOST, PARTS
from dispensary.settings import settings_from


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1, type=click.Choice(list(BY)))
@click.option("--by", type=click.Choice(["digest", "month"]), default="digest", show_default=True, help="How.")
@click.option(
    "--parts", type=click.IntRange(FEWEST, MOST), default=PARTS, show_default=True, help="Into how many, by a digest."
)
@click.option("--whole", is_flag=True, help="Take the parts together again.")
@click.pass_context
def divide(context: click.Context, tables: tuple[str, ...], by: str, parts: int, whole: bool) -> None:
    """Divide the tables that grow in a whole country, or TABLE alone, into parts that PostgreSQL keeps.

    By a digest of what each belongs to, or by the month that a row is of; texts by a digest alone. The months to come
    are made each night.

    Stop the program first: nobody works with a table while it is divided. Each is one transaction: when it is stopped
    in the middle, nothing has changed. No key says less afterwards, and the program is the same.
    """
    from dispensary.parts.dividing import Done, divide_by_month, divided, locks_lacking, make_whole
    from dispensary.parts.dividing import divide as divide_table

    month = by == "month"
    if month and (whole or context.get_parameter_source("parts") is ParameterSource.COMMANDLINE):
        raise click.UsageError("Months are as many as they are: --by month goes with neither --parts nor --whole.")
    with one_clear_line(), database_of(settings_from()) as database:
        there = divided(database)
        chosen = tables or tuple(table for table in (BY_MONTH if month else BY) if (table in there) == whole)
        if not chosen:
            click.echo("Every table is whole." if whole else "Every table that can be divided is divided.")
            return
        for table in chosen:
            turn: Callable[..., Done] = partial(divide_table, parts=parts)
            if month:
                turn = partial(divide_by_month, today=now().date())
            done = (make_whole if whole else turn)(database, table, progress=bar(table))
            said = f"divided into {done.into} by {done.into.column}" if done.into else "whole"
            pace = f", {done.rows / done.seconds:,.0f} a second" if done.rows else ""
            click.echo(f"{table}: {said}; {done.rows:,} rows. It stood still for {done.seconds:.1f} s{pace}.")
        if needed := locks_lacking(database):
            click.echo(
                f"Set max_locks_per_transaction of PostgreSQL to {needed}, and start it again: what is asked without a"
                " month holds all of them, and their indexes."
            )
