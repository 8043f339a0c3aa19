"""Opening a site, and letting an administrator in: what nobody can do at a desk, since nobody can sign in yet."""

from __future__ import annotations

from collections.abc import Iterator

import click

from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.commands.taking import who_runs_this
from dispensary.database import WriteSession
from dispensary.programmes.reading import BadProgramme, read_place
from dispensary.programmes.starting import Opened, start
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import BadSettings, settings_from
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


@click.command(name="open-programme")
@click.argument("folder")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
def open_programme(folder: str, dry_run: bool) -> None:
    """Open the sites of a programme's FOLDER for real: areas, sites, hours, invitations, settings; nobody's record.

    Of the folder programme.toml and care.toml are read alone (docs/new-programme.md). What is there already with the
    same facts is left as it is, so that the same folder a second time changes nothing; where a fact differs nothing is
    opened.
    Each invitation is printed once: hand it over in person.
    """
    with one_clear_line(), database_of(settings := settings_from()) as database:
        try:
            programme = read_place(folder)
        except BadProgramme as bad:
            raise BadSettings(str(bad)) from None
        with database.engine.connect() as connection, connection.begin() as transaction:
            session = WriteSession(connection, info={"vault": database.vault}, expire_on_commit=False)
            opened = start(session, programme, factor=settings.production, said_by=who_runs_this(), at=now())
            session.flush()
            if dry_run:
                transaction.rollback()
    for line in _told(opened, settings.public_base_url, dry_run=dry_run):
        click.echo(line)


def _told(opened: Opened, base: str, *, dry_run: bool) -> Iterator[str]:
    if opened.areas:
        yield f"Areas made: {', '.join(opened.areas)}."
    for site in opened.sites:
        yield f"Site {site.code}, {site.name}, is open."
        for username, person, code in site.invited:
            link = "" if dry_run else f": {base}/invited#{spelled(code)}"
            yield f"  {person} (“{username}”) is invited{link}"
        for username in site.known:
            yield f"  “{username}” works here too, and signs in as before."
        for username, branch in site.everywhere:
            yield f"  “{username}” has these roles at every site of {branch}, those that were there before too."
        if site.lacks:
            yield f"  It still lacks: {', '.join(site.lacks)}."
    if opened.left:
        yield f"There already, and left as they are: {', '.join(opened.left)}."
    if dry_run:
        yield "Dry run: nothing was changed."
    elif opened.sites:
        yield "Each invitation opens once: hand it over in person."
        yield "What a doctor signs for stands in the name of the doctor of the folder: let them read it."
