"""Opening a site, and letting an administrator in: what nobody can do at a desk, since nobody can sign in yet."""

from __future__ import annotations

import click

from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.commands.taking import who_runs_this
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import settings_from
from dispensary.staff import invitations
from dispensary.staff.entry_rules import spelled
from dispensary.staff.queries import account_by_name, site_by_code
from dispensary.staff.rules import Role, plain_username, the_program
from dispensary.staff.service import add_account, grant
from dispensary.takehome.opening import NewSite
from dispensary.takehome.opening import open_site as open_site_of
from dispensary.units import SiteId


@click.command(name="open-site")
@click.argument("code")
@click.option("--name", required=True, help="What the site is called.")
@click.option("--zone", required=True, help="Its time zone, for example Asia/Kuala_Lumpur.")
@click.option("--region", required=True, help="Country of its telephone numbers, for example MY.")
@click.option(
    "--parent", default="", help="Code of the area that it lies in, or of its main site. Nothing: it is alone."
)
@click.option("--administrator", required=True, help="Account name of the first administrator.")
@click.option("--person", required=True, help="That person's name.")
@click.option("--initials", required=True, help="Their initials, as they sign the register.")
@click.password_option(help="Their first password. Asked for when it is not given.")
def open_site(
    code: str,
    name: str,
    zone: str,
    region: str,
    parent: str,
    administrator: str,
    person: str,
    initials: str,
    password: str,
) -> None:
    """Open a site and its first administrator's account; they sign in and do the rest at the office desk."""
    with one_clear_line(), database_of(settings := settings_from()) as database, database.writing() as session:
        at = now()
        wanted = NewSite(code, name, parent, zone, region)
        site = open_site_of(session, actor=None, wanted=wanted, factor=settings.production, at=at)
        add_account(
            session,
            actor=the_program(SiteId(site.id)),
            site_id=SiteId(site.id),
            username=administrator,
            name=person,
            initials=initials,
            password=password,
            roles=[Role.ADMINISTRATOR],
            at=at,
        )
    click.echo(f"Site {site.code} is open. {person} signs in as “{administrator}” and adds staff, hours and a policy.")


@click.command(name="let-in")
@click.argument("code")
@click.argument("account")
@click.option("--person", default="", help="Name of the person, when there is no such account yet.")
@click.option("--initials", default="", help="Their initials, when there is no such account yet.")
def let_in(code: str, account: str, person: str, initials: str) -> None:
    """When nobody can run a site: make ACCOUNT an administrator of site CODE, and print an invitation, once.

    For whoever has the console of the server, where neither an administrator nor a sealed code is at hand. The account
    of the computer stands in the site's audit trail. An earlier password still opens the account until another is
    chosen, and a second factor stays (`dispensary reset-second-factor`).
    """
    with one_clear_line():
        settings = settings_from()
        with database_of(settings) as database, database.writing() as session:
            at = now()
            site_id = SiteId(site_by_code(session, code).id)
            actor = the_program(site_id)
            account_id = account_by_name(session, plain_username(account))
            if account_id is not None:
                grant(session, actor=actor, account_id=account_id, site_id=site_id, role=Role.ADMINISTRATOR, at=at)
            elif person and initials:
                account_id = add_account(
                    session,
                    actor=actor,
                    site_id=site_id,
                    username=account,
                    name=person,
                    initials=initials,
                    roles=[Role.ADMINISTRATOR],
                    at=at,
                ).id
            else:
                words = f"There is no account “{account}”."
                raise BadInput(Refusal("no-account", words, "Say with --person and --initials whose it shall be."))
            invitation = invitations.invite(
                session, actor=actor, site_id=site_id, account_id=account_id, at=at, said_by=who_runs_this()
            )
    click.echo(f"“{account}” is an administrator of {code.upper()}. Its person opens, once:")
    click.echo(f"{settings.public_base_url}/invited#{spelled(invitation)}")
    click.echo(f"or types {spelled(invitation)} at {settings.public_base_url}/invited")
