"""`dispensary export report`: the programme on one page, with the tables behind it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from dispensary.commands.exporting import export_options, moment_of, period_of, places_of
from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.commands.taking import taking
from dispensary.reporting.programme import NAME, asked_of, export_report
from dispensary.settings import settings_from


@click.command(name="report")
@export_options
def report_command(codes: tuple[str, ...], first: datetime, last: datetime, as_of: datetime | None, out: Path) -> None:
    """The programme on one page (PDF), its tables, and a manifest."""
    period, moment = period_of(first, last), moment_of(as_of)
    with one_clear_line(), database_of(settings_from()) as database, taking(database, out) as under_way:
        places = places_of(under_way.session, codes)
        asked = asked_of(places, period, moment, now())
        report = export_report(under_way.session, asked=asked, path=under_way.folder / f"{NAME}.csv")
        under_way.note(NAME, places, period, moment)
    click.echo(f"{len(report.found.rows)} figures, {report.found.hidden} not shown: {out / f'{NAME}.pdf'}")
