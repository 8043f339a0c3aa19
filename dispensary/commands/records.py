"""Commands that bring records in and check them."""

from __future__ import annotations

import sys
import time
from datetime import date, datetime
from pathlib import Path

import click
from sqlalchemy import select

from dispensary.commands.parts import DAY, MISTAKE, bar, database_of, now, one_clear_line
from dispensary.database import Database, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.settings import settings_from
from dispensary.staff.queries import Place, place, site_by_code, sites
from dispensary.staff.rules import the_program
from dispensary.supplies.models import DayClose
from dispensary.units import DoseDay


@click.group(name="import")
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
    with one_clear_line(), database_of(settings_from()) as database:
        reading = read_doses(file, mapping=mapping, start=start.date() if start else None)
        began = time.monotonic()
        with database.engine.connect() as connection, connection.begin() as transaction:
            session = WriteSession(connection, info={"vault": database.vault}, expire_on_commit=False)
            site, made = _site_for_import(session, code, zone)
            imported = import_doses(
                session,
                actor=the_program(site.id),
                reading=reading,
                at=now(),
                keep_good=keep_good,
                progress=bar("dose days", " days"),
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


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format", "written", type=click.Choice(["csv", "fhir", "hl7"]), required=True, help="How it is written."
)
@click.option("--site", "code", required=True, help="Code of the site.")
@click.option("--laboratory", "called", required=True, help="Name of the laboratory; kept when it is a new one.")
@click.option("--keep-good", is_flag=True, help="Take the good lines when others are wrong. Default: nothing then.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
def results(file: Path, written: str, code: str, called: str, keep_good: bool, dry_run: bool) -> None:
    """Bring in results of a laboratory: CSV, FHIR R4 or HL7 version 2."""
    from dispensary.monitoring.importing import lines_of, receive, take
    from dispensary.monitoring.incoming import LARGEST_FILE, Format
    from dispensary.monitoring.results import laboratory

    with file.open("rb") as opened:
        content = opened.read(LARGEST_FILE + 1)
    with (
        one_clear_line(),
        database_of(settings_from()) as database,
        database.engine.connect() as connection,
        connection.begin() as transaction,
    ):
        session = WriteSession(connection, info={"vault": database.vault}, expire_on_commit=False)
        site = place(session, site_by_code(session, code).id)
        actor, at = the_program(site.id), now()
        from_id = laboratory(session, actor=actor, name=called).id
        kept = receive(
            session,
            actor=actor,
            laboratory_id=from_id,
            format=Format(written),
            name=file.name,
            content=content,
            at=at,
        )
        today = site.dose_day(at)
        if dry_run:
            for line in lines_of(session, actor=actor, file=kept, today=today):
                click.echo(f"line {line.sent.line}: {line.verdict.value}{f': {line.why}' if line.why else ''}")
            transaction.rollback()
            click.echo("Dry run: nothing was changed.")
            return
        taken = take(session, actor=actor, file_id=kept.id, today=today, at=at, keep_good=keep_good)
        session.flush()
    for line in taken.left_out:
        click.echo(f"left out: line {line.sent.line}: {line.why}", err=True)
    click.echo(
        f"{taken.entered} results entered, {taken.corrected} corrected, {taken.already} here already,"
        f" {len(taken.left_out)} left out; {taken.clients} clients judged."
    )


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="What they are called from now on.")
@click.option("--replace", is_flag=True, help="Put them in the place of those that have the name.")
@click.option("--seen-to", type=DAY, help="The last day that the records know. Default: the latest day in the file.")
@click.option(
    "--column", "headers", multiple=True, metavar="COLUMN=HEADER", help="Header of a column where it is not guessed."
)
@click.option("--site", "code", default="", help="Site that has it on its audit trail; made when it is not there.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
def episodes(
    file: Path, name: str, replace: bool, seen_to: datetime | None, headers: tuple[str, ...], code: str, dry_run: bool
) -> None:
    """Bring in episodes that were kept elsewhere, to be evaluated: client, started, ended, exit reason (CSV)."""
    from dispensary.evaluation.episode_files import headers_of, read_episodes
    from dispensary.evaluation.episode_sets import bring_in

    with (
        one_clear_line(),
        database_of(settings_from()) as database,
        database.engine.connect() as connection,
        connection.begin() as transaction,
    ):
        session = WriteSession(connection, info={"vault": database.vault}, expire_on_commit=False)
        reading = read_episodes(file, headers=headers_of(headers), seen_to=seen_to.date() if seen_to else None)
        site, made = (_site_for_import(session, code, "UTC")) if code else (_only_site(session), False)
        kept = bring_in(session, actor=the_program(site.id), name=name, file=reading, at=now(), replace=replace)
        session.flush()
        if dry_run:
            transaction.rollback()
    if made:
        click.echo(f"Site {site.code} {'would be' if dry_run else 'was'} made, in the zone {site.zone}.")
    click.echo(f"{kept.episodes:,} episodes of {kept.clients:,} clients, seen to {kept.seen_to}.")
    click.echo(f"They can be split by {', '.join(kept.strata)}." if kept.strata else "They cannot be split.")
    click.echo("Dry run: nothing was changed." if dry_run else f"Now: dispensary export retention --episodes {name}")


@click.command(name="forget-episodes")
@click.argument("name")
def forget_episodes(name: str) -> None:
    """Remove episodes that were brought in under a name, every one."""
    from dispensary.evaluation.episode_sets import episode_set, forget

    with one_clear_line(), database_of(settings_from()) as database, database.writing() as session:
        site_id = episode_set(session, name).site_id
        gone = forget(session, actor=the_program(site_id), name=name, at=now())
    click.echo(f"{gone.episodes:,} episodes of {gone.clients:,} clients are gone.")


def _only_site(session: WriteSession) -> Place:
    found = sites(session)
    if len(found) != 1:
        codes = (
            f"There are {', '.join(site.code for site in found)}." if found else "There is none yet: give a new code."
        )
        raise BadInput(Refusal("site", "Say with --site on whose audit trail it stands.", codes, field="site"))
    return found[0]


def _site_for_import(session: WriteSession, code: str, zone: str) -> tuple[Place, bool]:
    import scheduling.service
    from dispensary.staff.sites import add_site

    try:
        return place(session, site_by_code(session, code).id), False
    except NotThere:
        site = add_site(session, code=code, name=code.strip().upper(), zone=zone, region="US", at=now())
        scheduling.service.add_place(session, place_id=site.id, zone=zone)
        return place(session, site.id), True


@click.command(name="close-day")
@click.option("--site", "code", default="", help="Code of the site. Default: every site that has not closed the day.")
@click.option("--day", type=DAY, required=True, help="The dose day.")
def close_day_command(code: str, day: datetime) -> None:
    """Close a dose day without a count, as the night does: its missed days are frozen."""
    with one_clear_line(), database_of(settings_from()) as database:
        if not code:
            _close_everywhere(database, DoseDay(day.date()))
            return
        with database.writing() as session:
            closed = _close(session, place(session, site_by_code(session, code).id), DoseDay(day.date()))
    click.echo(
        f"{code} {day.date()} closed: {closed.observed} observed, {closed.taken_home} at home, "
        f"{closed.missed} missed, {closed.held} held. The safe is not counted yet."
    )


def _close(session: WriteSession, site: Place, day: DoseDay) -> DayClose:
    from dispensary.supplies.closing import close_day

    at = now()
    return close_day(session, actor=the_program(site.id), day=day, today=site.dose_day(at), counts=None, at=at)


def _close_everywhere(database: Database, day: DoseDay) -> None:
    """One unit of work a site: what one refuses keeps no other open, and what was stopped goes on from there."""
    closed = outcomes = 0
    refused: list[str] = []
    with database.reading() as session:
        done = set(session.scalars(select(DayClose.site_id).where(DayClose.dose_day == day)))
        places = [each for each in sites(session) if each.id not in done]
    tell = bar("sites")
    for number, site in enumerate(places):
        tell(number, len(places), site.code)
        try:
            with database.writing() as session:
                row = _close(session, site, day)
        except Refused as reason:
            refused.append(f"{site.code}: {reason.first.sentence}")
            continue
        closed += 1
        outcomes += row.observed + row.taken_home + row.missed + row.held
    tell(len(places), len(places))
    click.echo(f"{day} closed at {closed:,} sites, with {outcomes:,} portions; {len(done):,} had closed it before.")
    for sentence in refused:
        click.echo(sentence, err=True)
    if refused:
        sys.exit(MISTAKE)


@click.command()
@click.option("--site", "code", required=True, help="Code of the site.")
@click.option("--client", "number", default="", help="Only this client, by number. Default: everybody in treatment.")
def assess(code: str, number: str) -> None:
    """Assess take-home by the policy that the site follows, and keep what is new, as the night does."""
    from dispensary.takehome.nightly import assess_everybody

    with one_clear_line(), database_of(settings_from()) as database, database.writing() as session:
        site = place(session, site_by_code(session, code).id)
        today = site.dose_day(now())
        if number:
            click.echo(_assess_one(session, site, number, today))
            return
        report = assess_everybody(session, actor=the_program(site.id), site_id=site.id, on=today, at=now())
    for level, clients in report.levels.items():
        click.echo(f"{clients:>6,} {level}")
    click.echo(
        f"{report.assessed:,} assessed as of {today} by {report.policy} {report.version}: {report.kept:,} kept as new, "
        f"{report.cut:,} cut to a limit of the law."
    )


def _assess_one(session: WriteSession, site: Place, number: str, today: date) -> str:
    from dispensary.clients.queries import find
    from dispensary.takehome.service import assess_client

    wanted = number.strip().upper()
    face = next((one for one in find(session, site_id=site.id, text=wanted) if one.number == wanted), None)
    if face is None:
        raise NotThere(Refusal("no-client", f"{site.code} has no client {wanted}.", "Look at the card again."))
    made = assess_client(session, actor=the_program(site.id), client_id=face.client_id, on=today, at=now())
    return f"{face.number}: {made.level}, as of {today}."
