"""`dispensary export retention`: the curve, the incidence of each cause, and the comparison of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

import click

from dispensary.commands.exporting import export_options, format_option, moment_of, period_of, places_of
from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.evaluation.exports import export_retention
from dispensary.evaluation.retention import DEFAULT_GAP, Question, Retention
from dispensary.evaluation.rules import DEFAULT_ROLES, MARKS, Role, Scale
from dispensary.evaluation.strata import STRATA
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import settings_from

_Command = TypeVar("_Command", bound=Callable[..., None])


def retention_options(command: _Command) -> _Command:
    """What may be asked of stays, beside period, sites and moment."""
    for option in (
        click.option("--gap", default=DEFAULT_GAP, show_default=True, help="Dropped out after more days without dose."),
        click.option(
            "--role",
            "typed_roles",
            multiple=True,
            metavar="REASON=ROLE",
            help=f"What an exit counts as: {', '.join(Role)}. Default: "
            + ", ".join(f"{reason}={role}" for reason, role in DEFAULT_ROLES.items())
            + ".",
        ),
        click.option("--by", default="", help=f"Split by strata as of entry, with commas: {', '.join(STRATA)}."),
        click.option(
            "--landmark", type=int, help="Only stays going on so many days after entry, by take-home until then."
        ),
        click.option("--month-days", default="", help="Days of a month, such as 30. Default: calendar months."),
        click.option("--months", default=",".join(map(str, MARKS)), show_default=True, help="Months of the table."),
    ):
        command = option(command)
    return command


@click.command(name="retention")
@export_options
@format_option
@retention_options
def retention_command(
    codes: tuple[str, ...],
    first: datetime,
    last: datetime,
    as_of: datetime | None,
    out: Path,
    written: str,
    gap: int,
    typed_roles: tuple[str, ...],
    by: str,
    landmark: int | None,
    month_days: str,
    months: str,
) -> None:
    """Retention by Kaplan-Meier, exits by cause, groups compared: first stays and all stays, and a manifest."""
    with one_clear_line(), database_of(settings_from()) as database, database.reading() as session:
        question = Question(
            period_of(first, last),
            moment_of(as_of),
            gap_days=gap,
            roles=roles_of(typed_roles),
            scale=scale_of(month_days),
            months=months_of(months),
            by=listed(by),
            landmark_days=landmark,
        )
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"retention.{written}"
        answer = export_retention(session, places=places_of(session, codes), question=question, now=now(), path=path)
    tell(answer)
    click.echo(f"{answer.first.clients:,} clients, first stays; definition and all stays: {path}")


def tell(answer: Retention) -> None:
    """The first stays in a few lines: retention at each mark, then each group at the last, and the test."""
    for mark in answer.first.marks:
        if mark.retention is not None:
            click.echo(f"{mark.months:>3} months: {float(mark.retention):.3f} ({mark.at_risk} at risk)")
    if answer.split is None:
        return
    for group in answer.split.shown:
        known = [mark for mark in group.first.marks if mark.retention is not None]
        told = f"{float(known[-1].retention or 0):.3f} at {known[-1].months} months" if known else "nobody"
        click.echo(f"{', '.join(group.levels)}: {told} of {group.first.curve.n}")
    if answer.split.hidden:
        click.echo(f"{len(answer.split.hidden)} groups not shown.")
    tested = answer.split.log_rank["first"]
    if tested is not None:
        freedom = f"{tested.degrees} degree{'s' if tested.degrees > 1 else ''} of freedom"
        click.echo(f"Log-rank: chi-square {tested.chi_square:.4f}, {freedom}, p {tested.p:.6f}")


def listed(typed: str) -> tuple[str, ...]:
    """The words between commas."""
    return tuple(word.strip() for word in typed.split(",") if word.strip())


def roles_of(typed: tuple[str, ...]) -> Mapping[str, Role]:
    """The roles that are used when without more, with those that were typed as REASON=ROLE. Raises BadInput."""
    roles, faults = dict(DEFAULT_ROLES), []
    for one in typed:
        reason, sign, role = (part.strip() for part in one.partition("="))
        if not reason or not sign or role not in set(Role):
            remedy = f"Write REASON=ROLE, where the role is {', '.join(Role)}: died=censored."
            faults.append(Refusal("role", f"--role {one[:60]} says no role.", remedy, field="role"))
        else:
            roles[reason] = Role(role)
    if faults:
        raise BadInput(*faults)
    return roles


def scale_of(month_days: str) -> Scale:
    """Calendar months, or months of so many days. Raises BadInput."""
    try:
        return Scale(Decimal(month_days) if month_days else None)
    except InvalidOperation:
        sentence = f"A month cannot have “{month_days[:20]}” days."
        raise BadInput(Refusal("month", sentence, "For example 30.4375.", field="month_days")) from None


def months_of(typed: str) -> tuple[int, ...]:
    """The months of the table, in order. Raises BadInput."""
    words = listed(typed)
    if not words or not all(word.isdecimal() and len(word) <= 3 for word in words):
        sentence = f"“{typed[:40]}” are no months."
        raise BadInput(Refusal("months", sentence, "Write whole numbers with commas: 0,6,12.", field="months"))
    return tuple(sorted({int(word) for word in words}))
