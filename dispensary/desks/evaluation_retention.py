"""The evaluator's page of retention: curves with their bands, who is at risk, exits by cause, and the definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from litestar import Request, get
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import ReadSession
from dispensary.desks.evaluation_asked import (
    Asked,
    form_of,
    on_page,
    read,
    site_choices,
    sites_of_evaluator,
    typed_on_page,
)
from dispensary.desks.evaluation_taken import taken
from dispensary.evaluation.cohorts import ANY_EVENT, KINDS
from dispensary.evaluation.exports import export_retention
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.retention import DEFAULT_GAP, LATEST_LANDMARK, LONGEST_GAP, Question, Retention, retention
from dispensary.evaluation.rules import DEFAULT_ROLES, Role, Scale
from dispensary.evaluation.strata import MOST_STRATA, STRATA
from dispensary.evaluation.taken import note_looked
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.reporting import told
from dispensary.reporting.pens import as_png, as_svg
from dispensary.reporting.retained import cohorts, drawn, endings, named, seen
from dispensary.staff.queries import Place
from dispensary.web.forms import one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _

FORMATS = ("csv", "xlsx", "parquet")
MOST_GROUPS = 12
"""Groups of which a page shows the table; the file has all."""


@dataclass(frozen=True)
class _Question:
    asked: Asked
    question: Question
    kind: str

    def query(self, **more: object) -> str:
        """The address's part that asks the same again."""
        question = self.question
        roles = {
            f"role_{reason}": role.value for reason, role in question.roles.items() if DEFAULT_ROLES[reason] != role
        }
        return self.asked.query(
            gap=question.gap_days,
            stays=self.kind,
            by=list(question.by) or "",
            landmark=question.landmark_days,
            month_days=question.scale.month_days,
            **roles,
            **more,
        )

    def as_json(self) -> dict[str, object]:
        """The same for the audit trail."""
        question = self.question
        return {
            **self.asked.as_json(),
            "gap_days": question.gap_days,
            "by": list(question.by),
            "landmark_days": question.landmark_days,
            "month_days": None if question.scale.month_days is None else f"{question.scale.month_days}",
            "roles": {reason: role.value for reason, role in sorted(question.roles.items())},
        }


def _question(form: Mapping[str, Any], *, site: Place, seen: list[Place], now: datetime) -> _Question:
    """What is asked, of which each fault is named. What rules refuse is refused by the answer. Raises BadInput."""
    faults: list[Refusal] = []
    asked = None
    try:
        asked = read(form, site=site, seen=seen, now=now)
    except BadInput as refused:
        faults += refused.refusals
    roles, month_days, gap, landmark = dict(DEFAULT_ROLES), None, DEFAULT_GAP, None
    try:
        with Typed(form) as typed:
            gap = typed.whole_or_none("gap", 1, LONGEST_GAP) or DEFAULT_GAP
            landmark = typed.whole_or_none("landmark", 1, LATEST_LANDMARK)
            for reason in DEFAULT_ROLES:
                written = one(form, f"role_{reason}")
                if written and written not in set(Role):
                    typed.fault(f"role_{reason}", "no-role", f"“{written[:20]}” is no role.", "Choose one of the list.")
                elif written:
                    roles[reason] = Role(written)
            if written := one(form, "month_days"):
                try:
                    month_days = Decimal(written)
                except InvalidOperation:
                    typed.fault("month_days", "month", f"A month cannot have “{written[:20]}” days.", "Write 30.4375.")
            if (kind := one(form, "stays") or KINDS[0]) not in KINDS:
                typed.fault("stays", "no-choice", f"There are no stays “{kind[:20]}”.", "Choose one of the list.")
            if (written := one(form, "format")) and written not in (*FORMATS, "svg", "png"):
                typed.fault("format", "format", f"There is no format “{written[:20]}”.", "Choose csv.")
    except BadInput as refused:
        faults += refused.refusals
    if faults or asked is None:
        raise on_page(BadInput(*faults))
    question = Question(
        asked.period,
        asked.as_of,
        gap_days=gap,
        roles=roles,
        scale=Scale(month_days),
        by=tuple(key for key in several(form, "by") if key),
        landmark_days=landmark,
    )
    return _Question(asked, question, kind)


@get("/evaluation/retention", sync_to_thread=True, guards=[requires_evaluator])
def retention_page(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """Retention of those who began in a period. A question with a fault comes back as it was typed."""
    now, form = clock(), form_of(request)
    refused: Refused | None = None
    asked, answer = None, None
    with database.reading() as session:
        sites = sites_of_evaluator(session, actor)
        try:
            asked = _question(form, site=site, seen=sites, now=now)
            answer = retention(session, places=asked.asked.places, question=asked.question, now=now)
        except BadInput as reason:
            refused = on_page(reason)
    if asked and answer:
        with database.writing() as session:
            note_looked(session, actor, "retention", now, asked.as_json())
    kind = asked.kind if asked else KINDS[0]
    groups = cohorts(answer, kind) if answer else []
    whole = None if answer is None else answer.first if kind == "first" else answer.all
    return page(
        "evaluation/retention.html",
        refused=refused,
        typed=typed_on_page(form, site),
        sites=site_choices(sites),
        asked=asked,
        frame=asked.asked if asked else read({}, site=site, seen=sites, now=now),
        usual_gap=DEFAULT_GAP,
        strata=[(each.key, _(each.title), _(each.says)) for each in STRATA.values()],
        most_strata=MOST_STRATA,
        kinds=[(each, named(each)) for each in KINDS],
        kind=kind,
        reasons=_reasons(),
        roles=_roles(),
        usual=DEFAULT_ROLES,
        changed=_changed(form),
        answer=answer,
        whole=whole,
        groups=groups[:MOST_GROUPS],
        more=max(0, len(groups) - MOST_GROUPS),
        endings=endings(whole) if whole else [],
        chart=as_svg(drawn(answer, kind)) if answer and groups else "",
        tested=answer.split.log_rank[kind] if answer and answer.split else None,
        definition=answer.definition() if answer else {},
        any_event=ANY_EVENT,
        seen=seen,
        told=told,
    )


def _changed(form: Mapping[str, Any]) -> bool:
    """Whether anything of what is folded away was typed."""
    roles = any(one(form, f"role_{reason}") not in ("", role) for reason, role in DEFAULT_ROLES.items())
    return roles or bool(one(form, "landmark") or one(form, "month_days"))


def _reasons() -> dict[str, str]:
    return {
        "in_treatment": _("still in treatment"),
        "dropped_out": _("dropped out"),
        "ended_by_programme": _("ended by the programme"),
        "died": _("died"),
        "imprisoned": _("imprisoned or detained"),
        "completed": _("completed"),
        "transferred": _("transferred"),
        ANY_EVENT: _("any event"),
    }


def _roles() -> list[tuple[str, str]]:
    return [
        (Role.EVENT.value, _("counts as leaving")),
        (Role.COMPETING.value, _("competes with leaving")),
        (Role.CENSORED.value, _("is observed no longer")),
        (Role.EXCLUDED.value, _("leaves the person out altogether")),
    ]


@get("/evaluation/retention.zip", sync_to_thread=True, guards=[requires_evaluator])
def retention_files(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The tables of retention, or its curve as a figure beside them, with the manifest; de-identified."""
    now, form = clock(), form_of(request)
    with database.reading() as session:
        sites = sites_of_evaluator(session, actor)
    asked = _question(form, site=site, seen=sites, now=now)
    written = one(form, "format") or FORMATS[0]

    def beside(out: Export, answer: Retention) -> list[Table]:
        if written in FORMATS:
            return []
        figure = drawn(answer, asked.kind)
        return [out.picture(written, figure.title, as_svg(figure).encode() if written == "svg" else as_png(figure))]

    def write(session: ReadSession, folder: Path) -> None:
        path = folder / f"retention.{written if written in FORMATS else 'csv'}"
        places, question = asked.asked.places, asked.question
        export_retention(session, places=places, question=question, now=now, path=path, beside=beside)

    return taken(database, actor, "retention", write, now, {**asked.as_json(), "format": written})


HANDLERS: list[ControllerRouterHandler] = [retention_page, retention_files]
