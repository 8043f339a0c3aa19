"""`dispensary export`: de-identified figures with their definitions, each measure by its key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from dispensary.commands.identifying import Disclosing, identified_options
from dispensary.commands.parts import DAY, database_of, now, one_clear_line
from dispensary.commands.taking import taking
from dispensary.database import ReadSession
from dispensary.evaluation.answering import ALL, ask
from dispensary.evaluation.dhis2 import Names, read_mapping
from dispensary.evaluation.exports import export_dose_days, export_measure
from dispensary.evaluation.measure import Measure
from dispensary.evaluation.measures import measures
from dispensary.evaluation.queries import Period
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import settings_from
from dispensary.staff.queries import Place, place, site_by_code, sites

FORMATS = ("csv", "parquet", "xlsx")
_SUFFIX = {"fhir": "ndjson", "dhis2": "json"}
_Command = TypeVar("_Command", bound=Callable[..., None] | click.Command)


def places_of(session: ReadSession, codes: tuple[str, ...]) -> list[Place]:
    return [place(session, site_by_code(session, code).id) for code in codes] if codes else sites(session)


def export_options(command: _Command, *, period_needed: bool = True) -> _Command:
    for option in (
        click.option("--site", "codes", multiple=True, help="Only these sites. Default: all."),
        click.option("--from", "first", type=DAY, required=period_needed, help="First day of the period."),
        click.option("--to", "last", type=DAY, required=period_needed, help="Last day of the period."),
        click.option("--as-of", type=click.DateTime(), help="What was known then (UTC). Default: now."),
        click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder."),
    ):
        command = option(command)
    return command


def format_option(command: _Command) -> _Command:
    return click.option(
        "--format", "written", type=click.Choice(FORMATS), default="csv", show_default=True, help="Of the tables."
    )(command)


def period_of(first: datetime, last: datetime) -> Period:
    return Period(first.date(), last.date() + timedelta(days=1))


def moment_of(as_of: datetime | None) -> datetime:
    return as_of.replace(tzinfo=UTC) if as_of else now()


class _Measures(click.Group):
    """The group of exports, which has a command for each measure beside those that write something of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *measures()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in measures():
            return own
        return _command_of(measures()[cmd_name])


@click.group(cls=_Measures)
def export() -> None:
    """Write de-identified figures with their definitions."""


@export.command(name="dose-days")
@export_options
@format_option
@identified_options
def export_dose_days_command(
    codes: tuple[str, ...],
    first: datetime,
    last: datetime,
    as_of: datetime | None,
    out: Path,
    written: str,
    identified: bool,
    **typed: Any,
) -> None:
    """Every closed dose day: ordered, given, outcome, and a manifest."""
    period, moment = period_of(first, last), moment_of(as_of)
    name = f"dose-days.{written}"
    disclosing = Disclosing(**typed)
    with one_clear_line():
        disclosing.refuse_others(identified)
        with database_of(settings_from()) as database, taking(database, out) as under_way:
            places = places_of(under_way.session, codes)
            named = None
            if identified:
                actors = disclosing.signed_by(database, places)
                named = disclosing.named(under_way.session, places)
                what = f"dose days of {period.from_day} to {last.date()}, with names"
                under_way.first = lambda session: disclosing.put_on_register(session, named, actors, what)
            figures = export_dose_days(
                under_way.session,
                places=places,
                period=period,
                as_of=moment,
                now=now(),
                path=under_way.folder / name,
                named=named,
            )
            under_way.note("dose-days with names" if named else "dose-days", places, period, moment, format=written)
    share = f", {figures.covered / figures.days:.1%} covered" if figures.days else ""
    click.echo(f"{figures.clients:,} clients, {figures.days:,} days ordered{share}: {out / name}")
    if identified:
        click.echo("They are named in it. It is on the register of disclosures and in each of their records.")


@export.command(name="fhir")
@export_options
def export_fhir_command(
    codes: tuple[str, ...], first: datetime, last: datetime, as_of: datetime | None, out: Path
) -> None:
    """Records as FHIR R4: one NDJSON file a resource type, and a manifest."""
    from dispensary.evaluation.fhir import export_fhir
    from dispensary.monitoring.analytes import analytes

    period, moment = period_of(first, last), moment_of(as_of)
    with one_clear_line(), database_of(settings_from()) as database, taking(database, out) as under_way:
        places = places_of(under_way.session, codes)
        figures = export_fhir(
            under_way.session,
            places=places,
            period=period,
            as_of=moment,
            now=now(),
            tests=analytes(),
            path=under_way.folder / "fhir.ndjson",
        )
        under_way.note("fhir", places, period, moment)
    for kind, count in figures.resources.items():
        click.echo(f"{count:>10,} {kind}")
    click.echo(f"{figures.clients:,} clients: {out}")


@export.command(name="tracker")
@export_options
@click.option(
    "--mapping",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What things are called in DHIS2's tracker (TOML).",
)
def export_tracker_command(
    codes: tuple[str, ...], first: datetime, last: datetime, as_of: datetime | None, out: Path, mapping: Path
) -> None:
    """Treatment for DHIS2's tracker: one JSON payload for /api/tracker, and a manifest."""
    from dispensary.evaluation.tracker import export_tracker, read_tracker_mapping

    period, moment = period_of(first, last), moment_of(as_of)
    with one_clear_line(), database_of(settings_from()) as database, taking(database, out) as under_way:
        names = read_tracker_mapping(mapping)
        places = places_of(under_way.session, codes)
        sent = export_tracker(
            under_way.session,
            places=places,
            period=period,
            as_of=moment,
            now=now(),
            mapping=names,
            path=under_way.folder / "tracker.json",
        )
        under_way.note("tracker", places, period, moment)
    click.echo(f"{sent.clients:,} clients, {sent.events:,} events: {out / 'tracker.json'}")


def _names(written: str, mapping: Path | None) -> Names | None:
    if written != "dhis2":
        return None
    if mapping is None:
        raise BadInput(
            Refusal("mapping", "DHIS2 has its own names.", "Give a mapping with --mapping.", field="mapping")
        )
    return read_mapping(mapping)


def _command_of(measure: Measure) -> click.Command:
    """`dispensary export MEASURE`: its parameters are options."""

    def run(
        codes: tuple[str, ...],
        first: datetime,
        last: datetime,
        as_of: datetime | None,
        out: Path,
        by: str,
        written: str,
        mapping: Path | None,
        **typed: str | None,
    ) -> None:
        name = f"{measure.key}.{_SUFFIX.get(written, written)}"
        with one_clear_line(), database_of(settings_from()) as database, taking(database, out) as under_way:
            names = _names(written, mapping)
            asked = ask(
                measure,
                places=places_of(under_way.session, codes),
                period=period_of(first, last),
                as_of=moment_of(as_of),
                now=now(),
                by=[key.strip() for key in by.split(",") if key.strip()],
                typed={key: value for key, value in typed.items() if value is not None},
            )
            found = export_measure(under_way.session, asked=asked, path=under_way.folder / name, names=names)
            more = {"by": list(asked.by), "format": written, "parameters": dict(asked.parameters)}
            under_way.note(measure.key, asked.places, asked.period, asked.as_of, **more)
        for row in found.rows:
            if set(row.strata) <= {ALL}:
                of = f" of {row.denominator}" if row.denominator is not None else ""
                told = "hidden" if not row.shown else "–" if row.value is None else f"{row.value:,f}"
                click.echo(f"{row.indicator}: {told}{of}")
        click.echo(f"{len(found.rows)} rows, {found.hidden} not wholly shown: {out / name}")

    by = ", ".join([*measure.strata, *(each.key for each in measure.own_strata)])
    options: list[click.Parameter] = [
        click.Option(["--by"], default="", help=f"Split by strata, with commas: {by}." if by else "It is not split."),
        click.Option(
            ["--format", "written"], type=click.Choice([*FORMATS, *_SUFFIX]), default="csv", show_default=True
        ),
        click.Option(
            ["--mapping"],
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="What things are called in DHIS2 (TOML): needed with --format dhis2.",
        ),
        *(
            click.Option(
                [f"--{each.key.replace('_', '-')}", each.key],
                help=f"{each.meaning} {each.bounds}. Default: {each.default}.",
            )
            for each in measure.parameters
        ),
    ]
    command = click.Command(measure.key, callback=run, params=options, help=f"{measure.title}. {measure.says}")
    return export_options(command)
