"""`dispensary demo --programme`: a programme built from its folder, its table, and its sites to try."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Protocol

import click
from sqlalchemy import select

from dispensary.commands.parts import bar, database_of, forget, now
from dispensary.database import Database, ReadSession
from dispensary.demo.clinic import PASSWORD
from dispensary.nights import assess_sites, close_left_open, judge_sites
from dispensary.programmes.building import build
from dispensary.programmes.opening import pins
from dispensary.programmes.reading import BadProgramme, read_programme
from dispensary.programmes.shapes import Programme
from dispensary.published.keeping import keep
from dispensary.published.table import printed, programme_table
from dispensary.schema import migrate
from dispensary.settings import BadSettings, Settings
from dispensary.staff.models import Site
from dispensary.staff.queries import place
from dispensary.words import on_screens


class Serve(Protocol):
    """Serves the program, with what is done to its database before."""

    def __call__(
        self, settings: Settings, *, jobs: bool, ready: Callable[[], None], prepare: Callable[[Database], None]
    ) -> None: ...


def demonstrate(settings: Settings, name: str, *, fresh: bool, table: bool, serve: Serve) -> None:
    """Builds a programme in the demonstration's database where it is not there, prints its table, and serves it.

    Raises BadSettings, with every mistake of its files, and where another clinic or programme is there already.
    """
    figures: list[str] = []
    try:
        programme = read_programme(name)
    except BadProgramme as bad:
        raise BadSettings(str(bad)) from None

    of = programme.publication

    def prepare(database: Database) -> None:
        if fresh:
            forget(database)
        begin(database, programme)
        with database.reading() as session:
            figures.extend(printed(of, programme_table(session, of, now=now())))
        keep(settings.data, of)

    if not table:
        who = _who(settings, programme)
        serve(settings, jobs=True, prepare=prepare, ready=lambda: click.echo("\n".join(["", *figures, *who])))
        return
    with database_of(settings, ready=False) as database:
        migrate(database)
        prepare(database)
    click.echo("\n".join(figures))


def begin(database: Database, programme: Programme) -> None:
    """Makes the programme where nothing is, or finds it there. Raises BadSettings where another clinic is."""
    named = {(site.code, site.name) for site in programme.sites}
    with database.reading() as session:
        there = {(code, name) for code, name in session.execute(select(Site.code, Site.name))}
        if there and not named <= there:  # a country's other sites are made by its records
            raise another({code for code, _name in there})
        if there:
            old = _days_old(session, programme)
            if old > 1:
                click.echo(
                    f"It was made {old} days ago, and its days count from then: add --fresh for one as of today."
                )
            return
    click.echo(f"Making the programme {programme.key}: its sites, its people, and their days, once.")
    try:
        build(database, programme, now=now(), say=bar("days", " days"))
    except BadProgramme as bad:
        forget(database)
        raise BadSettings(str(bad)) from None
    close_left_open(database, now)  # a site without a counter closed no day of its own
    assess_sites(database, now)
    judge_sites(database, now)


def another(codes: Collection[str]) -> BadSettings:
    """What is said where a demonstration's data folder has another one."""
    return BadSettings(
        f"Another clinic is in this data folder ({', '.join(sorted(codes)[:5])}): add --fresh, which forgets it, or set"
        " DISPENSARY_DATA to another folder."
    )


def _days_old(session: ReadSession, programme: Programme) -> int:
    """How many days ago it was built: its sites were opened so many days before that."""
    first = programme.sites[0].code
    opened, site_id = session.execute(select(Site.opened_at, Site.id).where(Site.code == first)).one()
    here = place(session, site_id)
    return (here.dose_day(now()) - here.dose_day(opened) - timedelta(days=programme.head.opened)).days


def _who(settings: Settings, programme: Programme) -> list[str]:
    base = f"http://{settings.host}:{settings.port}"
    language = programme.head.language
    lines = ["", f"Takehome is open on {base}", "", f"Sign in with the password “{PASSWORD}” as"]
    digits = dict(pins(programme))
    for site in programme.sites:
        for each in site.staff:
            roles = ", ".join(each.roles)
            lines.append(
                f"  {each.username:<16} {each.name}, {roles} at {site.name} ({site.code}), PIN {digits[each.username]}"
            )
    texts = ", ".join(dict.fromkeys(tag for site in programme.sites for tag in site.languages))
    if language in on_screens():
        told = f"Its screens are in “{language}” as far as they are translated, and in English else"
        lines += ["", f"{told}; texts to clients in {texts}. Translations are drafts."]
    else:
        lines += ["", f"There are no screens in “{language}” yet: they are in English; texts to clients in {texts}."]
    lines += [f"Play a client's phone on {base}/telephone. Stop it with Ctrl-C.", ""]
    return lines
