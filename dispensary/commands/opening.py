"""Opening a site: the first act of a new clinic, since nobody can sign in before somebody has an account."""

from __future__ import annotations

import click

import scheduling.service
from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.settings import settings_from
from dispensary.staff.factor_rules import Demand
from dispensary.staff.factor_setting import begin_with
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from dispensary.staff.sites import add_site
from dispensary.takehome.publishing import publish_policies
from dispensary.units import SiteId


@click.command(name="open-site")
@click.argument("code")
@click.option("--name", required=True, help="What the site is called.")
@click.option("--zone", required=True, help="Its time zone, for example Asia/Kuala_Lumpur.")
@click.option("--region", required=True, help="Country of its telephone numbers, for example MY.")
@click.option("--administrator", required=True, help="Account name of the first administrator.")
@click.option("--person", required=True, help="That person's name.")
@click.option("--initials", required=True, help="Their initials, as they sign the register.")
@click.password_option(help="Their first password. Asked for when it is not given.")
def open_site(
    code: str, name: str, zone: str, region: str, administrator: str, person: str, initials: str, password: str
) -> None:
    """Open a site and its first administrator's account; they sign in and do the rest at the office desk."""
    with one_clear_line(), database_of(settings := settings_from()) as database, database.writing() as session:
        at = now()
        site = add_site(session, code=code, name=name, zone=zone, region=region, at=at)
        scheduling.service.add_place(session, place_id=site.id, zone=zone)
        publish_policies(session, at=at)
        if settings.production:  # an administrator's account opens every other one
            begin_with(session, site_id=SiteId(site.id), demand=Demand.ADMINISTRATORS, at=at)
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
