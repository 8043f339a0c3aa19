"""Taking away a second factor on the server: for the last administrator of a site, whom nobody else can help."""

from __future__ import annotations

import click
from sqlalchemy import select

from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.refusals import NotThere, Refusal
from dispensary.settings import settings_from
from dispensary.staff import factors
from dispensary.staff.models import Account
from dispensary.staff.queries import sites_of
from dispensary.staff.rules import plain_username, the_program
from dispensary.units import AccountId


@click.command(name="reset-second-factor")
@click.argument("account")
def reset_second_factor(account: str) -> None:
    """Take an account's authenticator, passkeys and recovery codes away; its person is told, and sets up new ones."""
    with one_clear_line(), database_of(settings_from()) as database, database.writing() as session:
        kept = session.scalar(
            select(Account).where(Account.username == plain_username(account), Account.left_at.is_(None))
        )
        works_at = sites_of(session, AccountId(kept.id)) if kept else []
        if kept is None or not works_at:
            raise NotThere(Refusal("no-account", f"Nobody works here under the name “{account}”.", "Look at Staff."))
        factors.reset(session, actor=the_program(works_at[0].id), account_id=AccountId(kept.id), at=now())
    click.echo(
        f"“{kept.username}” has no second factor now, and is signed out everywhere. The password opens the account; "
        "its person is told at the next sign-in."
    )
