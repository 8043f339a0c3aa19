"""The command `dispensary`: it says what it did, or one clear line with exit code 2, and nothing half-done stays."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from litestar import Litestar
from sqlalchemy import select

from dispensary import __version__
from dispensary.commands import (
    apart,
    branches,
    checking,
    counting,
    dividing,
    exporting,
    factor,
    keeping,
    keys,
    opening,
    programmes,
    records,
    reporting,
    retaining,
    simulating,
    verifying,
)
from dispensary.commands.parts import bar, database_of, forget, now, one_clear_line
from dispensary.database import Database, kept_running
from dispensary.jobs import start_jobs
from dispensary.schema import met
from dispensary.schema import migrate as migrate_database
from dispensary.settings import BadSettings, Settings, settings_from
from dispensary.staff.models import Site
from dispensary.staff.queries import place, site_by_code

if TYPE_CHECKING:
    from dispensary.demo.trying import ToSee, ToTry


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dispensary")
def main() -> None:
    """Takehome: the counter, the consulting room and the phone line of a methadone programme."""


@main.command()
def migrate() -> None:
    """Bring the database to this version of the program."""
    with one_clear_line(), database_of(settings_from(), ready=False) as database:
        steps = migrate_database(database)
        ahead = met(database).ahead
    if ahead:
        click.echo(f"The database is ahead of this program, at {ahead}, and works with it. Nothing was done.")
    else:
        click.echo(f"Migrated: {', '.join(steps)}." if steps else "The database is up to date.")


@asynccontextmanager
async def _with_jobs(database: Database, settings: Settings, app: Litestar) -> AsyncIterator[None]:
    scheduler = start_jobs(database, settings, now)
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


@main.command()
@click.option("--jobs/--no-jobs", default=True, help="Run texts, reminders and night closes in this program too.")
def serve(jobs: bool) -> None:
    """Serve the clinic: pages, API and, unless told otherwise, the jobs."""
    with one_clear_line():
        settings = settings_from()
        _serve(settings, jobs=jobs, ready=lambda: click.echo(f"Takehome answers on {settings.public_base_url}"))


def _serve(
    settings: Settings,
    *,
    jobs: bool,
    ready: Callable[[], None],
    prepare: Callable[[Database], None] = lambda database: None,
) -> None:
    from dispensary.demo.left import refuse_demonstration
    from dispensary.logs import configure_logs
    from dispensary.serving import only_program_on, refuse_taken_port, serve_on

    configure_logs(production=settings.production)
    with only_program_on(settings.data):
        refuse_taken_port(settings.host, settings.port)
        with database_of(settings, ready=False) as database:
            if settings.database_url is None:
                migrate_database(database)
            prepare(database)
            if settings.production and not met(database).needs:
                with database.reading() as session:
                    refuse_demonstration(session)
            lifespan = [lambda app: _with_jobs(database, settings, app)] if jobs else []
            serve_on(settings, database, ready=ready, lifespan=lifespan)


@main.command()
def worker() -> None:
    """Run the jobs alone, beside servers that were started with --no-jobs."""
    from dispensary.logs import configure_logs

    with one_clear_line():
        settings = settings_from()
        configure_logs(production=settings.production)
        with database_of(settings) as database, kept_running(settings):
            scheduler = start_jobs(database, settings, now)
            click.echo("The worker runs. Stop it with Ctrl-C.")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                scheduler.shutdown(wait=True)


@main.command()
@click.option("--fresh", is_flag=True, help="Forget the clinic that was made before and make a new one.")
@click.option(
    "--programme", metavar="NAME|FOLDER", help="Another programme instead: one that comes with it, or a folder."
)
@click.option(
    "--table", is_flag=True, help="Print the programme's figures beside the published ones, and serve nothing."
)
def demo(fresh: bool, programme: str | None, table: bool) -> None:
    """A clinic of 96 clients with a year of history, or a programme, to try."""
    with one_clear_line():
        settings = settings_from()
        if settings.production or settings.database_url is not None:
            raise BadSettings("The demo uses its own embedded database: unset DATABASE_URL and DISPENSARY_ENV.")
        if table and not programme:
            raise BadSettings("Say of which programme: --programme NAME.")
        if programme:
            programmes.demonstrate(settings, programme, fresh=fresh, table=table, serve=_serve)
        else:
            _demo(settings, fresh=fresh)


def _demo(settings: Settings, *, fresh: bool) -> None:
    from dispensary.demo import clinic, trying

    def prepare(database: Database) -> None:
        if fresh:
            forget(database)
        with database.reading() as session:
            filled, last = clinic.is_filled(session), clinic.last_open(session)
            codes = set(session.scalars(select(Site.code)))
        if codes and not filled:
            raise programmes.another(codes)
        if not filled:
            click.echo("Making the clinic and its year of history. This takes about half a minute, once.")
            clinic.fill(
                database, now=now(), public_base_url=settings.public_base_url, say=bar("a year of days", " days")
            )
        elif last is not None and now().date() - last > timedelta(days=2):
            click.echo(f"The clinic was last open on {last}. `dispensary demo --fresh` makes it anew, as of today.")
        with database.reading() as session:
            site = place(session, site_by_code(session, clinic.CODE).id)
            today = site.dose_day(now())
            pickups = trying.to_try(session, site_id=site.id, today=today)
            others = trying.to_see(session, site_id=site.id, today=today)
        lines.extend(_what_to_try(settings, pickups, others))

    lines: list[str] = []
    _serve(settings, jobs=True, prepare=prepare, ready=lambda: click.echo("\n".join(lines)))


def _what_to_try(settings: Settings, pickups: Sequence[ToTry], others: Sequence[ToSee]) -> list[str]:
    from dispensary.demo import guest, programme
    from dispensary.demo.clinic import PASSWORD, PINS, STAFF
    from dispensary.supplies.passes import spoken

    base = f"http://{settings.host}:{settings.port}"
    lines = ["", f"Takehome is open on {base}", "", f"Sign in with the password “{PASSWORD}” as"]
    lines += [f"  {username:<14} {name}" for username, name, _, _ in STAFF]
    lines.append(f"  {guest.USERNAME:<14} the other side of a guest's stay, at the site {guest.CODE}")
    lines.append(f"  {programme.USERNAME:<14} sees to every site of the programme: the tree, from above, the stock")
    lines.append("Their PINs: " + ", ".join(f"{username} {pin}" for username, pin in PINS.items()))
    lines.append("A downtime pack (Counter, If the system fails) opens by the same words.")
    lines += ["", "What to try"]
    if pickups:
        ready = ", ".join(f"{spoken(pickup.code)} ({pickup.number})" for pickup in pickups)
        lines.append(f"  pharmacist     type the code of a prepared pickup at the counter: {ready}")
    for one in others:
        lines.append(f"  {one.username:<14} {one.number} {one.words}")
    lines += [
        "  pharmacist     call the next in the queue, dose, print labels, close the day and print its log",
        "  doctor         open somebody on the worklist, read the assessment, change a dose",
        "  reception      check somebody in, book and move times",
        "  peer           open one of the few clients whom this peer worker keeps in touch with, note a contact",
        "  evaluator      see and download retention",
        "  administrator  hours, closures, staff, policies, the audit trail",
        f"  anybody        play a client's phone on {base}/telephone: write SLOTS, BOOK FRI 7, WHEN, DROP",
        "",
        "Stop it with Ctrl-C. The next start takes seconds; `dispensary demo --fresh` begins anew.",
        "",
    ]
    return lines


exporting.export.add_command(retaining.retention_command)
records.import_.add_command(branches.import_sites)
exporting.export.add_command(reporting.report_command)
for each in (
    opening.open_site,
    opening.open_programme,
    factor.reset_second_factor,
    opening.let_in,
    branches.branch_role,
    branches.find_doubles,
    apart.lend,
    apart.borrow,
    apart.join,
    records.import_,
    records.forget_episodes,
    exporting.export,
    counting.evaluation,
    records.close_day_command,
    records.assess,
    verifying.verify,
    verifying.anchor,
    checking.check,
    simulating.simulate,
    keys.keys,
    keeping.backup_key,
    keeping.backup,
    keeping.restore,
    dividing.divide,
):
    main.add_command(each)


if __name__ == "__main__":
    main()
