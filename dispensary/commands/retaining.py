"""`dispensary export retention`: the curve, the incidence of each cause, and the comparison of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from dispensary.commands.exporting import export_options, format_option, moment_of, period_of, places_of
from dispensary.commands.parts import database_of, now, one_clear_line
from dispensary.commands.taking import taking
from dispensary.evaluation.episode_files import FIRST_DAY
from dispensary.evaluation.episode_models import EpisodeSet
from dispensary.evaluation.episode_sets import episode_set
from dispensary.evaluation.exports import export_episodes, export_retention
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import DEFAULT_GAP, NO_GAP, Question, Retention
from dispensary.evaluation.rules import DEFAULT_ROLES, MARKS, Role, Scale
from dispensary.evaluation.strata import STRATA
from dispensary.refusals import BadInput, Refusal
from dispensary.settings import settings_from

_MOST_TOLD = 20
_Command = TypeVar("_Command", bound=Callable[..., None])


def retention_options(command: _Command) -> _Command:
    """What may be asked of stays, beside period, sites and moment."""
    for option in (
        click.option(
            "--gap",
            type=int,
            help=f"Dropped out after more days without a dose. Default: {DEFAULT_GAP}; of --episodes none.",
        ),
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
        click.option("--episodes", default="", help="Of episodes that were brought in under this name."),
        click.option(
            "--landmark", type=int, help="Only stays going on so many days after entry, by take-home until then."
        ),
        click.option("--cox", is_flag=True, help="Cox regression on the strata too; needs the extra takehome[cox]."),
        click.option("--month-days", default="", help="Days of a month, such as 30. Default: calendar months."),
        click.option("--months", default=",".join(map(str, MARKS)), show_default=True, help="Months of the table."),
    ):
        command = option(command)
    return command


def _export_options(command: _Command) -> _Command:
    return export_options(command, period_needed=False)


@click.command(name="retention")
@_export_options
@format_option
@retention_options
def retention_command(out: Path, written: str, **typed: Any) -> None:
    """Retention by Kaplan-Meier, exits by cause, groups compared: first stays and all stays, and a manifest."""
    asked = Asked(**typed)
    name = f"retention.{written}"
    with one_clear_line(), database_of(settings_from()) as database, taking(database, out) as under_way:
        session, path = under_way.session, under_way.folder / name
        places = places_of(session, asked.codes)
        if asked.episodes:
            kept = episode_set(session, asked.episodes)
            answer = export_episodes(session, kept=kept, question=asked.of_episodes(kept), path=path)
        else:
            answer = export_retention(session, places=places, question=asked.of_clinic(), now=now(), path=path)
        question = answer.question
        more = {
            "by": list(question.by),
            "format": written,
            "gap_days": question.gap_days,
            "episodes": asked.episodes,
            "landmark_days": question.landmark_days,
            "months": list(question.months),
            "month_days": question.scale.month_days,
            "roles": asked.typed_roles,
            "cox": question.cox or None,
        }
        under_way.note("retention", places, question.period, question.as_of, **more)
    tell(answer)
    click.echo(f"{answer.first.clients:,} clients, first stays; definition and all stays: {out / name}")


@dataclass(frozen=True)
class Asked:
    """What was typed, as a question of the clinic's records or of others. Raises BadInput for what cannot be meant."""

    codes: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    as_of: datetime | None
    gap: int | None
    typed_roles: tuple[str, ...]
    by: str
    landmark: int | None
    month_days: str
    months: str
    episodes: str
    cox: bool

    def of_clinic(self) -> Question:
        """Of stays by the gap rule, as they were known at a moment."""
        if self.first is None or self.last is None:
            remedy = "Give its first day with --from and its last with --to."
            raise BadInput(Refusal("no-period", "The period is missing.", remedy, field="period"))
        gap = DEFAULT_GAP if self.gap is None else self.gap
        return self._question(period_of(self.first, self.last), moment_of(self.as_of), gap)

    def of_episodes(self, kept: EpisodeSet) -> Question:
        """Of episodes as their file has them: all, where no period is given."""
        wrong = {"--as-of": self.as_of is not None, "--site": bool(self.codes)}
        if any(wrong.values()):
            options = ", ".join(option for option, typed in wrong.items() if typed)
            remedy = "The episodes are as their file has them; split them by a column with --by."
            raise BadInput(Refusal("not-of-episodes", f"{options} cannot be asked of episodes.", remedy))
        every = Period(FIRST_DAY, kept.seen_to + timedelta(days=1))
        period = Period(
            self.first.date() if self.first else every.from_day,
            self.last.date() + timedelta(days=1) if self.last else every.until_day,
        )
        return self._question(period, kept.imported_at, NO_GAP if self.gap is None else self.gap)

    def _question(self, period: Period, as_of: datetime, gap: int) -> Question:
        return Question(
            period,
            as_of,
            gap_days=gap,
            roles=roles_of(self.typed_roles),
            scale=scale_of(self.month_days),
            months=months_of(self.months),
            by=listed(self.by),
            landmark_days=self.landmark,
            cox=self.cox,
        )


def tell(answer: Retention) -> None:
    """The first stays in a few lines: retention at each mark, then each group at the last, and the test."""
    for mark in answer.first.marks:
        if mark.retention is not None:
            click.echo(f"{mark.months:>3} months: {float(mark.retention):.3f} ({mark.at_risk} at risk)")
    if answer.split is None:
        return
    shown = list(answer.split.shown)
    for group in shown[:_MOST_TOLD]:
        known = [mark for mark in group.first.marks if mark.retention is not None]
        told = f"{float(known[-1].retention or 0):.3f} at {known[-1].months} months" if known else "nobody"
        click.echo(f"{', '.join(group.levels)}: {told} of {group.first.curve.n}")
    if len(shown) > _MOST_TOLD:
        click.echo(f"and {len(shown) - _MOST_TOLD} more groups, in the table.")
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
