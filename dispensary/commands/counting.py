"""The commands of what is counted for figures: counting it anew from the records, and looking whether it is true."""

from __future__ import annotations

import sys

import click
from sqlalchemy import func, select

from dispensary.clients.models import Client
from dispensary.commands.parts import bar, database_of, one_clear_line
from dispensary.evaluation.facts import count_behind, differing
from dispensary.settings import settings_from


@click.group(name="evaluation")
def evaluation() -> None:
    """What is counted of closed days, so that figures need not read each of them."""


@evaluation.command()
@click.option("--check", is_flag=True, help="Change nothing: say whose counts are not what their records say.")
def rebuild(check: bool) -> None:
    """Count everything anew from the records, a few clients at a time; the clinic can work meanwhile.

    With --check nothing is written: each client whose counts are not what the records say is named, and it exits 1.
    """
    with one_clear_line(), database_of(settings_from()) as database:
        with database.reading() as session:
            clients = session.scalar(select(func.count()).select_from(Client)) or 0
            wrong = differing(session) if check else []
        for client_id in wrong:
            click.echo(f"Client {client_id} is counted otherwise than their records say.")
        if wrong:
            click.echo(f"{len(wrong):,} clients are counted wrongly. Run `dispensary evaluation rebuild`.", err=True)
            sys.exit(1)
        if not check:
            tell = bar("clients")
            count_behind(database, anew=True, told=lambda done: tell(min(done, clients), clients))
    click.echo("What is counted is what the records say." if check else f"Counted {clients:,} clients anew.")
