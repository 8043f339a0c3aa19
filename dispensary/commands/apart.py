"""A satellite with a server of its own on the command line: lending, taking, joining (docs/satellite.md)."""

from __future__ import annotations

import os
from pathlib import Path

import click
from sqlalchemy import select, text

from dispensary.backups.files import BadBackup
from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.database import Database, WriteSession, keep_logical_log
from dispensary.key_sources import KeyFile, source_of
from dispensary.keys import BadKeys
from dispensary.refusals import BadInput, Refusal
from dispensary.schema import migrate
from dispensary.settings import settings_from
from dispensary.staff import audit
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.models import Site
from dispensary.staff.queries import site_by_code
from dispensary.staff.rules import the_program
from dispensary.units import SiteId

_FILE = click.Path(dir_okay=False, path_type=Path)
_MIGRATION = text("SELECT version_num FROM alembic_version")


def _satellite(session: WriteSession, code: str) -> Site:
    site = site_by_code(session, code)
    if site.main_site_id is None:
        raise BadInput(
            Refusal("no-satellite", f"{site.code} is no satellite of a main site.", "A main site stays at the centre.")
        )
    return site


@click.command()
@click.argument("site")
@click.argument("file", type=_FILE)
@click.option("--to", "public", required=True, help="The satellite's public key, of its `dispensary backup-key`.")
@click.option("--key", required=True, help="The key that it seals by, of `dispensary keys add --not-yet`.")
@click.option(
    "--warn-after",
    type=click.IntRange(1, 60),
    help="Days after which its counter is warned that orders are old; else when the first review is due.",
)
def lend(site: str, file: Path, public: str, key: str, warn_after: int | None) -> None:
    """Write what the satellite SITE needs to run alone into FILE, as of now. From then on it writes its own rows.

    The same again for a satellite that runs alone already writes what the centre knows now, for it to take.
    """
    from dispensary.apart.lending import lend as lend_site
    from dispensary.backups.making import public_keys

    with one_clear_line(), database_of(settings_from()) as database:
        recipients = public_keys([public])
        with database.writing() as session:
            there = _satellite(session, site)
            migration = str(session.scalar(_MIGRATION))
        cut = lend_site(
            database, site=there, key=key, sealed_to=recipients, warn_after=warn_after, migration=migration, at=now()
        )
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BadBackup(f"{file} is there already. Name another file, and lend again.") from None
        with os.fdopen(handle, "wb") as opened:
            opened.write(cut.content)
    click.echo(f"{file} has {cut.rows:,} rows for {cut.clients} clients of {there.code}, as of now.")
    click.echo(f"{there.code} is written on its own server from now on. There: dispensary borrow {file.name}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--secret", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The satellite's secret key file, of `dispensary backup-key`.")  # fmt: skip
def borrow(file: Path, secret: Path) -> None:
    """On a satellite's own server: take what `dispensary lend` wrote, the first time or anew."""
    from dispensary.apart.borrowing import open_cut, take
    from dispensary.backups.restoring import secret_keys
    from dispensary.resealing.prints import must_fit

    with one_clear_line():
        settings = settings_from()
        parcel = open_cut(file, secret_keys(secret))
        source = source_of(settings)
        if not isinstance(source, KeyFile):
            raise BadKeys(f"A satellite's keys lie in a file of its own. Take out what sets {source.told}.")
        made = not settings.keys.exists()
        if made:
            settings.keys.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(settings.keys, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as keys:
                keys.write(parcel.ring.as_json())
        elif source.read().prints() != parcel.ring.prints():
            raise BadKeys(
                f"{settings.keys} holds other keys than the cut was made for: this is not its server, or keys were"
                " exchanged at the centre meanwhile. Then bring the satellite home, and lend it anew."
            )
        with database_of(settings, ready=False) as database:
            migrate(database)
            must_fit(database, at=now())
        keep_logical_log(settings)
        with database_of(settings) as database:
            with database.reading() as session:
                migration = str(session.scalar(_MIGRATION))
            taken = take(database, parcel, migration=migration)
            with database.writing() as session:
                audit.record(
                    session,
                    actor=the_program(parcel.site_id),
                    act="took cut",
                    subject="site",
                    subject_id=parcel.site_id,
                    at=now(),
                    details={"as_of": parcel.at.isoformat(), "clients": taken.clients},
                )
    click.echo(f"{taken.code}: {taken.clients} clients as of {taken.at:%Y-%m-%d %H:%M} UTC.")
    if taken.first:
        click.echo(f"Copy {settings.keys} to where its copy is kept. Then: dispensary verify, dispensary serve")


def is_apart(session: WriteSession, there: Site) -> bool:
    """Whether the site is written on a server of its own now. Raises BadInput for one that never was."""
    rows = select(SiteApart.until).where(SiteApart.site_id == there.id, SiteApart.whole)
    ends = session.scalars(rows).all()
    if not ends:
        sentence = f"{there.code} has no server of its own."
        raise BadInput(Refusal("site-not-lent", sentence, "Look at the code again."))
    return None in ends


def write_off(database: Database, there: Site) -> list[str]:
    """Writes down that the satellite's server is gone, and says how far everything is here. Once; again it says so too.

    Raises BadInput for a site that never had one of its own.
    """
    from dispensary.apart.arrived import how_far
    from dispensary.apart.joining import forget, give_up

    site_id, main_id = SiteId(there.id), SiteId(there.main_site_id or there.id)
    with database.writing() as session:
        apart = is_apart(session, there)
    if apart:
        give_up(database, site_id=site_id, main_id=main_id, code=there.code, at=now())
    else:
        forget(database, code=there.code)
    with database.reading() as session:
        return how_far(session, site_id=site_id)


@click.command()
@click.argument("site")
@click.option("--line", help="How PostgreSQL at the satellite is reached, as libpq writes it.")
@click.option("--within", type=click.FloatRange(1), default=300.0, show_default=True, help="Seconds to wait at most.")
@click.option("--last", is_flag=True, help="The satellite writes no more: it is written here again.")
@click.option(
    "--lost", is_flag=True, help="Its server is gone for good, with what did not come: it is written here again."
)
@click.option("--stolen", is_flag=True, help="With --lost: shut out whoever could sign in by what lies on it.")
def join(site: str, line: str | None, within: float, last: bool, lost: bool, stolen: bool) -> None:
    """Bring in what the satellite SITE wrote while it was apart, and say what came. Nothing comes twice.

    PostgreSQL goes on by itself whenever the line is there. Each day that both sites covered is an urgent alert. A row
    that is refused here is named with the reason. Cut off at whatever step, the same command again goes on from there.
    """
    from dispensary.apart.joining import bring_back, forget
    from dispensary.apart.joining import join as join_site
    from dispensary.apart.stolen import shut_out
    from dispensary.stock.discrepancies import named

    with one_clear_line(), database_of(settings_from()) as database:
        with database.writing() as session:
            there = _satellite(session, site)
            apart = is_apart(session, there)
        site_id, main_id = SiteId(there.id), SiteId(there.main_site_id or there.id)
        if stolen and not lost:
            raise BadInput(Refusal("not-lost", "What was stolen is lost: say --lost too.", "Nothing was changed."))
        if lost:
            told = write_off(database, there)
            click.echo(f"{there.code} is written here again. What its server had not sent is lost with it. Here is:")
            for sentence in told:
                click.echo(sentence)
            click.echo("What its paper has after that is entered here from paper, and the safe is counted.")
            if stolen:
                with database.writing() as session:
                    out = shut_out(session, site_id=site_id, main_id=main_id, at=now())
                click.echo(f"Shut out at every site until they are invited anew: {', '.join(out) or 'nobody more'}.")
            return
        if not apart and last:
            forget(database, code=there.code, slot_too=True)
            click.echo(f"{there.code} is written here again.")
            return
        if not apart:
            sentence = f"{there.code} is written here again: there is nothing to join."
            raise BadInput(Refusal("site-is-back", sentence, "Lend it first."))
        if line is None:
            raise BadInput(Refusal("no-line", "By which line? Name it with --line.", "See docs/satellite.md."))
        if last:
            came = bring_back(
                database, site_id=site_id, main_id=main_id, code=there.code, line=line, within=within, at=now()
            )
        else:
            tell = bar(there.code, " bytes")
            came = join_site(database, site_id=site_id, code=there.code, line=line, within=within, progress=tell)
        with database.writing() as session:
            wrong = named(session, site_id=site_id)
            if not last:  # coming back is written down with what makes it so
                audit.record(
                    session,
                    actor=the_program(main_id),
                    act="joined site",
                    subject="site",
                    subject_id=site_id,
                    at=now(),
                    details={"supplies": came.new_supplies, "lines": came.new_lines, "entries": came.new_entries},
                )
    click.echo(
        f"{there.code}: {came.new_supplies} hand-overs, {came.new_lines} lines of the register and {came.new_entries}"
        f" entries of the audit trail came; {came.supplies} hand-overs are here."
    )
    past = "given by an older order or decision, or past a stop"
    for count, words in ((came.twice, "covered at two sites"), (came.older, past)):
        if count:
            click.echo(f"{count} open alerts for a doctor: {words}.")
    for sentence in wrong:
        click.echo(sentence, err=True)
    if last:
        click.echo(f"{there.code} is written here again. Its own server takes nothing more: keep it, or destroy it.")
