"""The command `dispensary`: it says what it did, or one clear line with exit code 2, and nothing half-done stays."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from litestar import Litestar
from sqlalchemy.exc import DBAPIError
from tqdm import tqdm

from dispensary import __version__
from dispensary.database import Database, NoDatabase, ReadSession, open_database
from dispensary.evaluation.exports import export_dose_days, export_retention
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import DEFAULT_GAP, Question
from dispensary.jobs import start_jobs
from dispensary.keys import BadKeys, open_vault
from dispensary.refusals import NotThere, Refused
from dispensary.schema import behind
from dispensary.schema import migrate as migrate_database
from dispensary.settings import BadSettings, Settings, settings_from
from dispensary.staff.queries import Place, place, site_by_code, sites
from dispensary.staff.rules import the_program
from dispensary.units import DoseDay

MISTAKE = 2
DAY = click.DateTime(["%Y-%m-%d"])


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turns what a person can mend into one line on standard error and exit code 2."""
    from dispensary.serving import CannotServe

    try:
        yield
    except Refused as refused:
        for refusal in refused.refusals[:20]:
            click.echo(f"{refusal.sentence} {refusal.remedy}".strip(), err=True)
        if len(refused.refusals) > 20:
            click.echo(f"and {len(refused.refusals) - 20} more.", err=True)
        sys.exit(MISTAKE)
    except (BadSettings, NoDatabase, BadKeys, CannotServe) as mistake:
        click.echo(str(mistake), err=True)
        sys.exit(MISTAKE)
    except DBAPIError as reason:
        lines = [line for line in str(reason.orig).splitlines() if line.strip()]
        click.echo(f"The database refused: {lines[0] if lines else type(reason.orig).__name__}", err=True)
        sys.exit(MISTAKE)
    except OSError as reason:
        click.echo(f"{reason.filename or 'A file'}: {reason.strerror or reason}.", err=True)
        sys.exit(MISTAKE)


@contextmanager
def _database(settings: Settings, *, ready: bool = True) -> Iterator[Database]:
    """The database of these settings, open for one command. With `ready` it must be at the newest migration."""
    database = open_database(settings, open_vault(settings.keys))
    try:
        if ready and behind(database):
            raise NoDatabase("The database is not up to date. Run `dispensary migrate` first.")
        yield database
    finally:
        database.close()


def _bar(about: str, unit: str = "") -> Callable[[int, int], None]:
    """A progress bar that is told how much is done of how much; quiet when nobody watches."""
    bar: tqdm[Any] | None = None

    def tell(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(
                total=total, desc=about, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False
            )
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return tell


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dispensary")
def main() -> None:
    """Takehome: the counter, the consulting room and the phone line of a methadone programme."""


@main.command()
def migrate() -> None:
    """Bring the database to this version of the program."""
    with one_clear_line(), _database(settings_from(), ready=False) as database:
        steps = migrate_database(database)
    click.echo(f"Migrated: {', '.join(steps)}." if steps else "The database is up to date.")


@asynccontextmanager
async def _with_jobs(database: Database, settings: Settings, app: Litestar) -> AsyncIterator[None]:
    scheduler = start_jobs(database, settings, _now)
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
    from dispensary.logs import configure_logs
    from dispensary.serving import only_program_on, refuse_taken_port, serve_on

    configure_logs(production=settings.production)
    with only_program_on(settings.data):
        refuse_taken_port(settings.host, settings.port)
        with _database(settings, ready=False) as database:
            if settings.database_url is None:
                migrate_database(database)
            prepare(database)
            lifespan = [lambda app: _with_jobs(database, settings, app)] if jobs else []
            serve_on(settings, database, ready=ready, lifespan=lifespan)


@main.command()
def worker() -> None:
    """Run the jobs alone, beside servers that were started with --no-jobs."""
    from dispensary.logs import configure_logs

    with one_clear_line():
        settings = settings_from()
        configure_logs(production=settings.production)
        with _database(settings) as database:
            scheduler = start_jobs(database, settings, _now)
            click.echo("The worker runs. Stop it with Ctrl-C.")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                scheduler.shutdown(wait=True)


@main.command()
@click.option("--fresh", is_flag=True, help="Forget the clinic that was made before and make a new one.")
def demo(fresh: bool) -> None:
    """A clinic of 96 clients with a year of history, to try."""
    with one_clear_line():
        settings = settings_from()
        if settings.production or settings.database_url is not None:
            raise BadSettings("The demo uses its own embedded database: unset DATABASE_URL and DISPENSARY_ENV.")
        _demo(settings, fresh=fresh)


def _demo(settings: Settings, *, fresh: bool) -> None:
    from dispensary.demo import clinic

    def prepare(database: Database) -> None:
        if fresh:
            _forget(database)
            migrate_database(database)
        with database.reading() as session:
            filled, last = clinic.is_filled(session), clinic.last_open(session)
        if not filled:
            click.echo("Making the clinic and its year of history. This takes about half a minute, once.")
            clinic.fill(
                database, now=_now(), public_base_url=settings.public_base_url, say=_bar("a year of days", " days")
            )
        elif last is not None and _now().date() - last > timedelta(days=2):
            click.echo(f"The clinic was last open on {last}. `dispensary demo --fresh` makes it anew, as of today.")
        with database.reading() as session:
            site = place(session, site_by_code(session, clinic.CODE).id)
            pickups = clinic.to_try(session, site_id=site.id, today=site.dose_day(_now()))
        lines.extend(_what_to_try(settings, [pickup.code for pickup in pickups], [p.number for p in pickups]))

    lines: list[str] = []
    _serve(settings, jobs=True, prepare=prepare, ready=lambda: click.echo("\n".join(lines)))


def _forget(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")


def _what_to_try(settings: Settings, codes: list[str], numbers: list[str]) -> list[str]:
    from dispensary.demo.clinic import PASSWORD, STAFF
    from dispensary.supplies.passes import spoken

    base = f"http://{settings.host}:{settings.port}"
    lines = ["", f"Takehome is open on {base}", "", f"Sign in with the password “{PASSWORD}” as"]
    lines += [f"  {username:<14} {name}" for username, name, _, _ in STAFF]
    lines += ["", "What to try"]
    if codes:
        ready = ", ".join(f"{spoken(code)} ({number})" for code, number in zip(codes, numbers, strict=True))
        lines.append(f"  pharmacist     type the code of a prepared pickup at the counter: {ready}")
    lines += [
        "  pharmacist     call the next in the queue, dose, print labels, close the day and print its log",
        "  doctor         open somebody on the worklist, read the assessment, change a dose",
        "  reception      check somebody in, book and move times",
        "  evaluator      see and download retention",
        "  administrator  hours, closures, staff, policies, the audit trail",
        f"  anybody        play a client's phone on {base}/telephone: write SLOTS, BOOK FRI 7, WHEN, DROP",
        "",
        "Stop it with Ctrl-C. The next start takes seconds; `dispensary demo --fresh` begins anew.",
        "",
    ]
    return lines


@main.group(name="import")
def import_() -> None:
    """Bring in records that were kept elsewhere."""


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--site", "code", required=True, help="Code of the site; made when there is none of this code yet.")
@click.option("--zone", default="UTC", show_default=True, help="Zone of a site that is made.")
@click.option("--start", type=DAY, help="The day 0, when the file counts days.")
@click.option("--client", "client_column", default="", help="Header of the client's column, where it is not guessed.")
@click.option("--day", "day_column", default="", help="Header of the day's column.")
@click.option("--mg", "mg_column", default="", help="Header of the column of mg.")
@click.option("--keep-good", is_flag=True, help="Bring in the good lines when others are wrong. Default: nothing then.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
def doses(
    file: Path,
    code: str,
    zone: str,
    start: datetime | None,
    client_column: str,
    day_column: str,
    mg_column: str,
    keep_good: bool,
    dry_run: bool,
) -> None:
    """Bring in a history of doses: client, day, mg (CSV or XLSX)."""
    from dispensary.supplies.dose_files import read_doses
    from dispensary.supplies.history import import_doses

    named = {"client": client_column, "day": day_column, "mg": mg_column}
    mapping = {column: header for column, header in named.items() if header}
    with one_clear_line(), _database(settings_from()) as database:
        reading = read_doses(file, mapping=mapping, start=start.date() if start else None)
        began = time.monotonic()
        with database.engine.connect() as connection, connection.begin() as transaction:
            from dispensary.database import WriteSession

            session = WriteSession(connection, info={"vault": database.vault}, expire_on_commit=False)
            site, made = _site_for_import(session, code, zone)
            imported = import_doses(
                session,
                actor=the_program(site.id),
                reading=reading,
                at=_now(),
                keep_good=keep_good,
                progress=_bar("dose days", " days"),
            )
            session.flush()
            if dry_run:
                transaction.rollback()
        seconds = time.monotonic() - began
    if made:
        click.echo(f"Site {site.code} {'would be' if dry_run else 'was'} made, in the zone {site.zone}.")
    for problem in imported.problems:
        click.echo(f"left out: {problem}", err=True)
    for sentence in imported.sentences():
        click.echo(sentence)
    click.echo("Dry run: nothing was changed." if dry_run else f"Done in {seconds:.1f} s.")


def _site_for_import(session: Any, code: str, zone: str) -> tuple[Place, bool]:
    import scheduling.service
    from dispensary.staff.service import add_site

    try:
        return place(session, site_by_code(session, code).id), False
    except NotThere:
        site = add_site(session, code=code, name=code.strip().upper(), zone=zone, region="US", at=_now())
        scheduling.service.add_place(session, place_id=site.id, zone=zone)
        return place(session, site.id), True


def _places(session: ReadSession, codes: tuple[str, ...]) -> list[Place]:
    return [place(session, site_by_code(session, code).id) for code in codes] if codes else sites(session)


def _export_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--site", "codes", multiple=True, help="Only these sites. Default: all."),
        click.option("--from", "first", type=DAY, required=True, help="First day of the period."),
        click.option("--to", "last", type=DAY, required=True, help="Last day of the period."),
        click.option("--as-of", type=click.DateTime(), help="What was known then (UTC). Default: now."),
        click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder."),
    ):
        command = option(command)
    return command


def _period(first: datetime, last: datetime) -> Period:
    return Period(first.date(), last.date() + timedelta(days=1))


def _as_of(as_of: datetime | None) -> datetime:
    return as_of.replace(tzinfo=UTC) if as_of else _now().replace(microsecond=0)


@main.group()
def export() -> None:
    """Write de-identified figures with their definitions."""


@export.command(name="dose-days")
@_export_options
def export_dose_days_command(
    codes: tuple[str, ...], first: datetime, last: datetime, as_of: datetime | None, out: Path
) -> None:
    """Every closed dose day: ordered, given, outcome (CSV and manifest)."""
    with one_clear_line(), _database(settings_from()) as database, database.reading() as session:
        out.mkdir(parents=True, exist_ok=True)
        path = out / "dose-days.csv"
        figures = export_dose_days(
            session,
            places=_places(session, codes),
            period=_period(first, last),
            as_of=_as_of(as_of),
            now=_now(),
            path=path,
        )
    share = f", {figures.covered / figures.days:.1%} covered" if figures.days else ""
    click.echo(f"{figures.clients:,} clients, {figures.days:,} days ordered{share}: {path}")


@export.command(name="retention")
@_export_options
@click.option("--gap", default=DEFAULT_GAP, show_default=True, help="Dropped out after more days without a dose.")
def export_retention_command(
    codes: tuple[str, ...], first: datetime, last: datetime, as_of: datetime | None, out: Path, gap: int
) -> None:
    """Retention by Kaplan-Meier, first stays and all stays (CSV and manifest)."""
    with one_clear_line(), _database(settings_from()) as database, database.reading() as session:
        out.mkdir(parents=True, exist_ok=True)
        path = out / "retention.csv"
        question = Question(_period(first, last), _as_of(as_of), gap_days=gap)
        answer = export_retention(session, places=_places(session, codes), question=question, now=_now(), path=path)
    for mark in answer.first.marks:
        if mark.retention is not None:
            click.echo(f"{mark.months:>3} months: {float(mark.retention):.3f} ({mark.at_risk} at risk)")
    click.echo(f"{answer.first.clients:,} clients, first stays; definition and all stays: {path}")


@main.command(name="close-day")
@click.option("--site", "code", required=True, help="Code of the site.")
@click.option("--day", type=DAY, required=True, help="The dose day.")
def close_day_command(code: str, day: datetime) -> None:
    """Close a dose day without a count, as the night does: its missed days are frozen."""
    from dispensary.supplies.closing import close_day

    with one_clear_line(), _database(settings_from()) as database, database.writing() as session:
        site = place(session, site_by_code(session, code).id)
        closed = close_day(
            session,
            actor=the_program(site.id),
            day=DoseDay(day.date()),
            today=site.dose_day(_now()),
            counts=None,
            at=_now(),
        )
    click.echo(
        f"{code} {day.date()} closed: {closed.observed} observed, {closed.taken_home} at home, "
        f"{closed.missed} missed, {closed.held} held. The safe is not counted yet."
    )


@main.command()
@click.option("--site", "code", required=True, help="Code of the site.")
@click.option("--client", "number", default="", help="Only this client, by number. Default: everybody in treatment.")
def assess(code: str, number: str) -> None:
    """Assess take-home by the policy that the site follows, and keep the assessments."""
    from dispensary.clients.queries import faces, in_treatment
    from dispensary.takehome.service import assess_client

    with one_clear_line(), _database(settings_from()) as database, database.writing() as session:
        site = place(session, site_by_code(session, code).id)
        today: date = site.dose_day(_now())
        people = faces(session, in_treatment(session, site_id=site.id, on=today))
        chosen = [face for face in people.values() if not number or face.number == number.strip().upper()]
        for face in sorted(chosen, key=lambda each: each.number):
            made = assess_client(session, actor=the_program(site.id), client_id=face.client_id, on=today, at=_now())
            click.echo(f"{face.number}: {made.level}")
    click.echo(f"{len(chosen)} assessed as of {today}.")


@main.command()
def verify() -> None:
    """Check on live data what must never break; names each row that breaks a rule, and then exits 1."""
    from dispensary.verification import verify as look

    found = 0
    with one_clear_line(), _database(settings_from()) as database, database.reading() as session:
        bar = _bar("looks")
        for finding in look(session, now=_now(), progress=lambda done, total, about: bar(done, total)):
            found += 1
            click.echo(str(finding))
    if found:
        click.echo(f"{found} rows break a rule.", err=True)
        sys.exit(1)
    click.echo("All is well: no row breaks a rule.")


if __name__ == "__main__":
    main()
