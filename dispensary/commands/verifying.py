"""The commands that look whether the records are what they were: every rule, and the anchors of the audit trail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.parts.coming import to_look_at
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import settings_from
from dispensary.staff.anchor_rules import Anchor, BadAnchor, read_anchor
from dispensary.staff.anchoring import file_name, make_anchor, read_files, unlike_anchors
from dispensary.staff.queries import sites_here
from dispensary.staff.stamping import NoStamp, stamped_file
from dispensary.supplies.nightwatch import CLOSE_AFTER

STOPPED = 130
"""What a shell says of a command that was stopped by Ctrl-C: neither that all is well, nor that a row breaks a rule."""


@click.command()
@click.option(
    "--anchors",
    "path",
    type=click.Path(exists=True, path_type=Path),
    help="Compare the audit trail with this file of anchors, or with every one in this folder, as well.",
)
@click.option("--anchor", "lines", multiple=True, metavar="LINE", help="The same for a line typed from a register.")
def verify(path: Path | None, lines: tuple[str, ...]) -> None:
    """Check on live data what must never break; names each row that breaks a rule, and then exits 1."""
    from dispensary.verification.verifying import verify as look

    found = 0
    with one_clear_line():
        anchors = [*_typed(lines), *_in_files(path)]
        with database_of(settings_from()) as database, database.reading() as session:
            try:
                for finding in look(session, now=now(), progress=bar("looks")):
                    found += 1
                    click.echo(str(finding))
            except KeyboardInterrupt:
                click.echo(f"Stopped before the end: {found} rows break a rule so far.", err=True)
                sys.exit(STOPPED)
            for sentence in [*unlike_anchors(session, anchors), *(_unlike_stamps(path, anchors) if path else ())]:
                found += 1
                click.echo(f"the audit trail is what it was: {sentence}")
            for sentence in to_look_at(database, today=now().date()):
                click.echo(f"To look at: {sentence}")
    if found:
        click.echo(f"{found} rows break a rule.", err=True)
        sys.exit(1)
    compared = f" {len(anchors)} anchors fit the audit trail." if anchors else ""
    click.echo(f"All is well: no row breaks a rule.{compared}")


def _typed(lines: tuple[str, ...]) -> Iterator[Anchor]:
    for line in lines:
        try:
            yield read_anchor(line)
        except BadAnchor as reason:
            raise BadInput(Refusal("bad-anchor", str(reason), "Read the line once more.")) from None


def _in_files(path: Path | None) -> list[Anchor]:
    if path is None:
        return []
    try:
        anchors = list(read_files(path))
    except BadAnchor as reason:
        raise BadInput(Refusal("bad-anchor", str(reason), "Take another copy of the file.")) from None
    if not anchors:
        raise BadInput(Refusal("no-anchors", f"There is no anchor in {path}.", "Name a file or folder of anchors."))
    return anchors


def _unlike_stamps(path: Path, anchors: list[Anchor]) -> Iterator[str]:
    """Names each time stamp that lies beside one of these files and is of another."""
    folder = path if path.is_dir() else path.parent
    for anchor in anchors:
        stamp = (folder / file_name(anchor)).with_suffix(".tsr")
        if stamp.is_file():
            try:
                stamped_file(anchor, stamp.read_bytes())
            except NoStamp as reason:
                yield f"{stamp.name}: {reason}"


@click.command()
def anchor() -> None:
    """Print today's anchor of each site's audit trail, and make those that the night has not made yet."""
    with one_clear_line(), database_of(settings_from()) as database:
        at = now()
        with database.reading() as session:
            places = sites_here(session)
        for site in places:
            day = site.dose_day(at - CLOSE_AFTER)
            with database.writing() as session:
                made = make_anchor(session, site_id=site.id, day=day, at=at)
            click.echo(made.whole_line)
