"""The tree of a programme on the command line: its areas and sites from a file, and the first roles at a branch."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.database import WriteSession
from dispensary.monitoring.doubles import index_next, look_for_everybody
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import settings_from
from dispensary.staff.branch_import import import_tree
from dispensary.staff.branch_queries import sites_in, without_administrator
from dispensary.staff.branch_rules import read_tree
from dispensary.staff.branches import branch_by_code, grant_at_branch
from dispensary.staff.queries import place, sites
from dispensary.staff.rules import Role, the_program
from dispensary.takehome.opening import begin


@click.command(name="sites")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--region", required=True, help="Country of telephone numbers at sites that are opened, for example VN.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
def import_sites(file: Path, region: str, dry_run: bool) -> None:
    """Bring in the tree of a programme (CSV: code, name, parent, kind, zone, language, lat, lon).

    Kinds: country, province, district, main, satellite. A satellite's parent is its main site. A zone or a language
    that a line does not give comes from what it lies in. Areas and sites that are there already are named anew and put
    where the file has them. With any fault nothing is changed.
    """
    with one_clear_line(), database_of(settings := settings_from()) as database:
        nodes = read_tree(file.read_bytes())
        with database.engine.connect() as connection, connection.begin() as transaction:
            session = WriteSession(connection, info={"vault": database.vault}, expire_on_commit=False)
            imported = import_tree(session, nodes=nodes, region=region, at=(at := now()))
            opened = [(site_id, place(session, site_id).zone) for site_id in imported.opened]
            begin(session, sites=opened, factor=settings.production, at=at)
            session.flush()
            nobody = without_administrator(session, imported.opened)
            if dry_run:
                transaction.rollback()
    click.echo(f"{imported.areas} areas made, {len(imported.opened)} sites opened, {imported.changed} changed.")
    if nobody:
        click.echo(f"Nobody runs {len(nobody)} of them yet, the first being {nobody[0]}: see `dispensary branch-role`.")
    if dry_run:
        click.echo("Dry run: nothing was changed.")


@click.command(name="find-doubles")
def find_doubles() -> None:
    """Look for people who are enrolled twice, among all who are on record: for a programme that begins to look.

    From then on each enrolment looks by itself. Both desks are told that there is another record, not where;
    whoever runs both sites sees the two numbers under Programme, Enrolled twice.
    """
    with one_clear_line(), database_of(settings_from()) as database:
        last: UUID | None = UUID(int=0)
        while last is not None:
            with database.writing() as session:
                last = index_next(session, after=last)
        with database.writing() as session:
            actors = {each.id: the_program(each.id) for each in sites(session)}
            found = look_for_everybody(session, actors=actors, at=now())
    click.echo(f"{found} pairs of records that may be one person's are new.")


@click.command(name="branch-role")
@click.argument("branch")
@click.argument("account")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.ADMINISTRATOR.value, show_default=True
)
def branch_role(branch: str, account: str, role: str) -> None:
    """Give ACCOUNT a role at every site of BRANCH: the code of an area, or of a main site with its satellites."""
    with one_clear_line(), database_of(settings_from()) as database, database.writing() as session:
        to = branch_by_code(session, branch)
        sites = sorted(sites_in(session, area_id=to.area_id, site_id=to.site_id))
        if not sites:
            raise BadInput(Refusal("empty-branch", f"No site lies in {to.code} yet.", "Bring in the sites first."))
        actor = the_program(sites[0])
        grant_at_branch(session, actor=actor, username=account, branch=branch, role=Role(role), at=now())
    click.echo(f"“{account}” has the role of {role} at {to.code}: at {len(sites)} sites, and at those that come.")
